"""Excel workbooks: the first sheet as a table of texts, and a sheet that grows."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from hmltc_kedro.errors import InputError

ENDING = ".xlsx"

MOST_ROWS = 1_048_576
"""Of a sheet, its header among them."""


def copy_sheet(source: Path, target: Path) -> None:
    """Write the first sheet of a workbook as CSV, row by row: what is row 7 there is line 7 here.

    A cell is what is seen in it: of a formula its last value, of a number its digits, of a date its ISO form; a line
    break within a cell becomes a space.

    Args:
        source: the workbook.
        target: the file to write.

    Raises:
        InputError: the file is no workbook, or openpyxl is not installed.
    """
    openpyxl = _import_openpyxl(source)
    try:
        with closing(openpyxl.load_workbook(source, read_only=True, data_only=True)) as book:
            rows: Iterator[tuple[Any, ...]] = book.worksheets[0].iter_rows(values_only=True)
            with target.open("w", encoding="utf-8", newline="") as handle:
                csv.writer(handle, lineterminator="\n").writerows([_write_cell(cell) for cell in row] for row in rows)
    except Exception as error:  # a workbook is a zip file of XML: three libraries have errors of their own
        raise InputError(f"{source}: not a readable workbook ({error}); save it again as .xlsx or CSV") from error


def _write_cell(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return " ".join(cell.isoformat().split("T") if isinstance(cell, date) else str(cell).splitlines())


def _import_openpyxl(path: Path) -> Any:
    try:
        import openpyxl
    except ImportError:
        raise InputError(
            f"{path}: openpyxl reads and writes workbooks; pip install 'hmltc_kedro[kedro]', or take a CSV file"
        ) from None
    return openpyxl


class SheetTable:
    """A workbook of one sheet that grows; its texts are texts, whatever they begin with."""

    def __init__(self, path: Path) -> None:
        """Begin the sheet, which is in the file once it is closed."""
        self._path, self._rows = path, 0
        self._book = _import_openpyxl(path).Workbook(write_only=True)
        self._sheet = self._book.create_sheet("labels")

    def write(self, cells: pd.DataFrame) -> None:
        """Add rows, the first time below a header.

        Raises:
            InputError: a sheet does not hold so many.
        """
        header = [list(cells)] if not self._rows else []
        self._rows += len(header) + len(cells)
        if self._rows > MOST_ROWS:
            raise InputError(f"a sheet holds {MOST_ROWS:,} rows; write to a CSV or Parquet file")
        for row in [*header, *cells.itertuples(index=False)]:
            self._sheet.append([self._make_cell(value) for value in row])

    def _make_cell(self, value: object) -> object:
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

        if not isinstance(value, str):
            return None if pd.isna(value) else value  # type: ignore[call-overload]
        cell = WriteOnlyCell(self._sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
        cell.data_type = "s"  # and no formula
        return cell

    def close(self) -> None:
        """Write the file."""
        self._book.save(self._path)
