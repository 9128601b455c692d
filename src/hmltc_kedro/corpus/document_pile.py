"""One pile of documents that nobody has split, and its two parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from hmltc_kedro.corpus.class_lists import NO_TAB
from hmltc_kedro.corpus.parquet_files import read_parquet_columns
from hmltc_kedro.corpus.raw_documents import check_documents
from hmltc_kedro.corpus.raw_files import (
    Columns,
    RawTable,
    join_columns,
    read_csv_table,
    read_header,
    read_text_table,
)
from hmltc_kedro.errors import InputError

NOT_CSV = re.compile("[;\t\0]|^PK")
"""In a header of one column: other separators, UTF-16, a spreadsheet; `raw_files` knows what to say."""

BREAKS = re.compile(r"\s*[\r\n]+\s*")
"""Ends of lines within a text: a raw file has a document a line."""


@dataclass(frozen=True, eq=False)
class Pile:
    """Documents of one file.

    Attributes:
        form: how they are written there, for people.
        documents: columns doc_id and text; unique ids, no empty text, each text one line.
        n_joined: how many texts had several lines.
    """

    form: str
    documents: pd.DataFrame
    n_joined: int

    def split(self, test_share: float, seed: int) -> dict[str, pd.DataFrame]:
        """Return the documents in two parts, drawn with the seed and in their old order; neither is empty.

        Args:
            test_share: what part of them is `test`, between 0 and 1.
            seed: of the draw.
        """
        n = len(self.documents)
        n_test = min(max(1, round(test_share * n)), n - 1)
        is_test = np.zeros(n, dtype=bool)
        is_test[np.random.default_rng(seed).permutation(n)[:n_test]] = True
        return {"train": self.documents[~is_test], "test": self.documents[is_test]}


def read_pile(path: Path, id_column: str | None = None, text_columns: Sequence[str] = ("text",)) -> Pile:
    """Read the documents of a CSV or Parquet file or of a folder of Parquet files, or of text with one a line.

    Documents without ids are numbered from 0, in their order.

    Args:
        path: the file or folder.
        id_column: of a table; `doc_id` or else `id` if it is left out and there is one.
        text_columns: of a table; several are joined by a space.

    Raises:
        InputError: with file and line, for a missing or unreadable file, a column that is not there, an empty text,
            an id twice, ids on some lines alone, or fewer than two documents.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; give the file of your documents")
    if path.suffix.lower() == ".csv":
        form, table = _read_csv(path, id_column, text_columns)
    elif path.suffix == ".parquet" or path.is_dir():
        form, table = _read_parquet(path, id_column, text_columns)
    else:
        form, table = _read_text(path)
    n_joined = int(table.rows["value"].str.contains(r"[\r\n]").sum())
    rows = table.rows.assign(value=table.rows["value"].str.replace(BREAKS, " ", regex=True))
    documents, rejected = check_documents({"": replace(table, rows=rows)}, skip_invalid=True)
    if len(rejected):
        problems = zip(rejected["line"], rejected["reason"], strict=True)
        raise InputError.from_problems([f"{table.at(n)}: {reason}" for n, reason in problems])
    if len(documents) < 2:
        raise InputError(f"{path}:1: {len(documents) or 'no'} documents; two at least, one for each of train and test")
    return Pile(form, documents[["doc_id", "text"]], n_joined)


def _read_text(path: Path) -> tuple[str, RawTable]:
    """Read lines that all have an id and a TAB before the text, or none of them."""
    table = read_text_table(path, "\t")
    rows = table.rows
    bare = rows["problem"].str.startswith(NO_TAB, na=False)
    replace(table, rows=rows[~bare]).raise_problems()
    if not bare.any():
        return "<doc_id>TAB<text>", table
    if not bare.all():
        few = bare.mean() <= 0.5
        has, others = ("no TAB", "have one") if few else ("a TAB", "have none")
        raise InputError(
            f"{table.at(rows.loc[bare if few else ~bare, 'line'].iloc[0])}: the line has {has} and others {others}; "
            "write <doc_id>TAB<text> on every line, or no TAB at all"
        )
    texts = rows.assign(key=_number(len(rows)), value=rows["key"], problem=None)
    return "one text a line", replace(table, rows=texts.astype(rows.dtypes))


def _number(n: int) -> list[str]:
    return list(map(str, range(n)))


def _read_csv(path: Path, id_column: str | None, text_columns: Sequence[str]) -> tuple[str, RawTable]:
    header = read_header(path)
    if len(header) == 1 and NOT_CSV.search(header[0]):
        read_csv_table(path, Columns((id_column or "doc_id",), tuple(text_columns), owner="documents have"))
    columns = _choose_columns(path, header, id_column, text_columns)
    return f"CSV, {_describe(columns)}", read_csv_table(path, columns)


def _read_parquet(path: Path, id_column: str | None, text_columns: Sequence[str]) -> tuple[str, RawTable]:
    columns = _choose_columns(path, read_header(path), id_column, text_columns)
    found = read_parquet_columns(path, columns.locate, columns.names, ids=columns.key)
    return f"Parquet, {_describe(columns)}", join_columns(str(path), found, len(columns.key))


def _choose_columns(path: Path, header: Sequence[str], id_column: str | None, text_columns: Sequence[str]) -> Columns:
    """Return the columns to read; without a key where documents have no id.

    Raises:
        InputError: it says which columns there are.
    """
    known = [name.strip().casefold() for name in header]
    if id_column is None:
        id_column = next((name for name in ("doc_id", "id") if name in known), None)
    columns = Columns((id_column,) if id_column else (), tuple(text_columns), owner="documents have")
    options = dict.fromkeys(columns.values, "--text-column") | dict.fromkeys(columns.key, "--id-column")
    for name, option in options.items():
        if name.casefold() not in known:
            raise InputError(f"{path}:1: no column {name}; give {option} one of {', '.join(header) or 'a header'}")
    return columns


def _describe(columns: Columns) -> str:
    ids = f"ids of the column {columns.key[0]}" if columns.key else "rows numbered"
    return f"{ids}, texts of {' and '.join(columns.values)}"
