"""Random taxonomies with probabilities, for property tests."""

import numpy as np
from hypothesis import strategies as st

from hmltc_kedro.taxonomy import Taxonomy


@st.composite
def draw_taxonomies(draw: st.DrawFn, max_classes: int = 9) -> Taxonomy:
    """Draw a random DAG whose classes are not in topological order."""
    n = draw(st.integers(1, max_classes))
    ids = draw(st.permutations([f"c{i}" for i in range(n)]))
    edges = [
        (ids[parent], ids[child])
        for child in range(1, n)
        for parent in sorted(draw(st.sets(st.integers(0, child - 1), max_size=3)))
    ]
    return Taxonomy.from_edges([(i, i) for i in sorted(ids)], edges)


@st.composite
def draw_problems(draw: st.DrawFn, max_classes: int = 9) -> tuple[Taxonomy, np.ndarray]:
    """Draw a random DAG and probabilities of up to five documents, half of them rich in ties."""
    taxonomy = draw(draw_taxonomies(max_classes))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 5)), len(taxonomy))
    if draw(st.booleans()):
        return taxonomy, generator.integers(0, 5, shape).astype(np.float32) / 4
    return taxonomy, generator.random(shape, dtype=np.float32)
