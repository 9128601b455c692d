"""Bulk documents and their labels as a catalog entry."""

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DatasetError

from hmltc_kedro.datasets import BulkDataset
from hmltc_kedro.labelling.folder import BulkFolder, Shard


@pytest.fixture
def dataset(tmp_path: Path) -> BulkDataset:
    return BulkDataset(source=str(tmp_path / "bulk"), target=str(tmp_path / "labels"), metadata={"kedro-viz": {}})


def test_entry_is_the_two_folders(dataset: BulkDataset, tmp_path: Path) -> None:
    assert dataset.load() == BulkFolder(tmp_path / "bulk", tmp_path / "labels")
    assert dataset.exists(), "the stage says itself what is missing"
    assert dataset._describe() == {"source": str(tmp_path / "bulk"), "target": str(tmp_path / "labels")}


def test_entry_is_written_by_the_stage_alone(dataset: BulkDataset) -> None:
    with pytest.raises(DatasetError, match="labels: written by the stage `label`, file by file"):
        dataset.save("anything")  # type: ignore[arg-type]


def test_identity_is_that_of_the_documents(dataset: BulkDataset, tmp_path: Path) -> None:
    nothing = dataset.identify()
    assert nothing == {"source": str(tmp_path / "bulk"), "documents": ""}
    (tmp_path / "bulk").mkdir()
    (tmp_path / "bulk" / "a.csv").write_text("doc_id,text\n1,a\n", "utf-8")
    first = dataset.identify()
    dataset.load().write(pd.DataFrame({"doc_id": ["1"]}), tmp_path / "bulk" / "a.csv", Shard("a", "d", "m", 1, 0.5))
    assert dataset.identify() == first != nothing, "labels are none of the documents"
    (tmp_path / "bulk" / "b.csv").write_text("doc_id,text\n1,a\n", "utf-8")
    more = dataset.identify()
    (tmp_path / "bulk" / "b.csv").write_text("doc_id,text\n1,b\n", "utf-8")
    assert len({identity["documents"] for identity in (first, more, dataset.identify())}) == 3


def test_preview_is_a_row_a_file(dataset: BulkDataset, tmp_path: Path) -> None:
    assert dataset.preview()["data"] == []
    for name, rows in (("b", 3), ("a", 2)):
        labels = pd.DataFrame({"doc_id": list("xyz")[:rows]})
        dataset.load().write(labels, tmp_path / f"{name}.csv", Shard(f"{name}.csv", "d", "m", rows, 0.5))
    preview = dataset.preview()
    assert preview["columns"] == ["labels", "rows", "seconds"]
    assert preview["data"] == [["a.parquet", 2, 0.5], ["b.parquet", 3, 0.5]]
