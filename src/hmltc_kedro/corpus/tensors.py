"""Named float tensors with row ids in one safetensors file, memory-mapped on load."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hmltc_kedro.atomic import write_file
from hmltc_kedro.corpus.tensor_header import MAX_HEADER, read_tensor_header
from hmltc_kedro.errors import InputError

DTYPES: dict[str, np.dtype[Any]] = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "I64": np.dtype("<i8")}

BLOCK = 16_000_000
"""Bytes that are looked at together."""


@dataclass(frozen=True, eq=False)
class TensorTable:
    """Arrays that share their first axis, and the id of each row.

    Attributes:
        ids: one text a row; a document's is `<split>/<doc_id>`.
        arrays: by name, each of shape (n, ...); read-only memory maps when loaded from a file.
        columns: ids of the second axis where it has a meaning (classes), else empty.
    """

    ids: Sequence[str]
    arrays: Mapping[str, npt.NDArray[Any]]
    columns: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check that every array has one row an id."""
        for name, array in self.arrays.items():
            if len(array) != len(self.ids):
                raise ValueError(f"tensor {name!r} has {len(array)} rows for {len(self.ids)} ids")

    def check_rows(self, ids: Sequence[str], entry: str) -> None:
        """Refuse rows that are not those of `ids`, in this order: row by row they would be taken for others.

        Args:
            ids: of the rows that are expected.
            entry: name of this table in the catalog, for the message.

        Raises:
            InputError: the ids differ.
        """
        _compare(self.ids, ids, entry, "rows")

    def check_columns(self, ids: Sequence[str], entry: str) -> None:
        """Refuse columns that are not those of `ids`, as `check_rows` does rows."""
        _compare(self.columns, ids, entry, "columns")

    def select(self, names: Iterable[str]) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of these names."""
        return {name: self[name] for name in names}

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.arrays[name]

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{n}: {tuple(a.shape)} {a.dtype}" for n, a in self.arrays.items())
        return f"TensorTable({len(self)} rows; {shapes})"


def _compare(found: Sequence[str], expected: Sequence[str], entry: str, kind: str) -> None:
    if list(found) == list(expected):
        return
    different = [(a, b) for a, b in zip(found, expected, strict=False) if a != b]
    shown = "{!r} is where {!r} should be".format(*different[0]) if different else f"{len(expected)} are needed"
    raise InputError(
        f"entry `{entry}`: its {len(found)} {kind} are of something else ({shown}); run `kedro refresh`, which makes "
        "what is stale again"
    )


def document_keys(splits: Iterable[str], doc_ids: Iterable[str]) -> list[str]:
    """Return the row ids of documents: `<split>/<doc_id>`."""
    return [f"{split}/{doc_id}" for split, doc_id in zip(splits, doc_ids, strict=True)]


def write_tensors(table: TensorTable, path: Path) -> None:
    """Write `table` to `path` in the safetensors format, moved into place when complete.

    Raises:
        ValueError: the ids do not fit into the file's header, or a tensor is not of a type in `DTYPES`.
    """
    from safetensors.numpy import save_file

    for name, array in table.arrays.items():
        if array.dtype not in DTYPES.values():
            raise ValueError(f"{path}: tensor {name!r} is {array.dtype}; use one of {[*map(str, DTYPES.values())]}")
    metadata = {
        "ids": json.dumps(list(table.ids), ensure_ascii=False),
        "columns": json.dumps(list(table.columns), ensure_ascii=False),
    }
    if sum(len(v.encode("utf-8")) for v in metadata.values()) > MAX_HEADER - 100_000:
        raise ValueError(f"{path}: {len(table)} ids do not fit into a safetensors header of 100 MB")
    arrays = {name: np.ascontiguousarray(array) for name, array in table.arrays.items()}
    with write_file(path) as temporary:
        save_file(arrays, temporary, metadata=metadata)


def read_header(path: Path) -> tuple[dict[str, Any], dict[str, str], int]:
    """Return (tensor entries, metadata, offset of the data) of a safetensors file.

    Raises:
        ValueError: the file does not begin with a header, or is not as long as the header says.
    """
    with path.open("rb") as handle:
        header = read_tensor_header(handle)
        offset = handle.tell()
    metadata = header.pop("__metadata__", {})
    needed = offset + max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if path.stat().st_size != needed:
        raise ValueError(f"{path}: {path.stat().st_size:,} bytes, its header says {needed:,}")
    return header, metadata, offset


def _check_finite(path: Path, name: str, array: npt.NDArray[Any]) -> None:
    """Refuse NaN and infinity where the file becomes an array; block by block, so that memory stays small."""
    if array.dtype.kind != "f":
        return
    size = max(1, BLOCK // max(1, array[:1].nbytes))
    for start in range(0, len(array), size):
        wrong = ~np.isfinite(array[start : start + size]).reshape(len(array[start : start + size]), -1).all(axis=1)
        if wrong.any():
            row = start + int(wrong.argmax())
            raise InputError(f"{path}: tensor {name!r}, row {row} is not finite; run `kedro refresh`")


def read_tensors(path: Path) -> TensorTable:
    """Open a file of `write_tensors`; the arrays stay on the disk, mapped.

    Raises:
        ValueError: the file is damaged.
        InputError: a number in it is not finite.
    """
    entries, metadata, offset = read_header(path)
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, entry in entries.items():
        dtype, shape = DTYPES[entry["dtype"]], tuple(entry["shape"])
        if 0 in shape:
            arrays[name] = np.zeros(shape, dtype=dtype)
        else:
            start = offset + entry["data_offsets"][0]
            arrays[name] = np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape)
            _check_finite(path, name, arrays[name])
    return TensorTable(
        ids=json.loads(metadata["ids"]),
        arrays=arrays,
        columns=json.loads(metadata["columns"]),
    )
