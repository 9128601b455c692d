"""The stage `evaluate`."""

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.corpus.raw_files import RawTable, make_rows
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.errors import InputError
from hmltc_kedro.evaluation import error_analysis
from hmltc_kedro.pipelines.evaluate import create_pipeline, nodes

IDS = ["0", "1", "2"]
NO_GOLD = RawTable("gold.txt", make_rows([], [], [], []), exists=False)


@pytest.fixture
def entries(diamond, raw_tables):
    """Return what `evaluate` reads: the second of three documents is labelled wrongly."""
    sets = [["an", "do", "be"], ["an", "ca"], ["an", "ca", "ct"]]
    return {
        "gold_labels": raw_tables["gold_labels"],
        "predictions": pd.DataFrame(
            {"doc_id": IDS, "class_ids": sets, "paths": [[s] for s in sets], "source": "model"}
        ),
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


def test_what_a_person_labelled_is_not_measured_and_what_a_model_judged_is_shown_apart(entries) -> None:
    sources = ["person", "model", "gpt"]
    metrics = nodes.evaluate_predictions(**{**entries, "predictions": entries["predictions"].assign(source=sources)})
    # The second document is wrong, the third right; the first was given.
    assert (metrics["n_docs"], metrics["sample_f1"]) == (2, 0.5)
    assert {name: part["sample_f1"] for name, part in metrics["by_source"].items()} == {"gpt": 1.0, "model": 0.0}
    assert metrics["zero_shot"]["sample_f1"] == pytest.approx((2 / 3 + 1 / 2) / 2)


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


def name_documents(entries, ids: list[str]):
    """Return the entries with the predictions of the first documents, under these ids."""
    table = entries["class_probabilities"]
    arrays = {"probabilities": table["probabilities"][: len(ids)]}
    return {
        **entries,
        "predictions": entries["predictions"].iloc[: len(ids)].assign(doc_id=ids),
        "class_probabilities": TensorTable(ids, arrays, columns=table.columns),
    }


def test_gold_of_documents_without_prediction_scores_0_as_in_files(entries, caplog) -> None:
    metrics = nodes.evaluate_predictions(**name_documents(entries, ["0", "1"]))
    # The first is right, the second wrong; the third has no prediction.
    assert (metrics["n_docs"], metrics["missing"], metrics["sample_f1"]) == (3, 1, pytest.approx(1 / 3))
    assert metrics["precision_at_1"] == pytest.approx(1 / 3)
    assert metrics["zero_shot"]["sample_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert (metrics["zero_shot"]["n_docs"], metrics["by_source"]["model"]["n_docs"]) == (3, 2)
    assert "1 gold documents have no prediction; they score 0" in caplog.text
    with pytest.raises(InputError, match="none of these documents has a prediction"):
        nodes.evaluate_predictions(**name_documents(entries, ["x", "y", "z"]))


@pytest.fixture
def case_entries(entries):
    """Return what `trace_cases` reads; the documents lie in another order than their predictions."""
    kept = {k: v for k, v in entries.items() if k not in ("zero_shot_predictions", "seed")}
    texts = {"train": ["train toy", "train spade", "train bed"], "test": ["toy", "spade", "bed"]}
    parts = [pd.DataFrame({"split": split, "doc_id": IDS[::-1], "text": texts[split]}) for split in texts]
    return {**kept, "documents": pd.concat(parts, ignore_index=True)}


def test_cases_hold_documents_gold_and_predictions_together(case_entries, caplog) -> None:
    caplog.set_level("INFO", "hmltc_kedro")
    table = nodes.trace_cases(**case_entries)
    assert table[["doc_id", "text", "kind"]].to_numpy().tolist() == [
        ["1", "spade", "wrong branch"],
        ["0", "bed", "right"],
        ["2", "toy", "right"],
    ]
    assert table["gold_paths"][0] == ["garden > tools"]
    assert table["gold_steps"][0] == [0.0, 0.0]
    assert "by first wrong level: 1: 100.0%" in caplog.text


def test_cases_are_those_of_the_documents_with_gold(case_entries) -> None:
    gold = case_entries["gold_labels"]
    part = RawTable(gold.path, gold.rows.iloc[[2, 1]].reset_index(drop=True))
    assert nodes.trace_cases(**{**case_entries, "gold_labels": part})["doc_id"].tolist() == ["1", "2"]
    without = nodes.trace_cases(**{**case_entries, "gold_labels": NO_GOLD})
    assert dict(without.dtypes.astype(str)) == error_analysis.COLUMNS
    assert len(without) == 0


def test_pipeline_scores_zero_shot_beside_the_predictions(run, run_until, entries, diamond) -> None:
    made = run_until("train")
    inputs = {k: v for k, v in entries.items() if k not in ("zero_shot_predictions", "seed")}
    names = ("documents", "document_embeddings", "class_embeddings")
    outputs = run(create_pipeline(), **inputs, **{name: made[name] for name in names})
    assert len(outputs["case_studies"]) == 3
    metrics = outputs["metrics"]
    assert metrics["zero_shot"]["n_docs"] == 3
    assert 0 < metrics["zero_shot"]["sample_f1"] <= 1


@pytest.fixture
def zero_shot(diamond):
    """Return what `predict_zero_shot` reads: documents 0 and 1 of both splits, each on a class's own axis."""
    documents = pd.DataFrame(
        {"split": ["test", "train", "test", "train"], "doc_id": ["0", "0", "1", "1"], "text": list("abcd")}
    )
    axes = np.eye(7, dtype=np.float32)
    return {
        "documents": documents,
        "document_embeddings": TensorTable(["test/0", "train/0", "test/1", "train/1"], {"vectors": axes[[5, 0, 6, 1]]}),
        "class_embeddings": TensorTable(diamond.class_ids, {"text": axes, "path": axes[::-1].copy()}),
        "taxonomy": diamond,
    }


def test_zero_shot_is_the_nearest_class_and_its_ancestors(zero_shot) -> None:
    found = nodes.predict_zero_shot(**zero_shot)
    assert list(found["doc_id"]) == ["0", "1"]
    assert list(map(list, found["class_ids"])) == [["an", "ca", "ct"], ["ga", "to"]]


def turn_rows(table: TensorTable, rows: list[int]) -> TensorTable:
    """Return the same table with its rows in another order: nothing wrong with it but for its reader."""
    return TensorTable(
        [table.ids[row] for row in rows], {k: v[rows] for k, v in table.arrays.items()}, columns=table.columns
    )


@pytest.mark.parametrize(
    ("entry", "rows", "shown"),
    [
        ("document_embeddings", [2, 1, 0, 3], "'test/1' is where 'test/0' should be"),
        ("document_embeddings", [0, 1, 2], "4 are needed"),
        ("class_embeddings", [1, 0, 2, 3, 4, 5, 6], "'ga' is where 'an' should be"),
    ],
)
def test_zero_shot_refuses_rows_that_are_of_something_else(zero_shot, entry, rows, shown) -> None:
    turned = turn_rows(zero_shot[entry], rows)
    with pytest.raises(InputError, match=rf"^entry `{entry}`: its {len(rows)} rows are .*\({shown}\); run `kedro refr"):
        nodes.predict_zero_shot(**{**zero_shot, entry: turned})


def test_metrics_refuse_probabilities_that_are_of_something_else(entries, diamond) -> None:
    table = entries["class_probabilities"]
    other = {**entries, "class_probabilities": turn_rows(table, [0, 2, 1])}
    with pytest.raises(
        InputError, match=r"^entry `class_probabilities`: its 3 rows .*\('2' is where '1' should be\); r"
    ):
        nodes.evaluate_predictions(**other)
    columns = ["ga", "an", *diamond.class_ids[2:]]
    other = {**entries, "class_probabilities": TensorTable(IDS, table.arrays, columns=columns)}
    with pytest.raises(InputError, match=r"^entry `class_probabilities`: its 7 columns .*\('ga' is where 'an' should"):
        nodes.evaluate_predictions(**other)
