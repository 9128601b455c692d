"""Mean and spread of a class over the documents: by hand, and as the whole score matrix has them."""

from collections.abc import Callable

import numpy as np
import pytest

from hmltc_kedro.pseudo_labels.moments import estimate_moments, measure_spread


@pytest.mark.parametrize("block", [2, 4096])
def test_moments_without_prior_are_those_of_the_score_matrix(
    set_block: Callable[[int], None], documents: np.ndarray, views: dict[str, np.ndarray], block: int
) -> None:
    set_block(block)
    moments = estimate_moments(documents, views["text"], prior=0)
    scores = documents.astype(np.float64) @ views["text"].T.astype(np.float64)
    np.testing.assert_allclose(moments.mean, scores.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(moments.std, scores.std(axis=0), atol=1e-5)


def test_moments_are_shrunk_as_worked_out_by_hand() -> None:
    # 4 documents, 2 classes: n = 2 a class. Prior 6: a quarter of trust in each class's own moments.
    documents = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    moments = estimate_moments(documents, np.eye(2, dtype=np.float32), prior=6)
    # Means 3/4 and 1/4, around 1/2; variances both 3/16.
    np.testing.assert_allclose(moments.mean, [0.5 + 0.25 / 4, 0.5 - 0.25 / 4], atol=1e-6)
    np.testing.assert_allclose(moments.std, np.sqrt([3 / 16, 3 / 16]), atol=1e-6)


def test_variances_are_shrunk_as_worked_out_by_hand() -> None:
    # The second class never varies: variances 1/4 and 0, mean 1/8; n = 1 and prior 1: half of the trust.
    documents = np.array([[1, 0], [0, 0]], np.float32)
    moments = estimate_moments(documents, np.eye(2, dtype=np.float32), prior=1)
    np.testing.assert_allclose(moments.std**2, [3 / 16, 1 / 16], atol=1e-6)


def test_infinite_prior_keeps_the_order_of_plain_cosine(documents: np.ndarray, views: dict[str, np.ndarray]) -> None:
    moments = estimate_moments(documents, views["text"], prior=np.inf)
    scores = documents @ views["text"].T
    assert len(set(moments.mean.tolist())) == len(set(moments.std.tolist())) == 1
    np.testing.assert_array_equal(np.argsort(moments.standardise(scores)), np.argsort(scores))


def test_classes_that_never_vary_score_zero() -> None:
    documents = np.array([[1, 0], [1, 0]], np.float32)
    moments = estimate_moments(documents, np.eye(2, dtype=np.float32), prior=0)
    np.testing.assert_array_equal(moments.standardise(documents), np.zeros((2, 2)))


def test_spread_is_that_of_a_class_over_the_documents(documents: np.ndarray, views: dict[str, np.ndarray]) -> None:
    scores = documents.astype(np.float64) @ views["text"].T
    assert measure_spread(documents, views["text"]) == pytest.approx(np.sqrt(scores.var(axis=0).mean()), rel=1e-4)
