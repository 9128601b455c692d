"""Tensors in safetensors files: what was written is what is read, mapped and not copied."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from hmltc_kedro.corpus import tensors
from hmltc_kedro.corpus.tensors import TensorTable, document_keys, read_header, read_tensors, write_tensors
from hmltc_kedro.errors import InputError


def make_table() -> TensorTable:
    rng = np.random.default_rng(0)
    arrays = {
        "half": rng.normal(size=(3, 5)).astype(np.float16),
        "single": rng.normal(size=(3, 2, 2)).astype(np.float32),
        "count": np.arange(3, dtype=np.int64),
    }
    return TensorTable(["train/0", "test/0", 'ünï/"cödé"'], arrays, ["x", "y", "z", "ä", "5"])


def test_round_trip_keeps_ids_columns_values_and_types(tmp_path: Path) -> None:
    table = make_table()
    write_tensors(table, tmp_path / "deep" / "t.safetensors")
    read = read_tensors(tmp_path / "deep" / "t.safetensors")
    assert (list(read.ids), list(read.columns)) == (list(table.ids), list(table.columns))
    assert set(read.arrays) == set(table.arrays)
    for name, array in table.arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_file_is_plain_safetensors(tmp_path: Path) -> None:
    table = make_table()
    write_tensors(table, tmp_path / "t.safetensors")
    for name, array in load_file(tmp_path / "t.safetensors").items():
        np.testing.assert_array_equal(array, table[name])


def test_arrays_are_read_only_memory_maps(tmp_path: Path) -> None:
    write_tensors(make_table(), tmp_path / "t.safetensors")
    array = read_tensors(tmp_path / "t.safetensors")["single"]
    assert isinstance(array, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 0


def test_rows_in_another_memory_order_are_written_right(tmp_path: Path) -> None:
    values = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))[:, ::-1]
    write_tensors(TensorTable(["a", "b"], {"x": values}), tmp_path / "t.safetensors")
    assert read_tensors(tmp_path / "t.safetensors")["x"].tolist() == [[2, 1, 0], [5, 4, 3]]


def test_table_without_rows_round_trips(tmp_path: Path) -> None:
    write_tensors(TensorTable([], {"x": np.zeros((0, 4), np.float32)}), tmp_path / "t.safetensors")
    assert read_tensors(tmp_path / "t.safetensors")["x"].shape == (0, 4)


def test_header_tells_shapes_without_reading_the_data(tmp_path: Path) -> None:
    write_tensors(make_table(), tmp_path / "t.safetensors")
    entries, metadata, offset = read_header(tmp_path / "t.safetensors")
    assert entries["half"]["shape"] == [3, 5]
    assert json.loads(metadata["ids"])[0] == "train/0"
    size = 3 * 5 * 2 + 3 * 4 * 4 + 3 * 8
    assert (tmp_path / "t.safetensors").stat().st_size == offset + size


def test_table_with_another_number_of_rows_than_ids_is_refused() -> None:
    with pytest.raises(ValueError, match="tensor 'x' has 2 rows for 1 ids"):
        TensorTable(["a"], {"x": np.zeros((2, 3), np.float32)})


def test_type_that_could_not_be_read_back_is_refused_before_writing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tensor 'x' is float64"):
        write_tensors(TensorTable(["a"], {"x": np.zeros((1, 3))}), tmp_path / "t.safetensors")
    assert not list(tmp_path.iterdir())


def test_ids_that_do_not_fit_into_a_header_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "MAX_HEADER", 100_010)
    with pytest.raises(ValueError, match="3 ids do not fit"):
        write_tensors(make_table(), tmp_path / "t.safetensors")
    assert not list(tmp_path.iterdir())


def test_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.safetensors"
    write_tensors(make_table(), path)
    before = path.read_bytes()

    def save_half(arrays: object, file: Path, metadata: object) -> None:
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("safetensors.numpy.save_file", save_half)
    with pytest.raises(OSError, match="disk full"):
        write_tensors(TensorTable([], {}), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_document_keys_tell_the_splits_apart() -> None:
    assert document_keys(["train", "test"], ["0", "0"]) == ["train/0", "test/0"]


def test_repr_shows_shapes_and_not_values() -> None:
    text = repr(make_table())
    assert text.startswith("TensorTable(3 rows; ") and "half: (3, 5) float16" in text


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["half", "single"])
def test_number_that_is_not_finite_is_refused(value: float, name: str, tmp_path: Path) -> None:
    table = make_table()
    table[name][1] = value
    write_tensors(table, tmp_path / "t.safetensors")
    with pytest.raises(InputError) as refused:
        read_tensors(tmp_path / "t.safetensors")
    expected = f"t.safetensors: tensor {name!r}, row 1 is not finite; run `kedro refresh`"
    assert str(refused.value).endswith(expected)


@pytest.mark.parametrize("change", [-1, 1, 8], ids=["cut", "one_more", "longer"])
def test_file_of_another_length_than_its_header_says_is_refused(change: int, tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    write_tensors(make_table(), path)
    content = path.read_bytes()
    path.write_bytes(content[:change] if change < 0 else content + b"0" * change)
    with pytest.raises(ValueError, match=f"{len(content) + change:,} bytes, its header says {len(content):,}"):
        read_tensors(path)


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_file_has_the_rights_of_any_new_one(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_tensors(make_table(), tmp_path / "t.safetensors")
    finally:
        os.umask(before)
    assert (tmp_path / "t.safetensors").stat().st_mode & 0o777 == 0o666 & ~mask
    assert [file.name for file in tmp_path.iterdir()] == ["t.safetensors"]
