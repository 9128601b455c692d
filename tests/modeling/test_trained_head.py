"""The head as arrays: its formula, its bound, what its tensors say."""

import numpy as np
import pytest

from hmltc_kedro.modeling.trained_head import MAX_SCALE, TrainedHead

VECTORS = np.array([[1, 0], [0, 2]], dtype=np.float32)


def test_logits_by_hand() -> None:
    head = TrainedHead(VECTORS, log_scale=float(np.log(2)), bias=-1.0, log_lexical=float(np.log(3)))
    logits = head.score(np.array([[3, 4]], dtype=np.float32), np.array([[0, 0.7]], dtype=np.float32))
    np.testing.assert_allclose(logits, [[0.6 * 2 - 1, 0.8 * 2 - 1 + 3 * 0.7]], rtol=1e-6)
    assert logits.dtype == np.float32


def test_scale_is_bounded_and_a_vector_without_direction_is_far_from_all() -> None:
    head = TrainedHead(VECTORS, log_scale=10.0)
    documents = np.array([[5, 0], [0, 0]], dtype=np.float32)
    np.testing.assert_allclose(head.score(documents), [[MAX_SCALE, 0], [0, 0]])


@pytest.mark.parametrize(("weight", "scores"), [(None, np.ones((1, 2), np.float32)), (0.0, None)])
def test_scores_and_their_term_go_together(weight: float | None, scores: np.ndarray | None) -> None:
    with pytest.raises(ValueError, match="lexical scores go with a head that has the lexical term"):
        TrainedHead(VECTORS, 0.0, log_lexical=weight).score(VECTORS[:1], scores)


@pytest.mark.parametrize("weight", [None, 0.25])
def test_tensors_and_back(weight: float | None) -> None:
    head = TrainedHead(VECTORS, 2.5, -0.125, weight)
    tensors = head.to_tensors()
    assert set(tensors) == {"class_vectors", "log_scale", "bias"} | ({"log_lexical"} if weight else set())
    assert all(value.dtype == np.float32 for value in tensors.values())
    again = TrainedHead.from_tensors(tensors)
    assert (again.log_scale, again.bias, again.log_lexical) == (2.5, -0.125, weight)
    np.testing.assert_array_equal(again.class_vectors, VECTORS)


@pytest.mark.parametrize(
    "tensors",
    [
        {"class_vectors": VECTORS, "log_scale": np.float32(1)},
        {"class_vectors": VECTORS[0], "log_scale": np.float32(1), "bias": np.float32(1)},
        {"class_vectors": VECTORS, "log_scale": np.ones(3, np.float32), "bias": np.float32(1)},
        {"class_vectors": VECTORS, "log_scale": np.float32(1), "bias": np.float32(1), "gain": np.float32(1)},
    ],
)
def test_other_tensors_are_refused(tensors: dict[str, np.ndarray]) -> None:
    with pytest.raises((ValueError, TypeError)):
        TrainedHead.from_tensors(tensors)
