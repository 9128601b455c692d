"""Reading the raw files of a dataset, with the line number of everything that is wrong.

All raw text files have one shape, `<key><separator><value>` a line, so one reader serves them all. It never
raises for a bad line: it keeps the line number and the problem, and `raw_taxonomy`, `raw_documents`,
`gold_labels` and `labels` decide. Every message reads `<file>:<line>: what is wrong; how to mend it`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hmltc_kedro.corpus.csv_cells import restore_cell
from hmltc_kedro.corpus.parquet_files import TextColumn, read_parquet_columns
from hmltc_kedro.errors import InputError

MAX_FIELD = 2**31 - 1
"""Characters of one CSV field; the csv module's own limit, 131,072, is short of a long document."""


SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, eq=False)
class RawTable:
    """The lines of one raw file.

    Attributes:
        path: where it came from, for messages.
        rows: columns line (int, from 1), key, value, problem (text, or missing when the line is fine).
        exists: False for an optional file that is not there; rows is then empty.
        unit: what `line` counts where it is no line of the file.
    """

    path: str
    rows: pd.DataFrame
    exists: bool = True
    unit: str = ""

    def at(self, line: int) -> str:
        """Return `<file>:<line>`, or `<file>, <unit> <line>`."""
        return f"{self.path}, {self.unit} {line}" if self.unit else f"{self.path}:{line}"

    def raise_problems(self) -> None:
        """Raise an InputError that lists the unreadable lines, if there are any."""
        bad = self.rows[self.rows["problem"].notna()]
        if len(bad):
            raise InputError.from_problems(
                [f"{self.at(n)}: {p}" for n, p in zip(bad["line"], bad["problem"], strict=True)]
            )


def make_rows(lines: list[int], keys: list[str], values: list[str], problems: list[str | None]) -> pd.DataFrame:
    """Return the `rows` frame of a RawTable."""
    return pd.DataFrame(
        {
            "line": pd.Series(lines, dtype="int64"),
            "key": pd.Series(keys, dtype="str"),
            "value": pd.Series(values, dtype="str"),
            "problem": pd.Series(problems, dtype="str"),
        }
    )


def read_text_table(path: Path, separator: str) -> RawTable:
    """Read a `<key><separator><value>` file; blank lines are passed over, a byte order mark is dropped.

    Raises:
        InputError: the file is a spreadsheet or UTF-16.
    """
    _check_encoding(path, str(path))
    lines: list[int] = []
    keys: list[str] = []
    values: list[str] = []
    problems: list[str | None] = []
    shown = "TAB" if separator == "\t" else separator
    for number, raw in enumerate(_iterate_lines(path), start=1):
        if not raw.strip():
            continue
        problem = None
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            text = raw.decode("utf-8", errors="replace").rstrip("\r\n")
            problem = f"byte {error.start + 1} of the line is not UTF-8; save the file as UTF-8"
        key, found, value = text.partition(separator)
        if problem is None and "\r" in text:
            problem = "a carriage return within the line; end every line of the file with a line feed"
        if problem is None and not found:
            problem = f"the line has no {shown}; write <key>{shown}<value>"
        lines.append(number)
        keys.append(key.strip())
        values.append(value.strip())
        problems.append(problem)
    return RawTable(str(path), make_rows(lines, keys, values, problems))


def _iterate_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file; in one without line feeds, as old programs write it, carriage returns end them."""
    with path.open("rb") as handle:
        first = handle.readline()
        alone = b"\r" in first.rstrip(b"\r\n") and not handle.peek(1)
        yield from first.split(b"\r") if alone else [first]
        yield from handle


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are read.

    Attributes:
        key: the columns that name a row; the values of several are joined by `/`. Without one rows are numbered from 0.
        values: the columns with what the row says; those of several that are not empty are joined by a space.
        owner: who has these columns, for messages.
        guarded: whether cells may have an apostrophe before what a spreadsheet would run, see `csv_cells`.
    """

    key: tuple[str, ...]
    values: tuple[str, ...]
    owner: str = "this file has"
    guarded: bool = False

    def __str__(self) -> str:
        """Return them as they are named in a setting."""
        return f"{', '.join(self.key)}: {', '.join(self.values)}"

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.key, *self.values)

    def locate(self, path: Path | str, found: Sequence[str]) -> dict[str, int]:
        """Return where in a header each of them stands; in other capitals if none is written as here.

        Raises:
            InputError: it says which ones are missing or there twice, or what stands between the columns where it is
                no comma.
        """
        places = {name: _find_column(name, found) for name in self.names}
        missing = [name for name, where in places.items() if not where]
        twice = [f"{' and '.join(found[c] for c in where)} are one column" for where in places.values() if where[1:]]
        if twice:
            raise InputError(f"{path}:1: {'; '.join(twice)} to this reader; rename or remove all but one")
        if not missing:
            return {name: where[0] for name, where in places.items()}
        for separator, shown in ((";", ";"), ("\t", "TAB"), ("|", "|")):
            cells = [cell.strip(' "') for cell in ",".join(found).split(separator)]
            if all(_find_column(name, cells) for name in self.names):
                raise InputError(f"{path}:1: {shown} between the columns where CSV has a comma; save it with commas")
        listed = " and ".join(filter(None, (", ".join(self.names[:-1]), self.names[-1])))
        named = "columns" if len(self.names) > 1 else "column"
        raise InputError(f"{path}:1: no column {', '.join(missing)}; {self.owner} the {named} {listed}")


