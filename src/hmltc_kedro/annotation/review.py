"""A round trip for people: the documents to look at go out, and what people say of them comes back as `labels.csv`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from hmltc_kedro.annotation.argilla import read_argilla, write_argilla
from hmltc_kedro.annotation.label_studio import read_label_studio, write_label_studio
from hmltc_kedro.annotation.review_items import Answers, ReviewItem
from hmltc_kedro.annotation.spreadsheet import read_table, write_table
from hmltc_kedro.atomic import write_file
from hmltc_kedro.corpus.labels import COLUMNS, read_labels
from hmltc_kedro.corpus.raw_documents import select_split
from hmltc_kedro.corpus.raw_files import RawTable, make_rows, read_csv_records, read_csv_table
from hmltc_kedro.corpus.tensors import document_keys
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy

Format = Literal["csv", "label-studio", "argilla"]

ENDINGS: dict[str, Format] = {".csv": "csv", ".json": "label-studio", ".jsonl": "argilla"}

MAX_RUNNERS_UP = 8
"""Paths on offer beside the predicted ones: the right path is among our best eight for 85 documents of 100."""


def choose_items(
    diagnostics: pd.DataFrame,
    predictions: pd.DataFrame,
    candidates: pd.DataFrame,
    documents: pd.DataFrame,
    labels: pd.DataFrame,
    taxonomy: Taxonomy,
    count: int,
) -> list[ReviewItem]:
    """Return the most doubtful test documents that no person has labelled.

    Args:
        diagnostics: columns doc_id, doubt and expected_f1, the most doubtful first.
        predictions: columns doc_id, paths and scores.
        candidates: columns split, doc_id and path, the best of a document first; not every document needs some.
        documents: columns split, doc_id and text.
        labels: of people, columns split and doc_id.
        taxonomy: the classes.
        count: of documents, at most.

    Raises:
        InputError: the entries are of different documents, or there is nothing left to look at.
    """
    texts = select_split(documents, "test").set_index("doc_id")["text"]
    predicted = predictions.set_index("doc_id")
    given = set(select_split(labels, "test")["doc_id"])
    if not set(diagnostics["doc_id"]) <= set(texts.index) & set(predicted.index):
        raise InputError("`document_diagnostics` has documents that are not predicted; run `kedro refresh`")
    chosen = diagnostics[~diagnostics["doc_id"].isin(given)].head(count)
    if chosen.empty:
        raise InputError("there is nothing to review: every test document has a label in labels.csv")
    rows = select_split(candidates, "test")
    offers = rows[rows["doc_id"].isin(chosen["doc_id"])].groupby("doc_id", sort=False)["path"].agg(list)
    runners_up = {str(key): [_to_positions(path, taxonomy) for path in paths] for key, paths in offers.items()}
    items = []
    for doc_id, doubt, expected in chosen[["doc_id", "doubt", "expected_f1"]].itertuples(index=False):
        row = predicted.loc[doc_id]
        paths = [_to_positions(path, taxonomy) for path in row["paths"]]
        others = [path for path in runners_up.get(doc_id, []) if path not in paths][:MAX_RUNNERS_UP]
        scores = tuple(round(float(score), 4) for score in row["scores"])
        items.append(
            ReviewItem(
                "test", doc_id, texts[doc_id], tuple(paths), scores, tuple(others), float(doubt), float(expected)
            )
        )
    return items


def _to_positions(path: Sequence[str], taxonomy: Taxonomy) -> tuple[int, ...]:
    return tuple(taxonomy.index[class_id] for class_id in path)


# ---------------------------------------------------------------------- files


def choose_format(path: Path, wanted: str | None) -> Format:
    """Return the format that was asked for, or that the file's ending stands for.

    Raises:
        InputError: the ending stands for none.
    """
    for known in ENDINGS.values():
        if known == wanted:
            return known
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path}: the ending says no format; use {', '.join(ENDINGS)}, or --format")
    return ENDINGS[path.suffix.lower()]


def write_items(items: Sequence[ReviewItem], path: Path, file_format: Format, taxonomy: Taxonomy) -> list[Path]:
    """Write the documents to look at, and beside them what the tool has to know; return the files.

    Raises:
        InputError: a file is there already (it may hold somebody's work), the folder is not, or the taxonomy is too
            large for the tool.
    """
    writers = {"csv": write_table, "label-studio": write_label_studio, "argilla": write_argilla}
    contents = writers[file_format](items, path, taxonomy)
    if present := [file for file in contents if file.exists()]:
        raise InputError(f"{present[0]}: there already; import it first, move it away or give another name")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder; make it or give another one")
    for file, content in contents.items():
        # Excel takes a table for UTF-8 if it begins with a byte order mark.
        file.write_text(content, "utf-8-sig" if file_format == "csv" else "utf-8", newline="")
    return list(contents)


def read_answers(path: Path, file_format: Format, taxonomy: Taxonomy) -> Answers:
    """Read a reviewed file.

    Raises:
        InputError: it is not there or not in this format. What is wrong with single answers is left to `read_labels`.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the one that was reviewed")
    if file_format == "csv":
        return read_table(path)
    return read_label_studio(path, taxonomy) if file_format == "label-studio" else read_argilla(path)


# ---------------------------------------------------------------------- back


@dataclass(frozen=True)
class Imported:
    """What came of an import, in documents.

    Attributes:
        added: had no label.
        changed: had another one.
        unchanged: had this one.
        skipped: stand in the file without an answer.
        as_predicted: of those that have a label now, how many were left as they were exported.
    """

    added: int
    changed: int
    unchanged: int
    skipped: int
    as_predicted: int

    def describe(self) -> str:
        """Return the numbers in words."""
        kinds = (f"{getattr(self, kind)} {kind}" for kind in ("added", "changed", "unchanged"))
        left = f" ({self.as_predicted} of them as predicted)" if self.as_predicted else ""
        return f"{', '.join(kinds)}{left}, {self.skipped} skipped (no answer)"


def import_answers(
    source: Path, labels_path: Path, documents: pd.DataFrame, taxonomy: Taxonomy, file_format: Format
) -> Imported:
    """Merge the answers of a reviewed file into `labels.csv`; nothing is written if anything is wrong.

    A document that is there already gets the new answer and keeps its line and its other columns; so do all other
    lines. The file appears whole or not at all.

    Args:
        source: the reviewed file.
        labels_path: of `labels.csv`, which need not exist.
        documents: columns split and doc_id.
        taxonomy: the classes.
        file_format: of the reviewed file.

    Raises:
        InputError: as `read_labels`, for either file, or as `read_answers`.
    """
    answers = read_answers(source, file_format, taxonomy)
    new = _read_sets(answers.table, documents, taxonomy)
    exists = labels_path.is_file()
    before = read_csv_table(labels_path, COLUMNS) if exists else RawTable(str(labels_path), make_rows([], [], [], []))
    old = _read_sets(before, documents, taxonomy)
    added = [key for key in new if key not in old]
    changed = [key for key in new if key in old and old[key] != new[key]]
    if added or changed:
        records = [cells for _, cells, _ in read_csv_records(labels_path, COLUMNS)] if exists else []
        _write_labels(labels_path, _merge(records, answers, added, changed))
    as_predicted = sum(key in answers.as_predicted for key in new)
    return Imported(len(added), len(changed), len(new) - len(added) - len(changed), answers.skipped, as_predicted)


def _read_sets(table: RawTable, documents: pd.DataFrame, taxonomy: Taxonomy) -> dict[str, list[str]]:
    """Return the checked label sets by document."""
    labels = read_labels(table, documents, taxonomy)
    return dict(zip(document_keys(labels["split"], labels["doc_id"]), labels["class_ids"], strict=True))


def _merge(
    records: list[dict[str, str]], answers: Answers, added: list[str], changed: list[str]
) -> list[dict[str, str]]:
    values = dict(zip(answers.table.rows["key"], answers.table.rows["value"], strict=True))
    merged = []
    for cells in records:
        key = "/".join(cells[name].strip() for name in COLUMNS.key)
        merged.append({**cells, COLUMNS.values[0]: values[key]} if key in changed else cells)
    empty = dict.fromkeys(records[0] if records else COLUMNS.names, "")
    for key in added:
        split, doc_id = key.split("/", 1)
        merged.append({**empty, "split": split, "doc_id": doc_id, COLUMNS.values[0]: values[key]})
    return merged


def _write_labels(path: Path, records: list[dict[str, str]]) -> None:
    with write_file(path) as part, part.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
