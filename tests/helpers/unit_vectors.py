"""Random vectors of length 1."""

import numpy as np

from hmltc_kedro.text.windows import normalise


def draw_unit_vectors(rng: np.random.Generator, n: int, d: int = 6) -> np.ndarray:
    """Return n vectors; an offset makes their means differ from dimension to dimension."""
    return normalise((rng.normal(size=(n, d)) + 0.5).astype(np.float32))
