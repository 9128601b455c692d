"""Columns of Parquet files as texts: each value as it was written, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hmltc_kedro.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


Locate = Callable[[Path, Sequence[str]], Mapping[str, int]]
"""Finds columns in the header of a file."""


@dataclass(frozen=True)
class TextColumn:
    """A column of N rows.

    Attributes:
        texts: without white space around them; empty where there is nothing.
        problems: what is wrong with each, or None.
    """

    texts: list[str] = field(default_factory=list)
    problems: list[str | None] = field(default_factory=list)


def read_parquet_columns(path: Path, locate: Locate, names: Sequence[str], ids: Container[str]) -> list[TextColumn]:
    """Return columns of a Parquet file, or of all files of a folder, as Spark and Dask write them, by their names.

    Texts are read, bytes in UTF-8, and of an id whole numbers, digit by digit however large. A decimal number or a
    truth value is none: the next program writes it another way.

    Args:
        path: a file or a folder.
        locate: finds columns in the header of a file, which it may refuse.
        names: of the columns.
        ids: those of them that are ids.

    Raises:
        InputError: there is no file, or one is not Parquet.
    """
    columns = [TextColumn() for _ in names]
    for part in _list_parts(path):
        for name, column, read in zip(names, columns, _read_part(part, locate, names), strict=True):
            for text, problem in _read_values(read, name, name in ids):
                column.texts.append(text)
                column.problems.append(problem)
    return columns


def _list_parts(path: Path) -> list[Path]:
    """Return the files of a folder without what its writer keeps for itself, such as `_SUCCESS` and `_temporary`."""
    if not path.is_dir():
        return [path]
    files = [file for file in sorted(path.rglob("*.parquet")) if file.is_file()]
    parts = [f for f in files if not any(name.startswith(("_", ".")) for name in f.relative_to(path).parts)]
    if not parts:
        raise InputError(f"{path}: a folder without a Parquet file; write it again")
    return parts


def _read_part(part: Path, locate: Locate, names: Sequence[str]) -> list[pa.ChunkedArray]:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(part) as file:
            found = file.schema_arrow.names
            places = locate(part, found)
            table = file.read(columns=[found[places[name]] for name in names])
    except InputError:
        raise
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise InputError(f"{part}: not a readable Parquet file ({error}); write it again") from error
    return [table.column(found[places[name]]) for name in names]


def _read_values(column: pa.ChunkedArray, name: str, is_id: bool) -> Iterator[tuple[str, str | None]]:
    """Yield the values as texts, with what is wrong with each."""
    import pyarrow as pa
    import pyarrow.types as kinds

    if kinds.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    whole = kinds.is_integer(kind) or (kinds.is_decimal(kind) and kind.scale == 0)
    if is_id and whole:
        column = column.cast(pa.string())
    try:
        column = column.cast(pa.large_binary())  # what calls itself text may not be UTF-8 either
    except pa.ArrowNotImplementedError:
        problem = f"{name} is of the type {kind}; save the column as text"
        yield from (("", None if missing else problem) for missing in column.is_null().to_pylist())
    else:
        yield from map(_decode, column.to_pylist())


def _decode(value: bytes | None) -> tuple[str, str | None]:
    try:
        return (value or b"").decode("utf-8").strip(), None
    except UnicodeDecodeError:
        assert value is not None
        return value.decode("utf-8", "replace").strip(), "bytes that are not UTF-8; save the file as UTF-8"
