"""Bulk files to bulk labels: what is labelled, what is left alone, and what is wrong with a document."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.decoding.decode import DecodingSettings
from hmltc_kedro.errors import InputError
from hmltc_kedro.labelling import bulk
from hmltc_kedro.labelling.bulk import label_file, label_folder
from hmltc_kedro.labelling.folder import BulkFolder
from hmltc_kedro.modeling import HierarchicalClassifier

TEXTS = ["a puppy on a leash", "a steel spade for the garden", "a cat asleep on its pet bed", "x", "cats and cat toys"]


@pytest.fixture(scope="module")
def model(classifier: HierarchicalClassifier, tmp_path_factory: pytest.TempPathFactory) -> HierarchicalClassifier:
    """Return a classifier as it lies on disk, which takes one text for a text about nothing."""
    directory = tmp_path_factory.mktemp("models") / "classifier"
    classifier.with_parts(nulls=classifier.predict_probabilities(["x"]), accept=0.75).save(directory)
    return HierarchicalClassifier.load(directory, device="cpu")


@pytest.fixture
def folder(tmp_path: Path) -> BulkFolder:
    """Return a folder with a CSV and a parquet file."""
    source = tmp_path / "bulk"
    source.mkdir()
    documents = pd.DataFrame({"doc_id": ["7", "5", "6"], "text": TEXTS[:3], "price": [1, 2, 3]})
    documents.to_csv(source / "first.csv", index=False)
    pd.DataFrame({"doc_id": [5, 6], "text": TEXTS[3:]}).to_parquet(source / "second.parquet")
    return BulkFolder(source, tmp_path / "labels")


def run(folder: BulkFolder, model: HierarchicalClassifier, skip_invalid: bool = False) -> list[str]:
    """Label the folder; return the names of the files that were."""
    return [file.name for file in label_folder(folder, model, batch_size=2, skip_invalid=skip_invalid)]


def test_labels_are_the_predictions_of_the_texts(folder: BulkFolder, model: HierarchicalClassifier) -> None:
    assert run(folder, model) == ["first.csv", "second.parquet"]
    first, second = (pd.read_parquet(folder.target / name) for name in ("first.parquet", "second.parquet"))
    assert list(first["doc_id"]) == ["7", "5", "6"], "in the order of the file"
    assert list(second["doc_id"]) == ["5", "6"], "ids are of a file; those of another may be the same"
    assert list(first.columns) == ["doc_id", "class_ids", "names", "paths", "scores", "fits", "decision"]
    labelled = pd.concat([first, second], ignore_index=True)
    expected = model.predict_frame(TEXTS)
    for column in ("class_ids", "names"):
        assert list(map(list, labelled[column])) == list(expected[column])
    assert [[list(path) for path in paths] for paths in labelled["paths"]] == list(expected["paths"])
    for scores, other in zip(labelled["scores"], expected["scores"], strict=True):
        np.testing.assert_allclose(scores, other, atol=1e-3)
    assert labelled[["fits", "decision"]].to_numpy().tolist() == expected[["fits", "decision"]].to_numpy().tolist()
    assert labelled["fits"].iloc[[0, 1]].tolist() == [True, True]
    assert labelled["names"].map(list).iloc[1] == ["garden", "tools"]


def test_blocks_do_not_matter(
    folder: BulkFolder, model: HierarchicalClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder.source / "first.csv"
    whole = label_file(file, model, batch_size=2, skip_invalid=False)
    monkeypatch.setattr(bulk, "BLOCK", 2)
    parts = label_file(file, model, batch_size=2, skip_invalid=False)
    columns = ["doc_id", "class_ids", "names", "paths", "fits", "decision"]
    pd.testing.assert_frame_equal(parts[columns], whole[columns])
    for scores, other in zip(parts["scores"], whole["scores"], strict=True):
        np.testing.assert_allclose(scores, other, atol=1e-3)


def read_times(folder: BulkFolder) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.target.iterdir()}


def test_finished_files_are_skipped(
    folder: BulkFolder, model: HierarchicalClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder, model)
    before = read_times(folder)
    with monkeypatch.context() as patch:
        patch.setattr(HierarchicalClassifier, "predict_frame", lambda *_: pytest.fail("a finished file is labelled"))
        assert run(folder, model) == []
    assert read_times(folder) == before
    pd.DataFrame({"doc_id": ["1"], "text": ["a rake"]}).to_csv(folder.source / "third.csv", index=False)
    assert run(folder, model) == ["third.csv"], "one that is new"
    after = read_times(folder)
    assert {name for name in after if after[name] != before.get(name)} == {"third.parquet", "manifest.json"}


def test_changed_file_is_labelled_again_and_no_other(folder: BulkFolder, model: HierarchicalClassifier) -> None:
    run(folder, model)
    pd.DataFrame({"doc_id": ["1"], "text": ["a rake"]}).to_csv(folder.source / "first.csv", index=False)
    assert run(folder, model) == ["first.csv"]
    assert list(pd.read_parquet(folder.target / "first.parquet")["doc_id"]) == ["1"]
    assert folder.read_manifest()["first.parquet"].rows == 1


def test_another_model_labels_everything_again(
    folder: BulkFolder, model: HierarchicalClassifier, tmp_path: Path
) -> None:
    run(folder, model)
    model.with_parts(decoding=DecodingSettings(max_paths=1, child_threshold=1.0)).save(tmp_path / "narrow")
    narrow = HierarchicalClassifier.load(tmp_path / "narrow", device="cpu")
    assert run(folder, narrow) == ["first.csv", "second.parquet"], "other settings of decoding make another model"
    assert list(map(list, pd.read_parquet(folder.target / "first.parquet")["names"]))[1] == ["garden"]
    assert run(folder, narrow) == []
    assert run(folder, model) == ["first.csv", "second.parquet"]
    model.save(tmp_path / "copy")
    assert run(folder, HierarchicalClassifier.load(tmp_path / "copy", device="cpu")) == [], "a copy is the same model"


def test_file_that_changes_while_it_is_labelled_is_labelled_again(
    folder: BulkFolder, model: HierarchicalClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = HierarchicalClassifier.predict_frame

    def change_and_predict(self: HierarchicalClassifier, texts: list[str], batch_size: int) -> pd.DataFrame:
        (folder.source / "first.csv").write_text("doc_id,text\n1,a rake\n", "utf-8")
        return predict(self, texts, batch_size)

    with monkeypatch.context() as patch:
        patch.setattr(HierarchicalClassifier, "predict_frame", change_and_predict)
        run(folder, model)
    assert len(pd.read_parquet(folder.target / "first.parquet")) == 3
    assert run(folder, model) == ["first.csv"]
    assert len(pd.read_parquet(folder.target / "first.parquet")) == 1


# ---------------------------------------------------------------------- documents that are wrong

BAD = "doc_id,text\n1,a rake\n2, \n1,a spade\n,nameless\n3,a leash\n"


def test_bad_documents_are_named_with_file_and_line_and_what_was_done_stays(
    folder: BulkFolder, model: HierarchicalClassifier
) -> None:
    bad = folder.source / "more.csv"  # after the first and before the second
    bad.write_text(BAD, "utf-8")
    with pytest.raises(InputError) as error:
        run(folder, model)
    assert str(error.value).splitlines() == [
        f"{bad}:3: the text is empty; write one or remove the line (or set ingest.on_invalid: skip)",
        f"{bad}:4: document id '1' is already on line 2; ids are unique within a split",
        f"{bad}:5: no document id; write <doc_id>TAB<text>",
    ]
    assert sorted(folder.read_manifest()) == ["first.parquet"]
    bad.write_text("doc_id,text\n1,a rake\n", "utf-8")
    assert run(folder, model) == ["more.csv", "second.parquet"], "it goes on where it was"


def test_bad_documents_are_left_out_if_that_is_wanted(
    folder: BulkFolder, model: HierarchicalClassifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "hmltc_kedro")
    (folder.source / "more.csv").write_text(BAD, "utf-8")
    assert run(folder, model, skip_invalid=True) == ["first.csv", "more.csv", "second.parquet"]
    assert list(pd.read_parquet(folder.target / "more.parquet")["doc_id"]) == ["1", "3"]
    assert folder.read_manifest()["more.parquet"].rows == 2
    assert [record.getMessage() for record in caplog.records] == ["more.csv: 3 documents are left out"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id,text\n1,a\n", ":1: no column doc_id; a corpus has the columns doc_id and text"),
        (b"doc_id,text\n", ":1: no documents; "),
        (b'doc_id,text\n1,"a\n', ":2: not CSV (unexpected end of data); check the quotes"),
        (b"doc_id,text\n1,caf\xe9\n", ":2: bytes that are not UTF-8; save the file as UTF-8"),
    ],
)
def test_file_that_is_no_corpus_is_an_input_error(
    folder: BulkFolder, model: HierarchicalClassifier, content: bytes, words: str
) -> None:
    (folder.source / "first.csv").write_bytes(content)
    with pytest.raises(InputError) as error:
        run(folder, model)
    assert str(error.value).startswith(f"{folder.source / 'first.csv'}{words}")
    assert not folder.target.exists()


def test_nothing_to_label_is_an_input_error(tmp_path: Path, model: HierarchicalClassifier) -> None:
    with pytest.raises(InputError, match="nowhere: no parquet or CSV file here; put the documents to label there$"):
        run(BulkFolder(tmp_path / "nowhere", tmp_path / "labels"), model)
