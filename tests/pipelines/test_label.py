"""The stage `label`."""

from pathlib import Path

import pandas as pd
import pytest

from hmltc_kedro.errors import InputError
from hmltc_kedro.labelling.folder import BulkFolder
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.pipelines.label import create_pipeline, nodes
from hmltc_kedro.pipelines.label.params import LabelParams


@pytest.fixture
def folder(tmp_path) -> BulkFolder:
    """Return a folder with one file of three documents, the second of which has no text."""
    (tmp_path / "bulk").mkdir()
    documents = pd.DataFrame({"doc_id": ["1", "2", "3"], "text": ["a rake and a spade", "", "a puppy on a leash"]})
    documents.to_parquet(tmp_path / "bulk" / "later.parquet")
    return BulkFolder(tmp_path / "bulk", tmp_path / "labels")


@pytest.fixture(scope="module")
def model(classifier, tmp_path_factory) -> HierarchicalClassifier:
    """Return a classifier as it lies on disk."""
    directory = tmp_path_factory.mktemp("models") / "classifier"
    classifier.save(directory)
    return HierarchicalClassifier.load(directory, device="cpu")


def read_ids(folder: Path) -> dict[str, list[str]]:
    return {path.name: list(pd.read_parquet(path)["doc_id"]) for path in folder.glob("*.parquet")}


def test_stage_reads_the_packaged_classifier_and_makes_no_entry_of_a_run() -> None:
    pipeline = create_pipeline()
    assert pipeline.inputs() == {"bulk_documents", "classifier", "params:label", "params:ingest.on_invalid"}
    assert pipeline.all_outputs() == set()


def test_pipeline_stops_at_a_bad_document_or_leaves_it_out(run, folder, model) -> None:
    entries = {"bulk_documents": folder, "classifier": model}
    with pytest.raises(InputError, match=r"later\.parquet:2: the text is empty; .*ingest\.on_invalid: skip\)$"):
        run(create_pipeline(), **entries, **{"params:ingest.on_invalid": "error"})
    run(create_pipeline(), **entries, **{"params:ingest.on_invalid": "skip"})
    assert read_ids(folder.target) == {"later.parquet": ["1", "3"]}


def test_another_source_is_labelled_into_the_same_folder(folder, model, tmp_path, caplog) -> None:
    caplog.set_level("INFO", "hmltc_kedro")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "more.csv").write_text("doc_id,text\na,cat toys\n", "utf-8")
    params = LabelParams(source=str(tmp_path / "other"))
    nodes.label_documents(folder, model, params, "error")
    assert read_ids(folder.target) == {"more.parquet": ["a"]}
    assert "more.csv: 1 documents in " in caplog.text
    assert f"1 files labelled, the others were; labels in {folder.target}" in caplog.text
    assert folder.source == tmp_path / "bulk", "the entry stays as it is"


def test_missing_source_is_named(folder, model, tmp_path) -> None:
    with pytest.raises(InputError, match="nowhere: no parquet or CSV file here"):
        nodes.label_documents(folder, model, LabelParams(source=str(tmp_path / "nowhere")), "error")
