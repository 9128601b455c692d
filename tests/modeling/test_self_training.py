"""Self-training targets: by hand, in logits, at the edges, and block by block."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.modeling import self_training
from hmltc_kedro.modeling.self_training import SelfLabelledDataset, mean_probabilities, sharpen_targets

P = np.array([[0.8, 0.5, 0.0], [0.4, 0.5, 0.0], [0.3, 0.5, 0.0], [0.1, 0.5, 1.0]], dtype=np.float16)


def test_targets_by_hand() -> None:
    # Class 0: f = 1.6, g = 2.4; 0.8 -> (0.64 / 1.6) / (0.64 / 1.6 + 0.04 / 2.4) = 0.4 / (0.4 + 1 / 60) = 0.96
    targets = sharpen_targets(P, mean_probabilities(P))
    assert targets.dtype == np.float32
    assert targets[:, 0].tolist() == pytest.approx([0.96, 0.4, 0.2160, 0.01818], abs=1e-3)
    assert targets[:, 1].tolist() == [0.5] * 4
    assert targets[:, 2].tolist() == [0, 0, 0, 1]


def test_targets_follow_the_papers_equation() -> None:
    p = np.random.default_rng(0).random((50, 6))
    f, g = p.sum(axis=0), (1 - p).sum(axis=0)
    expected = (p**2 / f) / (p**2 / f + (1 - p) ** 2 / g)
    targets = sharpen_targets(p.astype(np.float32), (f / 50).astype(np.float32))
    np.testing.assert_allclose(targets, expected, rtol=1e-4)


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_logit_is_doubled_and_the_classs_mean_taken_off(p: float, mean: float) -> None:
    q = float(sharpen_targets(np.array([[p]], dtype=np.float32), np.array([mean], dtype=np.float32))[0, 0])
    expected = 1 / (1 + (1 / p - 1) ** 2 / (1 / mean - 1))
    assert q == pytest.approx(expected, rel=1e-3)
    if abs(p - mean) > 1e-3:
        assert (q > p) == (p > mean)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_class_of_one_certainty_stays_as_it_is(value: float) -> None:
    p = np.full((3, 2), value, dtype=np.float16)
    with np.errstate(all="raise"):
        assert (sharpen_targets(p, mean_probabilities(p)) == value).all()


def test_mean_is_that_of_the_whole_corpus_in_any_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    p = np.random.default_rng(0).random((10, 3)).astype(np.float16)
    monkeypatch.setattr(self_training, "BLOCK", 4)
    mean = mean_probabilities(p)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, p.astype(np.float64).mean(axis=0), rtol=1e-6)


def test_mean_of_many_small_probabilities_does_not_saturate() -> None:
    p = np.full((40_000, 1), 0.01, dtype=np.float16)  # summed in half precision it would stop at 32
    assert mean_probabilities(p)[0] == pytest.approx(0.01, rel=1e-3)


def test_batches_hold_sharpened_targets_of_their_rows_and_everything_counts() -> None:
    dataset = SelfLabelledDataset(4)
    dataset.update(P)
    batch = dataset.batch(np.array([3, 0]), torch.device("cpu"))
    expected = sharpen_targets(P, mean_probabilities(P))[[3, 0]]
    np.testing.assert_array_equal(batch.targets.numpy(), expected)
    assert batch.mask.min() == 1 and batch.mask.shape == (2, 3)
    assert batch.weights.tolist() == [1, 1]
    assert len(dataset) == 4


def test_update_tells_the_share_of_documents_with_another_best_class() -> None:
    dataset = SelfLabelledDataset(4)
    assert dataset.update(P) == 1  # there was none before
    assert dataset.update(P) == 0
    changed = P.copy()
    changed[0] = [0.1, 0.2, 0.9]
    changed[1] = [0.0, 0.9, 0.0]  # the same class, surer
    assert dataset.update(changed) == 0.25
