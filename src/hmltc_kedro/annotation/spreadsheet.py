"""Documents to review as a table: for spreadsheets, and for the eye."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from hmltc_kedro.annotation.review_items import Answer, Answers, ReviewItem, make_table
from hmltc_kedro.corpus.csv_cells import guard_cell
from hmltc_kedro.corpus.labels import COLUMNS, ClassReader
from hmltc_kedro.corpus.raw_files import read_csv_records
from hmltc_kedro.display import shorten
from hmltc_kedro.taxonomy import Taxonomy

MAX_CELL = 5000
"""Characters of a text; spreadsheets refuse more than 32,767 in a cell."""


def write_table(items: Sequence[ReviewItem], path: Path, taxonomy: Taxonomy) -> dict[Path, str]:
    """Return a CSV file whose column `classes` holds the prediction and waits for a better one."""
    reader, rows = ClassReader(taxonomy), []
    for item in items:
        predicted = reader.write(item.paths)
        rows.append(
            {
                "split": item.split,
                "doc_id": item.doc_id,
                "classes": predicted,
                "text": shorten(item.text, MAX_CELL, " ..."),
                "prediction": predicted,
                "candidates": reader.write(item.runners_up),
                "doubt": f"{item.doubt:.3f}",
                "expected_f1": f"{item.expected_f1:.3f}",
            }
        )
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: guard_cell(cell) for name, cell in row.items()} for row in rows)
    return {path: table.getvalue()}


def read_table(path: Path) -> Answers:
    """Read such a file; a row whose column `classes` was emptied is no answer."""
    rows: list[Answer] = []
    skipped, as_predicted = 0, set()
    for line, cells, problem in read_csv_records(path, COLUMNS):
        key = f"{cells['split']}/{cells['doc_id']}"
        if cells["classes"] or problem:
            rows.append((line, key, cells["classes"], problem))
            if cells["classes"] == cells.get("prediction"):
                as_predicted.add(key)
        else:
            skipped += key != "/"
    return Answers(make_table(path, rows), skipped, frozenset(as_predicted))
