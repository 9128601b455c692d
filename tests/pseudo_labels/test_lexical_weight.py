"""The weight of words: what other documents confirm of each view."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import approx_fprime

from hmltc_kedro.pseudo_labels.lexical_weight import BOUNDS, fit_softmax, weigh_lexical_view
from hmltc_kedro.taxonomy import Taxonomy

N = 300
LEAVES = [2, 5, 6]
"""dogs, cat_toys and tools of the diamond."""


def noise(seed: int, spread: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, (N, 7)).astype(np.float32)


@pytest.fixture(scope="module")
def kinds() -> np.ndarray:
    return np.random.default_rng(0).choice(LEAVES, N)


@pytest.fixture(scope="module")
def words(kinds: np.ndarray) -> sparse.csr_array:
    """Return documents of three words each out of ten of their kind."""
    rng = np.random.default_rng(5)
    dense = np.zeros((N, 70), dtype=np.float32)
    for row, kind in enumerate(kinds):
        dense[row, 10 * kind + rng.choice(10, 3, replace=False)] = 3**-0.5
    return sparse.csr_array(dense)


def truth(kinds: np.ndarray, spread: float = 1.0) -> np.ndarray:
    return np.eye(7, dtype=np.float32)[kinds] * 3 * spread


def test_the_view_that_says_what_others_confirm_weighs_more(
    kinds: np.ndarray, words: sparse.csr_array, diamond: Taxonomy
) -> None:
    good, poor = truth(kinds) + noise(1, 0.5), truth(kinds, 0.3) + noise(2)
    for_words = weigh_lexical_view(poor, good, words, diamond, 0.25, 0)
    for_vectors = weigh_lexical_view(good, poor, words, diamond, 0.25, 0)
    assert for_words > 3 * for_vectors
    assert BOUNDS[0] <= for_vectors < for_words <= BOUNDS[1]


def test_the_scale_of_a_view_does_not_matter(kinds: np.ndarray, words: sparse.csr_array, diamond: Taxonomy) -> None:
    dense, lexical = truth(kinds) + noise(1), truth(kinds) + noise(2)
    one = weigh_lexical_view(dense, lexical, words, diamond, 0.25, 0)
    half = weigh_lexical_view(dense, 2 * lexical, words, diamond, 0.25, 0)
    assert BOUNDS[0] < half < one <= BOUNDS[1]
    assert half == pytest.approx(one / 2, rel=0.2)


def test_words_that_say_nothing_have_the_least_weight(
    kinds: np.ndarray, words: sparse.csr_array, diamond: Taxonomy
) -> None:
    assert weigh_lexical_view(truth(kinds), noise(3), words, diamond, 0.25, 0) == BOUNDS[0]
    assert weigh_lexical_view(truth(kinds), 0 * noise(3), 0 * words, diamond, 0.25, 0) == BOUNDS[0]


def test_the_same_seed_gives_the_same_weight(kinds: np.ndarray, words: sparse.csr_array, diamond: Taxonomy) -> None:
    views = truth(kinds) + noise(1), truth(kinds) + noise(2)
    first, again = (weigh_lexical_view(*views, words, diamond, 0.25, 7) for _ in range(2))
    assert first == again


def test_softmax_is_at_its_best(kinds: np.ndarray) -> None:
    views = truth(kinds, 0.3) + noise(1), truth(kinds, 0.3) + noise(2)

    def measure(weights: np.ndarray) -> float:
        scores = np.float64(weights[0]) * views[0] + np.float64(weights[1]) * views[1]
        return float((np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(N), kinds]).mean())

    weights = fit_softmax(*views, kinds)
    assert (weights > 0.1).all()
    np.testing.assert_allclose(approx_fprime(weights, measure, 1e-5), 0, atol=2e-3)


def test_softmax_gives_no_view_less_than_nothing(kinds: np.ndarray) -> None:
    good = truth(kinds) + noise(1)
    assert fit_softmax(good, -truth(kinds) + noise(2, 3), kinds)[1] == 0
