"""The table of variants, by hand."""

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.corpus.gold_labels import GoldSets
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.evaluation import intervals
from hmltc_kedro.studies import ablation


@pytest.fixture
def scored(diamond):
    """Two seeds over three test documents, of which the first and the last have gold labels."""
    gold = diamond.to_matrix([["an", "do"], ["ga", "to"]])
    predictions = pd.DataFrame(
        {
            "seed": [1, 1, 1, 2, 2, 2],
            "class_ids": [["an", "do"], ["an"], ["an", "ca"], ["an"], ["an"], ["ga", "to"]],
        }
    )
    first = np.zeros((3, 7), dtype=np.float16)
    first[0, 2], first[2, 3], first[2, 6] = 0.9, 0.9, 0.8
    second = np.zeros((3, 7), dtype=np.float16)
    second[0, 0], second[2, 6] = 0.9, 0.9
    table = TensorTable(["a", "b", "c"], {"seed_1": first, "seed_2": second})
    sets = GoldSets(["a", "c"], gold, np.array([True, True]), np.array([0, 2]))
    return ablation.score_seeds(sets, predictions, table, diamond)


def test_scores_of_a_variant(scored) -> None:
    scores, documents = scored
    assert list(scores["seed"]) == [1, 2]
    assert list(scores["n_docs"]) == [2, 2]
    # Seed 1: the first document is right, the last has nothing in common: (1 + 0) / 2.
    # Seed 2: {an} against {an, do} is 2 * 1 / 3, the last is right.
    assert scores["sample_f1"].to_list() == pytest.approx([0.5, (2 / 3 + 1) / 2])
    assert scores["exact_match"].to_list() == [0.5, 0.5]
    assert scores["precision_at_1"].to_list() == [0.5, 1.0]
    assert scores["mrr"].to_list() == [0.75, 1.0]
    assert scores["path_consistency"].to_list() == [1.0, 1.0]
    # The seeds give {an, do} and {an}, {an} twice, {an, ca} and {ga, to}: (2/3 + 1 + 0) / 3, gold labels or not.
    assert scores["stability"].to_list() == pytest.approx([5 / 9, 5 / 9])
    assert list(documents["doc_id"]) == ["a", "c"]
    assert documents["sample_f1"].to_list() == pytest.approx([(1 + 2 / 3) / 2, 0.5])


def test_documents_without_a_prediction_score_0(diamond) -> None:
    gold = GoldSets(["x", "a"], diamond.to_matrix([["an"], ["an", "do"]]), np.array([False, True]), np.array([0]))
    predictions = pd.DataFrame({"seed": [1], "class_ids": [["an", "do"]]})
    probabilities = np.array([[0.9, 0, 0.8, 0, 0, 0, 0]], dtype=np.float16)
    scores, documents = ablation.score_seeds(gold, predictions, TensorTable(["a"], {"seed_1": probabilities}), diamond)
    row = scores.iloc[0]
    assert (row["n_docs"], row["sample_f1"], row["precision_at_1"], row["mrr"]) == (2, 0.5, 0.5, 0.5)
    assert documents.to_dict("list") == {"doc_id": ["x", "a"], "sample_f1": [0.0, 1.0]}


def test_table_has_means_intervals_and_differences_to_final(scored) -> None:
    scores, documents = scored
    scores = scores.assign(seconds=[2.0, 4.0])
    better = documents.assign(sample_f1=documents["sample_f1"] + 0.125)
    table = ablation.tabulate(
        {"worse": (scores, documents), "final": (scores.assign(sample_f1=0.9), better)},
        {"worse": "a worse one", "final": "final"},
        {"worse": "somewhere", "final": "here"},
        seed=3,
    )
    worse, final = table.iloc[0], table.iloc[1]
    assert (worse["title"], worse["source"], list(worse["seeds"]), worse["n_docs"]) == (
        "a worse one",
        "somewhere",
        [1, 2],
        2,
    )
    assert worse["sample_f1"] == pytest.approx((0.5 + 5 / 6) / 2)
    assert worse["sample_f1_std"] == pytest.approx(np.std([0.5, 5 / 6], ddof=1))
    low, high = intervals.bootstrap_interval(documents["sample_f1"].to_numpy(), seed=3)
    assert (worse["sample_f1_low"], worse["sample_f1_high"]) == (low, high)
    assert worse["difference"] == pytest.approx(-0.125)
    assert worse["difference_low"] == worse["difference_high"] == pytest.approx(-0.125), "the same for each document"
    assert worse["seconds"] == 3.0
    assert worse["stability"] == pytest.approx(5 / 9)
    assert final[["difference", "difference_low", "difference_high"]].isna().all()


def test_without_gold_labels_there_is_a_table_without_scores(diamond) -> None:
    predictions = pd.DataFrame({"seed": [1], "class_ids": [["an"]]})
    table = TensorTable(["a"], {"seed_1": np.zeros((1, 7), dtype=np.float16)})
    none = GoldSets([], diamond.to_matrix([]), np.array([], dtype=bool), np.array([], dtype=np.int64))
    scores, documents = ablation.score_seeds(none, predictions, table, diamond)
    assert scores["n_docs"].to_list() == [0]
    assert scores["sample_f1"].isna().all()
    assert documents.empty
    final = ablation.tabulate(
        {"final": (scores.assign(seconds=1.0), documents)}, {"final": "f"}, {"final": "s"}, seed=1
    )
    assert final["n_docs"].to_list() == [0]
    assert final["sample_f1"].isna().all()
    assert final["stability"].isna().all(), "a single seed"
