"""Bulk documents and their labels as a catalog entry."""

from pathlib import Path

import pytest
from kedro.io import DatasetError

from hmltc_kedro.corpus.storage import write_bytes
from hmltc_kedro.datasets import BulkDataset
from hmltc_kedro.errors import InputError
from hmltc_kedro.labelling.folder import BulkFolder
from object_storage import Place


@pytest.fixture
def dataset(tmp_path: Path) -> BulkDataset:
    return BulkDataset(source=str(tmp_path / "bulk"), target=str(tmp_path / "labels"), metadata={"kedro-viz": {}})


def test_entry_is_the_two_folders(dataset: BulkDataset, tmp_path: Path) -> None:
    assert dataset.load() == BulkFolder(str(tmp_path / "bulk"), str(tmp_path / "labels"), {}, {})
    assert dataset.exists(), "the stage says itself what is missing"
    assert dataset._describe() == {"source": str(tmp_path / "bulk"), "target": str(tmp_path / "labels")}


def test_columns_and_credentials_reach_the_folder_and_no_description() -> None:
    columns = {"key": ["id"], "values": ["title"]}
    dataset = BulkDataset(source="s3://a", target="s3://b", columns=columns, credentials={"secret": "s3cret"})
    assert dataset.load() == BulkFolder("s3://a", "s3://b", columns, {"secret": "s3cret"})
    assert "s3cret" not in str(dataset) + repr(dataset.load())


@pytest.mark.parametrize("which", ["source", "target"])
def test_password_in_an_address_is_refused_and_not_shown(which: str) -> None:
    addresses = {"source": "s3://a", "target": "s3://b", which: "s3://key:s3cret@bucket/a"}
    with pytest.raises(InputError, match=r"^s3://\.\.\.: the address carries a login") as caught:
        BulkDataset(**addresses)
    assert "s3cret" not in str(caught.value)


def test_entry_is_written_by_the_stage_alone(dataset: BulkDataset) -> None:
    with pytest.raises(DatasetError, match="labels: written by the stage `label`, shard by shard"):
        dataset.save("anything")  # type: ignore[arg-type]


def test_identity_is_that_of_the_documents(place: Place) -> None:
    folder = f"{place.address}/bulk"
    dataset = BulkDataset(source=folder, target=f"{place.address}/labels", credentials=place.options)
    assert dataset.identify() == {"source": folder, "columns": {}, "documents": ""}
    write_bytes(f"{folder}/a.csv", b"doc_id,text\n1,a\n", place.options)
    first = dataset.identify()
    write_bytes(f"{place.address}/labels/a.parquet", b"", place.options)
    assert dataset.identify() == first, "labels are none of the documents"
    write_bytes(f"{folder}/a.csv", b"doc_id,text\n1,b\n", place.options)
    changed = dataset.identify()
    write_bytes(f"{folder}/b.csv", b"doc_id,text\n1,a\n", place.options)
    assert first != changed != dataset.identify()
    named = BulkDataset(source=folder, target="x", columns={"key": ["id"]}, credentials=place.options)
    assert named.identify() == {**dataset.identify(), "columns": {"key": ["id"]}}


def test_preview_is_a_row_a_shard(dataset: BulkDataset) -> None:
    assert dataset.preview()["data"] == []
    shards = {name: {"rows": rows, "seconds": 0.5} for name, rows in (("a.parquet", 2), ("a-00001.parquet", 3))}
    dataset.load().write_manifest({"rows": 5, "shards": shards})
    preview = dataset.preview()
    assert preview["columns"] == ["labels", "rows", "seconds"]
    assert preview["data"] == [["a.parquet", 2, 0.5], ["a-00001.parquet", 3, 0.5]]
