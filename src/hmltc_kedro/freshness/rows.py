"""Digests of the rows of small tables, so that a change can be told in words: which rows, which columns."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import PlainSerializer, PlainValidator

from hmltc_kedro.corpus.tensor_header import read_tensor_header

MAX_ROWS = 10_000
"""Rows up to which a table is looked at row by row; of a larger one only their number is told."""

MAX_FIELD = 2**31 - 1
"""Characters of a CSV field; Python's own limit of 131,072 is less than documents may have."""

KEYS = {
    ("split", "doc_id", "class_id"): "candidate",
    ("split", "doc_id"): "document",
    ("doc_id",): "document",
    ("class_id",): "class",
    ("id",): "document",
}
"""Columns that say what a row is about, and what that is."""


def _read_array(text: str) -> npt.NDArray[Any]:
    kind, _, content = text.partition(" ")
    return np.frombuffer(base64.b64decode(content), kind)


def _write_array(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype.str} {base64.b64encode(array.tobytes()).decode()}"


Digests = Annotated[npt.NDArray[Any], PlainValidator(_read_array), PlainSerializer(_write_array)]
"""One a row; in JSON their type and, in base 64, their bytes."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Digests of a table.

    Attributes:
        noun: what a row is about.
        keys: what a row is recognised by, eight bytes each, unique.
        columns: what is compared, by name, four bytes a cell.
    """

    noun: str
    keys: Digests
    columns: dict[str, Digests]

    def __post_init__(self) -> None:
        """Check that every column has a cell for each row."""
        if any(cells.shape != self.keys.shape for cells in self.columns.values()):
            raise ValueError("digests of rows that do not fit together")


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 class`, `2 classes`, `12,000 documents`."""
    plural = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{plural}"


def explain_rows(old: Rows, new: Rows) -> list[str]:
    """Return what differs: `keywords of 2 classes changed`, `100 documents added`; [] where nothing is seen."""
    _, before, after = np.intersect1d(old.keys, new.keys, assume_unique=True, return_indices=True)
    numbers = {"added": len(new.keys) - len(after), "removed": len(old.keys) - len(before)}
    words = [f"{count(number, new.noun)} {verb}" for verb, number in numbers.items() if number]
    words += [f"column {name} added" for name in new.columns if name not in old.columns]
    words += [f"column {name} removed" for name in old.columns if name not in new.columns]
    shared = [name for name in new.columns if name in old.columns]
    changed = {name: old.columns[name][before] != new.columns[name][after] for name in shared}
    changed = {name: mask for name, mask in changed.items() if mask.any()}
    if changed:
        number = int(np.any([*changed.values()], axis=0).sum())
        subject = f"{' and '.join(changed)} of " if len(changed) <= 2 else ""
        words.append(f"{subject}{count(number, new.noun)} changed")
    if not words and not np.array_equal(old.keys, new.keys):
        words.append(f"order of the {count(2, new.noun).partition(' ')[2]} changed")
    return words


def digest_rows(noun: str, keys: Sequence[object], columns: Mapping[str, Sequence[object]]) -> Rows:
    """Return the digests of a table; a key that comes again gets its number added."""
    digests = pd.Series(_hash_values(keys))
    numbers = digests.groupby(digests).cumcount().to_numpy().astype(np.uint64)
    unique = digests.to_numpy() + numbers * np.uint64(0x9E3779B97F4A7C15)  # wraps
    return Rows(noun, unique, {name: _hash_values(values).astype(np.uint32) for name, values in columns.items()})


def _hash_values(values: Sequence[object]) -> npt.NDArray[np.uint64]:
    # As texts, because pandas hashes no lists; `repr` also writes lone surrogates in a way that can be encoded.
    texts = np.array([value if isinstance(value, bytes) else repr(value) for value in values], dtype=object)
    return pd.util.hash_array(texts, categorize=False)


# ---------------------------------------------------------------------- files


def describe_file(
    path: Path, separator: str | None = None, words: Mapping[str, str] | None = None
) -> tuple[str, Rows | None]:
    """Return the shape of what a file holds, for people, and the digests of its rows.

    The shape is rows x columns of a table, the shapes of tensors, lines of a text; empty for anything else. There are
    no digests of what has no rows, or more than `MAX_ROWS`.

    Args:
        path: a parquet, CSV, safetensors or text file; or any other.
        separator: between key and value of a text file's lines.
        words: `row`, what a row is about, and `value`, what the value of a line is; without `value` a line counts as
            a whole.

    Raises:
        Exception: whatever a damaged file makes of its reader.
    """
    words = words or {}
    if path.suffix == ".parquet":
        return _read_parquet(path, words.get("row"))
    if path.suffix == ".csv":
        return _read_csv(path, words.get("row"))
    if path.suffix == ".safetensors":
        return _read_tensors(path)
    if path.suffix == ".txt":
        return _read_lines(path, separator, words)
    return "", None


def _read_parquet(path: Path, noun: str | None) -> tuple[str, Rows | None]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:  # `read_table` would take some more modules in
        n, m = file.metadata.num_rows, file.metadata.num_columns
        return f"{n:,} x {m}", _digest_table(file.read().to_pydict(), noun) if n <= MAX_ROWS else None


def _read_csv(path: Path, noun: str | None) -> tuple[str, Rows | None]:
    csv.field_size_limit(MAX_FIELD)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as handle:
        records = csv.reader(handle)
        header = next(records, [])
        rows = list(islice(records, MAX_ROWS))
        more = sum(1 for _ in records)
    columns = {name: [row[c] if c < len(row) else None for row in rows] for c, name in enumerate(header)}
    return f"{len(rows) + more:,} x {len(header)}", None if more else _digest_table(columns, noun)


def _digest_table(table: Mapping[str, Sequence[object]], noun: str | None) -> Rows:
    for names, about in KEYS.items():
        if all(name in table for name in names):
            keys = list(zip(*(table[name] for name in names), strict=True))
            return digest_rows(noun or about, keys, {k: v for k, v in table.items() if k not in names})
    return digest_rows(noun or "row", range(len(next(iter(table.values()), []))), table)


def _read_tensors(path: Path) -> tuple[str, Rows | None]:
    with path.open("rb") as handle:
        tensors = read_tensor_header(handle)
        ids = json.loads(tensors.pop("__metadata__")["ids"])
        data = handle.read() if len(ids) <= MAX_ROWS else None
    shapes = {" x ".join(f"{n:,}" for n in tensor["shape"]) for tensor in tensors.values()}
    if data is None:
        return ", ".join(sorted(shapes)), None
    columns = {}
    for name, tensor in tensors.items():
        start, end = tensor["data_offsets"]
        width = (end - start) // max(len(ids), 1)
        columns[name] = [data[start + i * width : start + (i + 1) * width] for i in range(len(ids))]
    return ", ".join(sorted(shapes)), digest_rows("row", ids, columns)


def _read_lines(path: Path, separator: str | None, words: Mapping[str, str]) -> tuple[str, Rows | None]:
    lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    shape, noun = f"{len(lines):,} lines", words.get("row", "line")
    if len(lines) > MAX_ROWS:
        return shape, None
    lines = [line.strip() for line in lines if line.strip()]
    if "value" not in words or separator is None:
        return shape, digest_rows(noun, lines, {})
    parts = [line.partition(separator.encode()) for line in lines]
    values = [value.strip() for _, _, value in parts]
    return shape, digest_rows(noun, [key.strip() for key, _, _ in parts], {words["value"]: values})
