"""The stage `label`: its wiring, its settings, and its documents in a bucket."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from hmltc_kedro.corpus import shards
from hmltc_kedro.errors import InputError
from hmltc_kedro.labelling.folder import BulkFolder
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.pipelines.label import create_pipeline, nodes
from hmltc_kedro.pipelines.label.params import LabelParams

DOCUMENTS = pd.DataFrame({"doc_id": ["1", "2", "3"], "text": ["a rake and a spade", "", "a puppy on a leash"]})


@pytest.fixture
def folder(tmp_path) -> BulkFolder:
    """Return a folder with one file of three documents, the second of which has no text."""
    (tmp_path / "bulk").mkdir()
    DOCUMENTS.to_parquet(tmp_path / "bulk" / "later.parquet")
    return BulkFolder(str(tmp_path / "bulk"), str(tmp_path / "labels"), {}, {})


@pytest.fixture(scope="module")
def model(classifier, tmp_path_factory) -> HierarchicalClassifier:
    """Return a classifier as it lies on disk."""
    directory = tmp_path_factory.mktemp("models") / "classifier"
    classifier.save(directory)
    return HierarchicalClassifier.load(directory, device="cpu")


def read_ids(folder: str) -> dict[str, list[str]]:
    return {path.name: list(pd.read_parquet(path)["doc_id"]) for path in Path(folder).glob("*.parquet")}


def test_stage_reads_the_packaged_classifier_and_makes_no_entry_of_a_run() -> None:
    pipeline = create_pipeline()
    assert pipeline.inputs() == {"bulk_documents", "classifier", "params:label", "params:ingest.on_invalid"}
    assert pipeline.all_outputs() == set()


def test_pipeline_stops_at_a_bad_document_or_leaves_it_out(run, folder, model) -> None:
    entries = {"bulk_documents": folder, "classifier": model}
    with pytest.raises(InputError, match=r"later\.parquet:2: the text is empty; .*ingest\.on_invalid: skip\)\n"):
        run(create_pipeline(), **entries, **{"params:ingest.on_invalid": "error"})
    run(create_pipeline(), **entries, **{"params:ingest.on_invalid": "skip"})
    assert read_ids(folder.target) == {"later.parquet": ["1", "3"]}


def test_missing_source_is_named(folder, model, tmp_path) -> None:
    with pytest.raises(InputError, match="nowhere: no parquet or CSV file here"):
        nodes.label_documents(replace(folder, source=str(tmp_path / "nowhere")), model, LabelParams(), "error")


def test_documents_of_a_bucket_are_labelled_here_and_there(s3, tmp_path, model, monkeypatch) -> None:
    monkeypatch.setattr(shards, "SHARD", 2)
    good = DOCUMENTS.assign(text=["a rake", "a spade", "a puppy on a leash"])
    good.to_parquet(f"{s3.address}/2026/a.parquet", storage_options=s3.options)
    good.to_csv(f"{s3.address}/2026/deep/b.csv", index=False, storage_options=s3.options)
    here, params = BulkFolder(f"{s3.address}/2026", str(tmp_path / "labels"), {}, s3.options), LabelParams()
    nodes.label_documents(here, model, params, "error")
    there = replace(here, target=f"{s3.address}/labels")
    nodes.label_documents(there, model, params, "error")
    names = ["a.parquet", "a-00001.parquet", "deep/b.parquet", "deep/b-00001.parquet"]
    assert here.list_labels() == there.list_labels() == names
    assert here.read_manifest()["rows"] == there.read_manifest()["rows"] == 6
    for name in names:
        local = pd.read_parquet(here.place(name))
        pd.testing.assert_frame_equal(pd.read_parquet(there.place(name), storage_options=s3.options), local)
    monkeypatch.setattr(HierarchicalClassifier, "predict_frame", lambda *_: pytest.fail("labelled a second time"))
    nodes.label_documents(there, model, params, "error")
    monkeypatch.undo()
    monkeypatch.setattr(shards, "SHARD", 2)
    good.iloc[:1].to_parquet(f"{s3.address}/2026/a.parquet", storage_options=s3.options)
    nodes.label_documents(there, model, params, "error")
    assert there.list_labels() == ["a.parquet", "deep/b.parquet", "deep/b-00001.parquet"], "the surplus is gone"
