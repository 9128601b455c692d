"""What goes out to people for review and what comes back, whichever tool they use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmltc_kedro.corpus.raw_files import RawTable, make_rows
from hmltc_kedro.errors import InputError

MODEL = "hmltc"
"""What predictions are signed with."""

Answer = tuple[int, str, str, str | None]
"""Line or number, key of the document, classes, and what is wrong with it."""


@dataclass(frozen=True)
class ReviewItem:
    """A document to look at.

    Attributes:
        split: `train` or `test`.
        doc_id: within the split.
        text: of the document.
        paths: that were predicted, class positions, best first.
        scores: of these paths.
        runners_up: further paths on offer, best first.
        doubt: in the prediction, 0 to 1.
        expected_f1: of the prediction, in the classifier's own opinion.
    """

    split: str
    doc_id: str
    text: str
    paths: tuple[tuple[int, ...], ...]
    scores: tuple[float, ...]
    runners_up: tuple[tuple[int, ...], ...]
    doubt: float
    expected_f1: float


@dataclass(frozen=True)
class Answers:
    """What a reviewed file says.

    Attributes:
        table: one row an answer, as `read_labels` takes it.
        skipped: documents without an answer.
        as_predicted: keys of those whose classes are as they were exported.
    """

    table: RawTable
    skipped: int
    as_predicted: frozenset[str] = frozenset()


def make_table(path: Path, rows: Sequence[Answer], unit: str = "") -> RawTable:
    """Return answers as the raw table that `read_labels` takes."""
    lines, keys, values = [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
    return RawTable(str(path), make_rows(lines, keys, values, [row[3] for row in rows]), unit=unit)


def parse_json(content: bytes, place: str) -> Any:
    """Return what JSON says.

    Raises:
        InputError: it is none; `place` says where it was read.
    """
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: bytes that are not UTF-8; save the file as UTF-8") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{place}: not JSON ({error}); export it again") from error


def as_list(value: Any) -> list[Any]:
    """Return what should be a list; nothing if it is none."""
    return value if isinstance(value, list) else []


def list_objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects in what should be a list of them."""
    return (item for item in as_list(value) if isinstance(item, dict))


def collect(
    path: Path, items: Sequence[tuple[int, Any]], find: Callable[[Any], tuple[str, list[str]]], unit: str
) -> Answers:
    """Return the one answer to each document; several people may have given it, if they agree."""
    rows: list[Answer] = []
    skipped = 0
    for number, item in items:
        try:
            key, answers = find(item)
        except InputError as error:
            rows.append((number, "", "", str(error)))
            continue
        different = {frozenset(part.strip() for part in a.split(";")): a for a in answers if a.strip()}
        if len(different) > 1:
            shown = ", and ".join(f"`{answer}`" for answer in different.values())
            rows.append((number, key, "", f"{len(different)} answers that differ: {shown}; keep one"))
        elif different:
            rows.append((number, key, next(iter(different.values())), None))
        else:
            skipped += 1
    return Answers(make_table(path, rows, unit), skipped)
