"""The small corpus with random vectors: whatever they are, the formulas hold."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import sparse

from hmltc_kedro.pseudo_labels import candidates, moments, neighbourhood
from hmltc_kedro.pseudo_labels.neighbourhood import average_neighbours, find_neighbours
from small_corpus import CORPUS
from unit_vectors import draw_unit_vectors


@pytest.fixture
def set_block(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that sets the number of documents which are looked at together."""

    def set_in_all_modules(size: int) -> None:
        for module in (candidates, moments, neighbourhood):
            monkeypatch.setattr(module, "BLOCK", size)

    return set_in_all_modules


@pytest.fixture
def views() -> dict[str, np.ndarray]:
    """Return two vectors for each class of the diamond."""
    rng = np.random.default_rng(1)
    return {"text": draw_unit_vectors(rng, 7), "path": draw_unit_vectors(rng, 7)}


@pytest.fixture
def documents() -> np.ndarray:
    """Return a vector for each document of the small corpus."""
    return draw_unit_vectors(np.random.default_rng(2), len(CORPUS))


@pytest.fixture
def neighbours(documents: np.ndarray) -> sparse.csr_array:
    """Return the weights of each document's three nearest."""
    return average_neighbours(find_neighbours(documents, 3, seed=0))