def join_columns(path: str, columns: Sequence[TextColumn], n_keys: int, first: int = 1) -> RawTable:
    """Return columns of N rows as a table: the first ones name a row, the others say what it says.

    Args:
        path: what the file is called in messages.
        columns: of N rows each.
        n_keys: how many of them name a row; without one its number does, from 0.
        first: number of the first row, as messages count, from 1.
    """
    numbers = range(first, first + len(columns[0].texts))
    keys = ["/".join(parts) for parts in zip(*(column.texts for column in columns[:n_keys]), strict=True)]
    keys = keys if n_keys else [str(number - 1) for number in numbers]
    texts = zip(*(column.texts for column in columns[n_keys:]), strict=True)
    values = [" ".join(filter(None, parts)) for parts in texts]
    problems = [next(filter(None, found), None) for found in zip(*(c.problems for c in columns), strict=True)]
    return RawTable(path, make_rows(list(numbers), keys, values, problems))


def _find_column(name: str, found: Sequence[str]) -> list[int]:
    exact = [place for place, cell in enumerate(found) if cell == name]
    return exact or [place for place, cell in enumerate(found) if cell.strip().casefold() == name.casefold()]


CORPUS = Columns(("doc_id",), ("text",), owner="a corpus has")


def read_corpus_frame(path: Path, columns: Columns = CORPUS) -> RawTable:
    """Read a CSV or Parquet corpus with the columns doc_id and text, or those that stand for them.

    `line` is the line of the file on which a CSV record begins; of a Parquet file it is the row, from 1, of a folder
    of Parquet files the row when they are read by name one after the other.

    Raises:
        InputError: the columns are not there, or the file is not CSV or Parquet.
    """
    if path.suffix != ".parquet":
        return read_csv_table(path, columns)
    found = read_parquet_columns(path, columns.locate, columns.names, ids=columns.key)
    return join_columns(str(path), found, len(columns.key))


def read_csv_table(path: Path, columns: Columns) -> RawTable:
    """Read two or more columns of a CSV file; others are passed over.

    `line` is the line of the file on which a record begins.

    Raises:
        InputError: the columns are not there, or the file is not CSV in UTF-8.
    """
    return make_csv_table(path, columns, read_csv_records(path, columns))


def make_csv_table(path: Path | str, columns: Columns, records: Iterable[CsvRecord], first: int = 0) -> RawTable:
    """Return some records of a CSV file as a table.

    Args:
        path: what the file is called in messages.
        columns: of the records.
        records: from `read_csv_records`.
        first: number of the first record, from 0.
    """
    lines: list[int] = []
    keys: list[str] = []
    values: list[str] = []
    problems: list[str | None] = []
    for line, record, problem in records:
        lines.append(line)
        named = "/".join(record[name].strip() for name in columns.key)
        keys.append(named if columns.key else str(first + len(keys)))
        values.append(" ".join(filter(None, (record[name].strip() for name in columns.values))))
        problems.append(problem)
    return RawTable(str(path), make_rows(lines, keys, values, problems))


def read_header(path: Path) -> list[str]:
    """Return the names of the columns of a CSV or Parquet file, or of the first file of a folder of Parquet files."""
    if path.suffix.lower() == ".csv":
        csv.field_size_limit(MAX_FIELD)
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as handle:
            return next(csv.reader(handle), [])
    headers: list[list[str]] = []

    def see(_: Path | str, header: Sequence[str]) -> dict[str, int]:
        headers.append(list(header))
        return {}

    read_parquet_columns(path, see, (), ())
    return headers[0]


CsvRecord = tuple[int, dict[str, str], str | None]
"""The line on which a record begins, its cells by column, and what is wrong with it."""


def read_csv_records(path: Path, columns: Columns, called: str | None = None) -> Iterator[CsvRecord]:
    """Yield the records of a CSV file.

    Blank lines are passed over, a byte order mark is dropped, and a cell that is missing is empty.

    Args:
        path: the file.
        columns: that it has to have.
        called: what it is called in messages, if that is not its path.

    Raises:
        InputError: as `read_csv_table`.
    """
    shown = called or str(path)
    _check_encoding(path, shown)
    csv.field_size_limit(MAX_FIELD)
    # Bytes that are not UTF-8 become lone surrogates here, so that their line can be told.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as handle:
        reader = csv.reader(handle, strict=True)
        before = 0
        try:
            header = [name.strip() for name in next(reader, [])]
            own = {place: name for name, place in columns.locate(shown, header).items()}
            places: dict[str, int] = {}
            for place, name in enumerate(header):
                places.setdefault(own.get(place, name), place)
            before = reader.line_num
            for record in reader:
                line, before = before + 1, reader.line_num
                if not record:
                    continue
                problem = None
                if any(SURROGATE.search(field) for field in record):
                    problem = "bytes that are not UTF-8; save the file as UTF-8"
                elif len(record) != len(header):
                    problem = f"{len(record)} fields for {len(header)} columns; quote texts that hold a comma"
                cells = [SURROGATE.sub("\ufffd", field) for field in record]
                cells = [restore_cell(cell.strip()) for cell in cells] if columns.guarded else cells
                yield line, {n: cells[c] if c < len(cells) else "" for n, c in places.items()}, problem
        except csv.Error as error:
            # A quote that is not closed is noticed where it has swallowed the rest of the file.
            begin = f", of the record that begins on line {before + 1}" if reader.line_num > before + 1 else ""
            raise InputError(f"{shown}:{reader.line_num}: not CSV ({error}); check the quotes{begin}") from error


def _check_encoding(path: Path, shown: str) -> None:
    """Refuse what spreadsheets save instead of text in UTF-8 unless they are told to."""
    with path.open("rb") as handle:
        head = handle.read(64)
    if head.startswith(b"PK\x03\x04"):
        kind = "CSV" if path.suffix == ".csv" else "text"
        raise InputError(f"{shown}:1: a spreadsheet and no {kind}; save it as {kind} in UTF-8")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise InputError(f"{shown}:1: the file is UTF-16; save it as UTF-8")
