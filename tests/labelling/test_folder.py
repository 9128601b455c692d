"""The files of a bulk run: names of labels, what a file of labels says of itself, the manifest."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from hmltc_kedro.corpus.storage import write_bytes
from hmltc_kedro.labelling.folder import BulkFolder, Shard, find_owner, name_labels, read_note, write_labels
from object_storage import Place

SHARD = Shard("bulk/a.csv", "1-2", "doc_id: text", "digest", "model", 2, 0, True, 0.5)
LABELS = pd.DataFrame(
    {
        "doc_id": ["1", "2"],
        "class_ids": [["an"], ["ga", "to"]],
        "names": [["animals"], ["garden", "tools"]],
        "paths": [[["an"]], [["ga", "to"]]],
        "scores": [[0.5], [0.25]],
        "probabilities": [[0.5], [0.5, 0.125]],
        "fits": [True, False],
        "decision": ["accept", "review"],
    }
)


def make_folder(place: Place) -> BulkFolder:
    return BulkFolder(f"{place.address}/bulk", f"{place.address}/labels", {}, place.options)


@pytest.mark.parametrize(("number", "labels"), [(0, "deep/a.parquet"), (1, "deep/a-00001.parquet")])
def test_labels_are_called_like_the_documents(number: int, labels: str) -> None:
    assert name_labels("deep/a", number) == labels
    assert find_owner(labels) == ("deep/a" if number else "")


@pytest.mark.parametrize("labels", ["a-1.parquet", "a-00001.csv", "a00001.parquet", "manifest.json"])
def test_other_names_have_no_owner(labels: str) -> None:
    assert find_owner(labels) == ""


def test_labels_say_of_themselves_what_they_are(place: Place) -> None:
    folder = make_folder(place)
    assert folder.list_labels() == []
    for name in ("b-00001.parquet", "deep/a.parquet"):
        write_labels(folder.place(name), LABELS, replace(SHARD, source=name), place.options)
    write_bytes(folder.place("manifest.json"), b"{}", place.options)
    assert folder.list_labels() == ["b-00001.parquet", "deep/a.parquet"]
    assert read_note(folder.place("deep/a.parquet"), place.options) == replace(SHARD, source="deep/a.parquet")
    read = pd.read_parquet(folder.place("deep/a.parquet"), storage_options=place.options or None)
    assert list(read["doc_id"]) == ["1", "2"] and list(map(list, read["class_ids"])) == [["an"], ["ga", "to"]]
    folder.remove("b-00001.parquet")
    assert folder.list_labels() == ["deep/a.parquet"]


def test_labels_of_no_document_have_the_same_columns(tmp_path: Path) -> None:
    for name, labels in (("full", LABELS), ("empty", LABELS.iloc[:0])):
        write_labels(str(tmp_path / f"{name}.parquet"), labels, SHARD, {})
    read = [pd.read_parquet(tmp_path / f"{name}.parquet", dtype_backend="pyarrow") for name in ("full", "empty")]
    assert read[0].dtypes.equals(read[1].dtypes)


def test_file_of_somebody_else_says_nothing(tmp_path: Path) -> None:
    LABELS.to_parquet(tmp_path / "other.parquet")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1")
    for name in ("other", "damaged", "nowhere"):
        assert read_note(str(tmp_path / f"{name}.parquet"), {}) is None


def test_manifest_is_what_was_written(place: Place) -> None:
    folder = make_folder(place)
    assert folder.read_manifest() == {}
    folder.write_manifest({"rows": 2, "shards": {"é": 1}})
    assert folder.read_manifest() == {"rows": 2, "shards": {"é": 1}}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"3"])
def test_damaged_manifest_counts_as_none(tmp_path: Path, content: bytes) -> None:
    folder = make_folder(Place(str(tmp_path)))
    write_bytes(folder.place("manifest.json"), content, {})
    assert folder.read_manifest() == {}


def test_credentials_are_no_part_of_a_job_as_it_is_shown() -> None:
    from hmltc_kedro.corpus.shards import Piece
    from hmltc_kedro.corpus.storage import StoredFile
    from hmltc_kedro.labelling.shard import Job

    folder = BulkFolder("s3://a", "s3://b", {}, {"secret": "s3cret"})
    job = Job(Piece(StoredFile("s3://a/b.csv", "b", ".csv", 1, "v"), 0, None, 1), 0, True, folder, Path(), "", 1, False)
    assert "s3cret" not in repr(job) and "s3cret" not in repr(folder)
