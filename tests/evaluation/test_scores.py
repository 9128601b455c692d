"""All scores of a run, by hand."""

import json

import numpy as np
import pytest
from scipy import sparse

from hmltc_kedro.evaluation import scores
from hmltc_kedro.taxonomy import Taxonomy

KEYS = {
    *("sample_f1", "sample_f1_interval", "exact_match", "macro_f1", "micro_f1", "precision_at_1"),
    *("precision_at_3", "mrr", "per_level", "path_consistency", "mean_labels", "n_docs"),
}


def test_evaluate_by_hand(gold: sparse.csr_array, pred: sparse.csr_array, diamond: Taxonomy) -> None:
    probabilities = np.array(
        [
            [0.9, 0.1, 0.4, 0.6, 0.8, 0.1, 0.1],
            [0.1, 0.7, 0.1, 0.1, 0.1, 0.1, 0.9],
            [0.2, 0.3, 0.1, 0.1, 0.1, 0.1, 0.9],
            [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
        ],
        dtype=np.float16,
    )
    result = scores.evaluate(gold, pred, probabilities, diamond, seed=1)
    assert set(result) == KEYS
    assert json.loads(json.dumps(result)) == result
    assert result["n_docs"] == 4
    assert result["sample_f1"] == pytest.approx((4 / 6 + 1 + 0 + 1) / 4)
    assert result["exact_match"] == 0.5
    assert result["precision_at_1"] == 0.5
    assert result["precision_at_3"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 0) / 4)
    assert result["mrr"] == pytest.approx((1 + 1 + 1 / 3 + 0) / 4)
    assert result["mean_labels"] == 1.5
    assert result["path_consistency"] == 0.75
    assert list(result["per_level"]) == ["1", "2", "3"]
    low, high = result["sample_f1_interval"]
    assert low <= result["sample_f1"] <= high


def test_evaluate_without_gold(pred: sparse.csr_array, diamond: Taxonomy) -> None:
    result = scores.evaluate(diamond.to_matrix([]), pred, np.zeros((4, 7)), diamond, seed=1)
    assert set(result) == KEYS
    assert result.pop("n_docs") == 0
    assert result.pop("per_level") == {}
    assert set(result.values()) == {None}


def test_evaluate_needs_a_probability_a_label(gold: sparse.csr_array, diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="probabilities of shape"):
        scores.evaluate(gold, gold, np.zeros((4, 6)), diamond, seed=1)
