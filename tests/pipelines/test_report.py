"""The stage `report`."""

import json
from dataclasses import fields

import numpy as np
import pytest

from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.errors import InputError
from hmltc_kedro.pipelines.report import create_pipeline, nodes
from hmltc_kedro.pipelines.report.params import ReportParams
from hmltc_kedro.report import RunEntries
from report_run import make_predictions, make_run

STUDIES = create_pipeline().only_nodes("draw_taxonomy_map", "measure_gcn_study", "draw_gcn_map", "measure_style_study")
DIAGNOSTICS = create_pipeline().only_nodes("diagnose_documents", "diagnose_classes", "diagnose_run")
LATER = ("training_history", "calibration", "metrics", "case_studies")


@pytest.fixture
def entries(run_until, diamond):
    """Return what `report` reads: made by the stages before `train`, what comes later by hand."""
    made = run_until("train") | {name: getattr(make_run(diamond), name) for name in LATER}
    made["predictions"] = predictions = make_predictions(3)
    probabilities = diamond.to_matrix(predictions["class_ids"]).toarray().astype(np.float16) * np.float16(0.5)
    made["class_probabilities"] = TensorTable(
        list(predictions["doc_id"]), {"probabilities": probabilities}, columns=diamond.class_ids
    )
    return {k: v for k, v in made.items() if k in create_pipeline().inputs()}


def test_pipeline_gives_the_studies(run, entries, diamond) -> None:
    outputs = run(STUDIES, **{name: entries[name] for name in STUDIES.inputs() & set(entries)})
    assert set(outputs) == {"taxonomy_map", "gcn_study", "gcn_map", "style_study"}
    assert len(outputs["taxonomy_map"].data[0].ids) == 8, "seven classes, one of them below two parents"
    study = outputs["gcn_study"]
    assert study["n_classes"].tolist() == [2, 3, 2, 2, 2]
    siblings = study[study["part"] == "animals"]
    assert (siblings["mean_cosine_after"] > siblings["mean_cosine_before"]).all(), "they move towards each other"
    assert "animals, 5 classes" in outputs["gcn_map"].layout.title.text
    assert outputs["style_study"]["texts"].tolist() == ["real", "raw", "calibrated"]
    assert outputs["style_study"]["n_texts"][0] == 9


def test_map_is_of_the_class_that_is_asked_for(entries, diamond) -> None:
    inputs = (entries["class_embeddings"], diamond)
    assert "garden, 2 classes" in nodes.draw_gcn_map(*inputs, "garden", 42).layout.title.text
    assert "animals, 5 classes" in nodes.draw_gcn_map(*inputs, "plants", 42).layout.title.text


def test_class_id_may_be_written_as_a_number() -> None:
    assert ReportParams(gcn_map_root=208).gcn_map_root == "208"


def test_the_stage_reads_no_gold_labels() -> None:
    assert "gold_labels" not in create_pipeline().inputs()


def test_pipeline_gives_the_page(run, entries) -> None:
    record = {"train_classifier": {"stage": "train", "seconds": 1234.5, "finished": "2026-01-02T10:00:00+00:00"}}
    page = run(create_pipeline(), **entries, run_record=record)["report"]
    assert "<title>sample/test: report</title>" in page
    for words in (
        "9 documents read",
        "7 classes on 3 levels",
        "3 test documents labelled",
        "4 documents scored",
        "1,234",
    ):
        assert words in page
    assert "puppy, strong dog leash" in page, "a silver label"
    assert "toy mouse with catnip for cats" in page, "a prediction"
    assert "How far to trust this" in page
    assert "agree with the judge&#39;s by 0.736 (mean sample-F1, 95 % interval 0.640 to 0.819)" in page
    assert "the others came after the silver labels" not in page, "every test document has a silver label"


