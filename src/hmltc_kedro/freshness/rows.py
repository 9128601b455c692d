"""Digests of the rows of small tables, so that a change can be told in words: which rows, which columns."""

from __future__ import annotations

import base64
import csv
import hashlib
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_ROWS = 10_000
"""Rows up to which a table is looked at row by row; of a larger one only their number is told."""

KEYS = {
    ("split", "doc_id", "class_id"): "candidate",
    ("split", "doc_id"): "document",
    ("doc_id",): "document",
    ("class_id",): "class",
    ("id",): "document",
}
"""Columns that say what a row is about, and what that is."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Digests of a table of n rows and m columns.

    Attributes:
        noun: what a row is about.
        columns: names of the m columns that are compared.
        keys: what a row is recognised by, shape (n,), unique.
        cells: shape (n, m).
    """

    noun: str
    columns: tuple[str, ...]
    keys: npt.NDArray[np.uint64]
    cells: npt.NDArray[np.uint32]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; arrays are little-endian bytes in base 64."""
        arrays = {"keys": self.keys.astype("<u8"), "cells": self.cells.astype("<u4")}
        return {
            "noun": self.noun,
            "columns": self.columns,
            **{name: base64.b64encode(array.tobytes()).decode() for name, array in arrays.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Rows:
        """Read what `to_json` returned."""
        columns = tuple(values["columns"])
        keys = np.frombuffer(base64.b64decode(values["keys"]), dtype="<u8")
        cells = np.frombuffer(base64.b64decode(values["cells"]), dtype="<u4")
        return cls(values["noun"], columns, keys, cells.reshape(len(keys), len(columns)))


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 class`, `2 classes`, `12,000 documents`."""
    plural = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{plural}"


def explain_rows(old: Rows, new: Rows) -> list[str]:
    """Return what differs: `keywords of 2 classes changed`, `100 documents added`; [] where nothing is seen."""
    added = int((~np.isin(new.keys, old.keys)).sum())
    removed = int((~np.isin(old.keys, new.keys)).sum())
    words = [f"{count(n, new.noun)} {verb}" for n, verb in ((added, "added"), (removed, "removed")) if n]
    words += [f"column {name} added" for name in new.columns if name not in old.columns]
    words += [f"column {name} removed" for name in old.columns if name not in new.columns]
    _, before, after = np.intersect1d(old.keys, new.keys, assume_unique=True, return_indices=True)
    shared = [name for name in new.columns if name in old.columns]
    changed = {
        name: old.cells[before, old.columns.index(name)] != new.cells[after, new.columns.index(name)] for name in shared
    }
    names = [name for name, mask in changed.items() if mask.any()]
    if names:
        number = int(np.any([changed[name] for name in names], axis=0).sum())
        subject = f"{' and '.join(names)} of " if len(names) <= 2 else ""
        words.append(f"{subject}{count(number, new.noun)} changed")
    if not words and not np.array_equal(old.keys, new.keys):
        words.append(f"order of the {count(2, new.noun).partition(' ')[2]} changed")
    return words


def digest_rows(noun: str, keys: Sequence[object], columns: Mapping[str, Sequence[object]]) -> Rows:
    """Return the digests of a table; a key that comes again gets its number added."""
    seen: Counter[object] = Counter()
    digests = np.zeros(len(keys), dtype=np.uint64)
    for row, key in enumerate(keys):
        text = f"{key!r}#{seen[key]}".encode("utf-8", "surrogatepass")
        digests[row] = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
        seen[key] += 1
    cells = np.zeros((len(keys), len(columns)), dtype=np.uint32)
    for c, values in enumerate(columns.values()):
        cells[:, c] = [zlib.crc32(v if isinstance(v, bytes) else repr(v).encode("utf-8", "replace")) for v in values]
    return Rows(noun, tuple(columns), digests, cells)


# ---------------------------------------------------------------------- files


def read_shape(path: Path) -> str:
    """Return the size of what a file holds: rows x columns of a table, shapes of tensors; empty for anything else."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        metadata = pq.read_metadata(path)
        return f"{metadata.num_rows:,} x {metadata.num_columns}"
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as handle:
            header, *sizes = (len(record) for record in csv.reader(handle))
        return f"{len(sizes):,} x {header}"
    if path.suffix == ".safetensors":
        from hmltc_kedro.corpus.tensors import read_header

        shapes = {" x ".join(f"{n:,}" for n in entry["shape"]) for entry in read_header(path)[0].values()}
        return ", ".join(sorted(shapes))
    if path.suffix == ".txt":
        with path.open("rb") as handle:
            return f"{sum(1 for _ in handle):,} lines"
    return ""


def read_rows(path: Path, separator: str | None = None, words: Mapping[str, str] | None = None) -> Rows | None:
    """Return the digests of the rows of a file; None if it is no table, or has more than `MAX_ROWS` rows.

    Args:
        path: a parquet, CSV, safetensors or text file.
        separator: between key and value of a text file's lines.
        words: `row`, what a line is about, and `value`, what its value is; without `value` a line counts as a whole.
    """
    words = words or {}
    if path.suffix in (".parquet", ".csv"):
        table = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
        return _digest_table(table, words.get("row")) if table is not None else None
    if path.suffix == ".safetensors":
        return _digest_tensors(path)
    if path.suffix == ".txt":
        return _digest_lines(path, separator, words)
    return None


def _digest_table(table: dict[str, list[Any]], noun: str | None) -> Rows:
    for names, about in KEYS.items():
        if all(name in table for name in names):
            keys: list[object] = list(zip(*(table[name] for name in names), strict=True))
            return digest_rows(noun or about, keys, {k: v for k, v in table.items() if k not in names})
    length = len(next(iter(table.values()), []))
    return digest_rows(noun or "row", list(range(length)), table)


def _read_parquet(path: Path) -> dict[str, list[Any]] | None:
    import pyarrow.parquet as pq

    if pq.read_metadata(path).num_rows > MAX_ROWS:
        return None
    # Not through `read_table`, which takes some more modules in.
    table: dict[str, list[Any]] = pq.ParquetFile(path).read().to_pydict()
    return table


def _read_csv(path: Path) -> dict[str, list[Any]] | None:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as handle:
        records = csv.reader(handle)
        header, rows = next(records, []), []
        for record in records:
            rows.append(record)
            if len(rows) > MAX_ROWS:
                return None
    return {name: [row[c] if c < len(row) else None for row in rows] for c, name in enumerate(header)}


def _digest_tensors(path: Path) -> Rows | None:
    from hmltc_kedro.corpus.tensors import read_tensors

    table = read_tensors(path)
    if len(table) > MAX_ROWS:
        return None
    columns = {name: [row.tobytes() for row in np.asarray(array)] for name, array in table.arrays.items()}
    return digest_rows("row", list(table.ids), columns)


def _digest_lines(path: Path, separator: str | None, words: Mapping[str, str]) -> Rows | None:
    lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    if len(lines) > MAX_ROWS:
        return None
    lines = [line.strip() for line in lines if line.strip()]
    noun = words.get("row", "line")
    if "value" not in words or separator is None:
        return digest_rows(noun, lines, {})
    parts = [line.partition(separator.encode()) for line in lines]
    keys = [key.strip() for key, _, _ in parts]
    return digest_rows(noun, keys, {words["value"]: [value.strip() for _, _, value in parts]})
