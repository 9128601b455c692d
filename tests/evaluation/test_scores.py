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
    *("missing", "loose_gold_sets"),
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
    assert (result["missing"], result["loose_gold_sets"]) == (0, 0)
    assert result["path_consistency"] == 0.75
    assert list(result["per_level"]) == ["1", "2", "3"]
    low, high = result["sample_f1_interval"]
    assert low <= result["sample_f1"] <= high


def test_documents_that_were_not_labelled_score_0_in_every_mean(diamond: Taxonomy) -> None:
    gold = diamond.to_matrix([["an"], ["an", "do"], ["ga", "to"]])
    pred = diamond.to_matrix([[], ["an", "do"], ["ga", "to"]])
    # Without a ranking the first class, `animals`, would come first by the tie rule, and be right.
    probabilities = np.array([[0.9, 0, 0.8, 0.7, 0, 0, 0], [0, 0.9, 0, 0, 0, 0.6, 0.8]], dtype=np.float16)
    result = scores.evaluate(gold, pred, probabilities, diamond, seed=1, labelled=np.array([False, True, True]))
    assert (result["n_docs"], result["missing"]) == (3, 1)
    for name in ("sample_f1", "exact_match", "precision_at_1", "mrr"):
        assert result[name] == pytest.approx(2 / 3)
    assert result["precision_at_3"] == pytest.approx((0 + 2 / 3 + 2 / 3) / 3)
    none = scores.evaluate(gold, diamond.to_matrix([[], [], []]), probabilities[:0], diamond, 1, np.zeros(3, bool))
    assert (none["sample_f1"], none["precision_at_1"], none["mrr"], none["missing"]) == (0, 0, 0, 3)


def test_gold_sets_without_parents_are_counted(diamond: Taxonomy) -> None:
    gold = diamond.to_matrix([["do"], ["an", "be"], ["an", "do", "be"], ["an"], []])
    result = scores.evaluate(gold, gold, np.zeros((5, 7)), diamond, seed=1)
    assert result["loose_gold_sets"] == 2


def test_evaluate_without_gold(pred: sparse.csr_array, diamond: Taxonomy) -> None:
    result = scores.evaluate(diamond.to_matrix([]), pred, np.zeros((4, 7)), diamond, seed=1)
    assert set(result) == KEYS
    assert result.pop("n_docs") == 0
    assert result.pop("per_level") == {}
    assert set(result.values()) == {None}


def test_evaluate_needs_a_probability_a_label(gold: sparse.csr_array, diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="probabilities of shape"):
        scores.evaluate(gold, gold, np.zeros((4, 6)), diamond, seed=1)