def test_diagnostics_compare_each_test_document_with_its_own_silver_label(run, entries, diamond) -> None:
    silver = entries["silver_labels"]
    assert set(silver["split"] + "/" + silver["doc_id"]) > {"train/0", "test/0"}, "both splits count from 0"
    sets = {"train": [["ga"]] * 6, "test": [["an", "do"], ["ga", "to"], ["ga"]]}
    entries["silver_labels"] = silver.assign(class_ids=[sets[split].pop(0) for split in silver["split"]])
    # Predicted are an/do, an/ca, ga/to: as the label, nothing of it, and 2 * 1 / (1 + 2) of the label.
    inputs = {name: value for name, value in entries.items() if name in DIAGNOSTICS.inputs()}
    assert set(inputs) == DIAGNOSTICS.inputs()
    outputs = run(DIAGNOSTICS, **inputs)
    rows = run(DIAGNOSTICS.only_nodes("diagnose_documents"), **inputs)["document_diagnostics"].set_index("doc_id")
    assert set(rows.index) == set(entries["predictions"]["doc_id"])
    assert (rows["expected_f1"] == 0.5).all()
    assert rows["view_agreement"].between(0, 1).all()
    assert rows.loc[["0", "1", "2"], "teacher_agreement"].tolist() == pytest.approx([1, 0, 2 / 3])
    assert (outputs["run_diagnostics"]["n_docs"], outputs["run_diagnostics"]["n_compared"]) == (3, 3)
    classes = outputs["class_diagnostics"].set_index("class_id")
    assert classes.index.tolist() == list(diamond.class_ids)
    assert classes["n_silver"].tolist() == [1, 2, 1, 0, 0, 0, 1]
    assert outputs["run_diagnostics"]["judge_agreement"] == 0.736
    assert classes["n_predicted"].tolist() == [2, 1, 1, 1, 0, 0, 1]
    json.dumps(outputs["run_diagnostics"])


@pytest.mark.parametrize("what", ["rows", "columns"])
def test_diagnostics_refuse_probabilities_that_are_of_something_else(run, entries, diamond, what) -> None:
    table = entries["class_probabilities"]
    rows = ["0", "2", "1"] if what == "rows" else table.ids
    columns = ["ga", "an", *diamond.class_ids[2:]] if what == "columns" else table.columns
    entries["class_probabilities"] = TensorTable(rows, table.arrays, columns=columns)
    shown = {"rows": "'2' is where '1' should be", "columns": "'ga' is where 'an' should be"}[what]
    single = DIAGNOSTICS.only_nodes("diagnose_documents")
    with pytest.raises(
        InputError, match=rf"^entry `class_probabilities`: its \d {what} .* \({shown}\); run `kedro ref"
    ):
        run(single, **{name: value for name, value in entries.items() if name in single.inputs()})


def test_page_is_written_without_hooks_and_gold_labels(run, entries, diamond) -> None:
    without = make_run(diamond, gold=False)
    entries |= {"metrics": without.metrics, "case_studies": without.case_studies}
    page = run(create_pipeline(), **entries)["report"]
    assert "seconds and money were not recorded" in page
    assert "There are no gold labels" in page


def test_page_reads_the_entries_that_it_names_and_the_settings_that_it_shows() -> None:
    (node,) = create_pipeline().only_nodes("write_report").nodes
    entries = {field.name for field in fields(RunEntries)} - {"parameters"}
    settings = {"seed", "ingest", "enrich", "pseudo_label", "annotate", "augment", "train", "infer", "report"}
    # Not those of the ablation's variants, nor of `label`: the page would be stale with what is none of this run.
    assert set(node.inputs) == entries | {f"params:{name}" for name in settings} | {"params:report.title"}


def test_raw_and_calibrated_texts_are_told_apart(entries) -> None:
    synthetic = entries["synthetic_documents"].iloc[:0]
    assert nodes.measure_style_study(entries["documents"], synthetic, 42)["n_texts"].tolist() == [9, 0, 0]
    texts = [f"It 's {word} ." for word in ("good", "bad", "old", "new", "big")]
    raw = [f"It's {word}." for word in ("good", "bad", "old", "new", "big")]
    filled = entries["documents"].iloc[:5].assign(text=texts, raw_text=raw)
    study = nodes.measure_style_study(entries["documents"], filled, 42).set_index("texts")
    assert study["split_contractions"].tolist()[1:] == [0.0, 1.0]
    assert np.isfinite(study.loc[["raw", "calibrated"], "detector_auc"]).all()
