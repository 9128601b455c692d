"""The stage `evaluate`."""

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.errors import InputError
from hmltc_kedro.pipelines.evaluate import create_pipeline, nodes
from hmltc_kedro.raw import RawTable, make_rows
from hmltc_kedro.tensors import TensorTable

IDS = ["0", "1", "2"]
NO_GOLD = RawTable("gold.txt", make_rows([], [], [], []), exists=False)


@pytest.fixture
def entries(diamond, raw_tables):
    """Return what `evaluate` reads: the second of three documents is labelled wrongly."""
    sets = [["an", "do", "be"], ["an", "ca"], ["an", "ca", "ct"]]
    return {
        "gold_labels": raw_tables["gold_labels"],
        "predictions": pd.DataFrame({"doc_id": IDS, "class_ids": sets}),
        "class_probabilities": TensorTable(
            IDS, {"probabilities": diamond.to_matrix(sets).toarray().astype(np.float16)}, columns=diamond.class_ids
        ),
        "zero_shot_predictions": pd.DataFrame({"doc_id": IDS, "class_ids": [["an", "do", "be"], ["ga"], ["an"]]}),
        "taxonomy": diamond,
        "seed": 42,
    }


def test_metrics_are_those_worked_out_by_hand(entries) -> None:
    metrics = nodes.evaluate_predictions(**entries)
    assert metrics["n_docs"] == 3
    assert metrics["sample_f1"] == pytest.approx(2 / 3)
    assert metrics["exact_match"] == pytest.approx(2 / 3)
    assert metrics["path_consistency"] == 1
    assert metrics["zero_shot"]["sample_f1"] == pytest.approx((1 + 2 / 3 + 1 / 2) / 3)


def test_order_of_gold_lines_does_not_matter(entries) -> None:
    gold = entries["gold_labels"]
    turned = RawTable(gold.path, gold.rows.iloc[::-1].reset_index(drop=True))
    expected = nodes.evaluate_predictions(**entries)
    assert nodes.evaluate_predictions(**{**entries, "gold_labels": turned})["sample_f1"] == expected["sample_f1"]


def test_without_gold_there_is_nothing_to_score(entries) -> None:
    metrics = nodes.evaluate_predictions(**{**entries, "gold_labels": NO_GOLD})
    assert metrics["n_docs"] == 0
    assert metrics["sample_f1"] is metrics["zero_shot"] is None
    assert set(metrics) == set(nodes.evaluate_predictions(**entries))


def test_gold_of_a_part_of_the_documents_scores_that_part(entries) -> None:
    gold = entries["gold_labels"]
    part = RawTable(gold.path, gold.rows.iloc[[0, 2]].reset_index(drop=True))
    metrics = nodes.evaluate_predictions(**{**entries, "gold_labels": part})
    assert (metrics["n_docs"], metrics["sample_f1"]) == (2, 1.0)


def test_gold_of_documents_without_prediction_is_named(entries, caplog) -> None:
    fewer = {**entries, "predictions": entries["predictions"].iloc[:2]}
    assert nodes.evaluate_predictions(**fewer)["n_docs"] == 2
    assert "1 gold documents have no prediction" in caplog.text
    with pytest.raises(InputError, match="none of these documents has a prediction"):
        nodes.evaluate_predictions(**{**entries, "predictions": entries["predictions"].assign(doc_id=["x", "y", "z"])})


def test_pipeline_scores_zero_shot_beside_the_predictions(run, run_until, entries, diamond) -> None:
    made = run_until("train")
    documents = made["documents"][made["documents"]["split"] == "test"]
    inputs = {k: v for k, v in entries.items() if k not in ("zero_shot_predictions", "seed")}
    metrics = run(
        create_pipeline(),
        **inputs,
        test_documents=documents,
        class_embeddings=made["class_embeddings"],
        encoder=made["encoder"],
    )["metrics"]
    assert metrics["zero_shot"]["n_docs"] == 3
    assert 0 < metrics["zero_shot"]["sample_f1"] <= 1
