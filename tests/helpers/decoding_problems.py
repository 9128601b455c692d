"""What is decoded in tests: one document of the diamond and random taxonomies; and what came out."""

import numpy as np
from hypothesis import strategies as st
from scipy import sparse

from hmltc_kedro.decoding.paths import DecodedPaths, choose_paths, union_paths
from hmltc_kedro.taxonomy import Taxonomy

Path = tuple[int, ...]


@st.composite
def problems(draw: st.DrawFn, max_classes: int = 9) -> tuple[Taxonomy, np.ndarray]:
    """Draw a random DAG, classes not in topological order, and probabilities rich in ties."""
    n = draw(st.integers(1, max_classes))
    ids = draw(st.permutations([f"c{i}" for i in range(n)]))
    edges = [
        (ids[parent], ids[child])
        for child in range(1, n)
        for parent in sorted(draw(st.sets(st.integers(0, child - 1), max_size=3)))
    ]
    taxonomy = Taxonomy.from_edges([(i, i) for i in sorted(ids)], edges)
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 5)), n)
    if draw(st.booleans()):
        return taxonomy, generator.integers(0, 9, shape).astype(np.float32) / 8
    return taxonomy, generator.random(shape, dtype=np.float32)


def found_paths(decoded: DecodedPaths, document: int = 0) -> list[Path]:
    return [tuple(c for c in p if c >= 0) for p in decoded.paths[document].tolist() if p[0] >= 0]


def label_sets(
    decoded: DecodedPaths, taxonomy: Taxonomy, *, max_paths: int = 1, path_ratio: float = 1.0
) -> sparse.csr_array:
    chosen = choose_paths(decoded, max_paths=max_paths, path_ratio=path_ratio)
    return union_paths(chosen, taxonomy)


def as_row(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float32)


# an, ga, do, ca, be (below do and ca), ct (below ca), to (below ga)
PETS = as_row(0.9, 0.2, 0.6, 0.8, 0.7, 0.3, 0.1)
