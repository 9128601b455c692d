"""The second look: against scikit-learn's ridge fold by fold, and that nobody hears his own label."""

import numpy as np
import pytest
from scipy import sparse

from hmltc_kedro.pseudo_labels.second_look import FOLDS, RIDGE, SecondLook, fit_second_look

N, D, C = 60, 5, 3


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)


@pytest.fixture
def labels(features: np.ndarray) -> sparse.csr_array:
    return sparse.csr_array((features[:, :C] > 0.3).astype(np.float32))


def look(features: np.ndarray, labels: sparse.csr_array, step: int = N) -> tuple[SecondLook, np.ndarray]:
    blocks = [slice(start, min(start + step, N)) for start in range(0, N, step)]
    found = fit_second_look([(rows, features[rows]) for rows in blocks], labels, seed=3)
    return found, np.concatenate([found.score(rows, features[rows]) for rows in blocks])


def test_scores_are_those_of_a_ridge_on_the_other_folds(features: np.ndarray, labels: sparse.csr_array) -> None:
    from sklearn.linear_model import Ridge

    found, scores = look(features, labels)
    expected = np.empty((N, C))
    for fold in range(FOLDS):
        others, own = found.folds != fold, found.folds == fold
        target = labels.toarray()[others]
        ridge = Ridge(RIDGE, fit_intercept=False).fit(features[others], target - target.mean(axis=0))
        expected[own] = ridge.predict(features[own]) + target.mean(axis=0)
    np.testing.assert_allclose(scores, expected / expected.std(), atol=1e-4)
    assert scores.std() == pytest.approx(1, abs=1e-5)
    assert scores.dtype == np.float32


@pytest.mark.parametrize("step", [1, 7, 59])
def test_blocks_make_no_difference(features: np.ndarray, labels: sparse.csr_array, step: int) -> None:
    np.testing.assert_allclose(look(features, labels, step)[1], look(features, labels)[1], atol=1e-4)


def test_no_document_hears_its_own_label(features: np.ndarray, labels: sparse.csr_array) -> None:
    found, before = look(features, labels)
    flipped = labels.toarray()
    flipped[7] = 1 - flipped[7]
    _, after = look(features, sparse.csr_array(flipped))
    # Up to the spread, one factor for all: the folds that did not change are scored by others and say which.
    same = found.folds == found.folds[7]
    factor = after[same] / before[same]
    np.testing.assert_allclose(factor, factor.flat[0], rtol=1e-3)
    assert not np.allclose(after[~same] / before[~same], factor.flat[0], rtol=1e-2)


def test_a_wrong_label_among_many_is_outvoted() -> None:
    rng = np.random.default_rng(1)
    kinds = rng.integers(0, 2, 400)
    features = (np.eye(2)[kinds] + rng.normal(0, 0.1, (400, 2))).astype(np.float32)
    noisy = np.where(rng.random(400) < 0.2, 1 - kinds, kinds)
    labels = sparse.csr_array(np.eye(2, dtype=np.float32)[noisy])
    found = fit_second_look([(slice(0, 400), features)], labels, seed=0)
    assert (noisy == kinds).mean() < 0.85
    assert (found.score(slice(0, 400), features).argmax(axis=1) == kinds).mean() > 0.99


def test_a_corpus_smaller_than_its_folds_has_finite_scores() -> None:
    features, labels = np.ones((2, 3), dtype=np.float32), sparse.csr_array(np.float32([[1, 0], [0, 1]]))
    found = fit_second_look([(slice(0, 2), features)], labels, seed=0)
    assert np.isfinite(found.score(slice(0, 2), features)).all()
