"""The tensor dataset: mapped, complete or absent, and shown by its corner."""

import json
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError

from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.datasets.tensors import TensorDataset


@pytest.fixture
def dataset(tmp_path: Path) -> TensorDataset:
    return TensorDataset(filepath=str(tmp_path / "deep" / "x.safetensors"))


@pytest.fixture
def table() -> TensorTable:
    vectors = np.arange(60, dtype=np.float32).reshape(3, 20) / 3
    return TensorTable(["a", "b", "c"], {"vectors": vectors, "half": vectors[:, :2].astype(np.float16)})


def test_round_trip_is_memory_mapped(dataset: TensorDataset, table: TensorTable) -> None:
    assert not dataset.exists()
    dataset.save(table)
    assert dataset.exists()
    loaded = dataset.load()
    assert list(loaded.ids) == ["a", "b", "c"]
    assert all(isinstance(array, np.memmap) for array in loaded.arrays.values())
    np.testing.assert_array_equal(loaded["vectors"], table["vectors"])


def test_saving_over_a_mapped_file_leaves_the_mapping_as_it_was(dataset: TensorDataset, table: TensorTable) -> None:
    dataset.save(table)
    mapped = dataset.load()["vectors"]
    dataset.save(TensorTable(["z"], {"vectors": np.zeros((1, 20), np.float32)}))
    np.testing.assert_array_equal(mapped, table["vectors"])
    assert len(dataset.load()) == 1


def test_failed_save_leaves_the_old_file_and_no_other(
    dataset: TensorDataset, table: TensorTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset.save(table)

    def save_half(arrays: object, file: Path, metadata: object) -> None:
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("safetensors.numpy.save_file", save_half)
    with pytest.raises(DatasetError, match="disk full"):
        dataset.save(TensorTable([], {}))
    assert len(dataset.load()) == 3
    assert len(list(dataset._filepath.parent.iterdir())) == 1


def test_preview_shows_the_corner_of_each_tensor(dataset: TensorDataset, table: TensorTable) -> None:
    dataset.save(table)
    preview = json.loads(json.dumps(dataset.preview(nrows=2, ncolumns=3)))
    assert preview["columns"] == ["tensor", "shape", "id", "0", "1", "2"]
    assert sorted(preview["data"]) == [
        ["half", "3x2 float16", "a", 0.0, 0.3333, None],
        ["half", "3x2 float16", "b", 6.668, 7.0, None],
        ["vectors", "3x20 float32", "a", 0.0, 0.3333, 0.6667],
        ["vectors", "3x20 float32", "b", 6.6667, 7.0, 7.3333],
    ]
    assert preview["index"] == [0, 1, 2, 3]


def test_preview_of_no_rows_is_empty(dataset: TensorDataset) -> None:
    dataset.save(TensorTable([], {"vectors": np.zeros((0, 4), np.float32)}))
    assert dataset.preview()["data"] == []


def test_missing_file_is_a_dataset_error(dataset: TensorDataset) -> None:
    with pytest.raises(DatasetError):
        dataset.load()
