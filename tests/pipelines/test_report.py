"""The stage `report`."""

import json
from dataclasses import fields

import numpy as np
import pytest

from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.pipelines.report import create_pipeline, nodes
from hmltc_kedro.pipelines.report.params import ReportParams
from hmltc_kedro.report import RunEntries
from report_run import make_run

STUDIES = create_pipeline().only_nodes("draw_taxonomy_map", "measure_gcn_study", "draw_gcn_map", "measure_style_study")
DIAGNOSTICS = create_pipeline().only_nodes("diagnose_documents", "diagnose_classes", "diagnose_run")
LATER = ("training_history", "test_documents", "predictions", "metrics", "case_studies")


@pytest.fixture
def entries(run_until, diamond):
    """Return what `report` reads: made by the stages before `train`, what comes later by hand."""
    made = run_until("train") | {name: getattr(make_run(diamond), name) for name in LATER}
    predictions = made["predictions"]
    probabilities = diamond.to_matrix(predictions["class_ids"]).toarray().astype(np.float16) * np.float16(0.5)
    made["class_probabilities"] = TensorTable(list(predictions["doc_id"]), {"probabilities": probabilities})
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


def test_map_is_of_the_class_that_is_asked_for(entries, diamond, parameters) -> None:
    inputs = (entries["class_embeddings"], diamond)
    garden = parameters["report"].model_copy(update={"gcn_map_root": "garden"})
    assert "garden, 2 classes" in nodes.draw_gcn_map(*inputs, garden, 42).layout.title.text
    unknown = parameters["report"].model_copy(update={"gcn_map_root": "plants"})
    assert "animals, 5 classes" in nodes.draw_gcn_map(*inputs, unknown, 42).layout.title.text


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
        "8 test documents labelled",
        "4 documents scored",
        "1,234",
    ):
        assert words in page
    assert "puppy, strong dog leash" in page, "a silver label"
    assert "spade number 6" in page, "a prediction"
    assert "How far to trust this" in page
    assert "Over 0 of 8 documents" in page, "the texts of the test corpus are not those that were labelled"


def test_diagnostics_compare_documents_that_were_labelled_with_the_text_they_have_now(run, entries, diamond) -> None:
    texts = entries["documents"].query("split == 'test'")["text"].tolist()
    entries["test_documents"] = entries["test_documents"].assign(
        text=[texts[0], "another text by the same number", texts[2], *"defgh"]
    )
    inputs = {name: value for name, value in entries.items() if name in DIAGNOSTICS.inputs()}
    assert set(inputs) == DIAGNOSTICS.inputs()
    outputs = run(DIAGNOSTICS, **inputs)
    rows = run(DIAGNOSTICS.only_nodes("diagnose_documents"), **inputs)["document_diagnostics"].set_index("doc_id")
    assert set(rows.index) == set(entries["predictions"]["doc_id"])
    assert (rows["expected_f1"] == 0.5).all()
    known = rows[["view_agreement", "teacher_agreement"]].notna()
    assert known.index[known.all(axis=1)].tolist() == known.index[known.any(axis=1)].tolist()
    assert set(known.index[known.any(axis=1)]) == {"0", "2"}
    assert outputs["run_diagnostics"]["n_compared"] == 2
    classes = outputs["class_diagnostics"].set_index("class_id")
    assert classes.index.tolist() == list(diamond.class_ids)
    silver = entries["silver_labels"].query("split == 'test' and doc_id in ['0', '2']")
    assert classes["n_silver"].sum() == silver["class_ids"].map(len).sum()
    json.dumps(outputs["run_diagnostics"])


def test_page_is_written_without_hooks_and_gold_labels(run, entries, diamond) -> None:
    without = make_run(diamond, gold=False)
    entries |= {"metrics": without.metrics, "case_studies": without.case_studies}
    page = run(create_pipeline(), **entries)["report"]
    assert "seconds and money were not recorded" in page
    assert "There are no gold labels" in page


def test_page_reads_the_entries_that_it_names_and_its_own_parameters() -> None:
    (node,) = create_pipeline().only_nodes("write_report").nodes
    assert set(node.inputs) == {field.name for field in fields(RunEntries)} | {"params:report"}


def test_raw_and_calibrated_texts_are_told_apart(entries) -> None:
    synthetic = entries["synthetic_documents"].iloc[:0]
    assert nodes.measure_style_study(entries["documents"], synthetic, 42)["n_texts"].tolist() == [9, 0, 0]
    texts = [f"It 's {word} ." for word in ("good", "bad", "old", "new", "big")]
    raw = [f"It's {word}." for word in ("good", "bad", "old", "new", "big")]
    filled = entries["documents"].iloc[:5].assign(text=texts, raw_text=raw)
    study = nodes.measure_style_study(entries["documents"], filled, 42).set_index("texts")
    assert study["split_contractions"].tolist()[1:] == [0.0, 1.0]
    assert np.isfinite(study.loc[["raw", "calibrated"], "detector_auc"]).all()
