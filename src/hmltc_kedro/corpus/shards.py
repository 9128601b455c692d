"""Bulk files of documents, and the shards that they are cut into."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hmltc_kedro.corpus.parquet_files import read_column
from hmltc_kedro.corpus.raw_files import Columns, RawTable, join_columns, make_csv_table, read_csv_records
from hmltc_kedro.corpus.storage import StoredFile, explain_failure, list_files, open_storage
from hmltc_kedro.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ENDINGS = (".parquet", ".csv")
"""Of files that hold documents."""

READ = 4096
"""Rows of a Parquet file decoded at a time."""

SHARD = 50_000
"""Documents of a shard: what a process holds at a time, and what a killed run loses."""

LOOK = 16
"""Files looked into at a time: each look is a question to the storage and waits for its answer."""


@dataclass(frozen=True)
class Piece:
    """What is read in one go: some rows of a Parquet file, or a whole CSV file.

    Attributes:
        file: of the documents.
        start: its first row, from 0.
        stop: the row after its last one; None where nothing but reading tells.
        rows: how many these are; of a CSV file an estimate by its first lines.
    """

    file: StoredFile
    start: int
    stop: int | None
    rows: int


def find_pieces(source: str, options: Mapping[str, Any]) -> list[Piece]:
    """Return the pieces of all bulk files of a folder, a pattern or a file, by name.

    Args:
        source: any address that fsspec takes.
        options: of the storage.

    Raises:
        InputError: there is no file, or two whose labels would have one name.
    """
    files = list_files(source, ENDINGS, options)
    if not files:
        raise InputError(f"{source}: no parquet or CSV file here; put the documents to label there")
    seen: dict[str, StoredFile] = {}
    for file in files:
        other = seen.setdefault(file.name, file)
        if other is not file:
            lies = f"{other.name.rsplit('/', 1)[-1]}{other.ending}"
            raise InputError(f"{file.address}: {lies} lies beside it and has the same name; rename one of the two")
    with ThreadPoolExecutor(LOOK) as pool:
        return [piece for pieces in pool.map(partial(_cut, options=options), files) for piece in pieces]


def _cut(file: StoredFile, options: Mapping[str, Any]) -> list[Piece]:
    try:
        if file.ending == ".csv":
            return [Piece(file, 0, None, _estimate_rows(file, options))]
        return _cut_parquet(file, options)
    except InputError:
        return [Piece(file, 0, None, 0)]  # whoever reads it will say what is wrong with it


def _cut_parquet(file: StoredFile, options: Mapping[str, Any]) -> list[Piece]:
    with _open_parquet(file, options) as table:
        rows = table.metadata.num_rows
    starts = range(0, max(rows, 1), SHARD)
    return [Piece(file, start, min(start + SHARD, rows), min(SHARD, rows - start)) for start in starts]


def _estimate_rows(file: StoredFile, options: Mapping[str, Any]) -> int:
    system, path = open_storage(file.address, options)
    with explain_failure(file.address, "read", options), system.open(path, "rb") as handle:
        head = bytes(handle.read(2**16))
    lines = head.count(b"\n")
    return max(1, round(file.size * lines / max(1, len(head))) - 1)


def _open_parquet(file: StoredFile, options: Mapping[str, Any]) -> pq.ParquetFile:
    import pyarrow.parquet as pq

    system, path = open_storage(file.address, options)
    with explain_failure(file.address, "read", options):
        try:
            return pq.ParquetFile(path, filesystem=system)
        except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
            raise InputError(f"{file.address}: not a readable Parquet file ({error}); write it again") from error


def read_shards(piece: Piece, columns: Columns, options: Mapping[str, Any]) -> Iterator[RawTable]:
    """Yield the documents of a piece in tables of `SHARD` rows, one at least, which may be empty.

    Raises:
        InputError: the file cannot be read, or lacks a column.
    """
    if piece.file.ending == ".csv":
        yield from _read_csv(piece.file, columns, options)
        return
    # A file that nobody could look into when the run was planned is cut like the others now that it can be read.
    for part in [piece] if piece.stop is not None else _cut_parquet(piece.file, options):
        yield _read_rows(part, columns, options)


def _read_rows(piece: Piece, columns: Columns, options: Mapping[str, Any]) -> RawTable:
    import pyarrow as pa

    file = piece.file
    assert piece.stop is not None
    with _open_parquet(file, options) as table:
        found = table.schema_arrow.names
        places = columns.locate(file.address, found)
        chosen = [found[places[name]] for name in columns.names]
        once = list(dict.fromkeys(chosen))  # an id may be a text as well
        try:
            batches = list(_slice_batches(table, once, piece.start, piece.stop))
        except (OSError, ValueError) as error:
            raise InputError(f"{file.address}: not a readable Parquet file ({error}); write it again") from error
        rows = pa.Table.from_batches(batches, schema=pa.schema([table.schema_arrow.field(name) for name in once]))
    pairs = zip(chosen, columns.names, strict=True)
    read = [read_column(rows.column(own), name, name in columns.key) for own, name in pairs]
    return join_columns(file.address, read, len(columns.key), piece.start + 1)


def _slice_batches(table: pq.ParquetFile, columns: list[str], start: int, stop: int) -> Iterator[pa.RecordBatch]:
    """Yield rows `start` to `stop` of a file; row groups that have none of them are not read."""
    sizes = [table.metadata.row_group(number).num_rows for number in range(table.metadata.num_row_groups)]
    ends = list(accumulate(sizes))
    groups = [number for number, end in enumerate(ends) if end > start and end - sizes[number] < stop]
    before = ends[groups[0]] - sizes[groups[0]] if groups else 0
    for batch in table.iter_batches(READ, row_groups=groups, columns=columns):
        begin, end = max(0, start - before), min(len(batch), stop - before)
        if begin < end:
            yield batch.slice(begin, end - begin)
        before += len(batch)
        if before >= stop:
            return


def _read_csv(file: StoredFile, columns: Columns, options: Mapping[str, Any]) -> Iterator[RawTable]:
    """Read a CSV file, from a copy in this machine's temporary folder if it lies elsewhere."""
    system, path = open_storage(file.address, options)
    with tempfile.TemporaryDirectory() as folder:
        local = Path(path)
        if "file" not in system.protocol:
            local = Path(folder) / "documents.csv"
            system.get_file(path, str(local))
        records = read_csv_records(local, columns, file.address)
        count = 0
        while (rows := list(islice(records, SHARD))) or not count:
            yield make_csv_table(file.address, columns, rows, count)
            count += max(len(rows), 1)
