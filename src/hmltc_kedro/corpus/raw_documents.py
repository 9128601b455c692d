"""From the raw corpora to one table of checked documents."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hmltc_kedro.corpus.raw_files import RawTable
from hmltc_kedro.errors import InputError

CONTROL = r"[\x00-\x1f\x7f\x85\u2028\u2029]"
"""What ends a line or a field for one program or another: `submission.csv` and label files hold a document a line."""


MAX_DOCUMENTS = 200_000
"""Documents that are fitted on: words, moments and thresholds of so many say what those of all would."""


def build_documents(tables: dict[str, RawTable], skip_invalid: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (documents, rejected) of corpora that have documents; else see `check_documents`.

    Raises:
        InputError: an empty corpus, and what `check_documents` refuses.
    """
    documents, rejected = check_documents(tables, skip_invalid)
    for split, table in tables.items():
        if not (documents["split"] == split).any():
            raise InputError(f"{table.path}:1: no documents; write <doc_id>TAB<text> lines")
    return documents, rejected


def check_documents(tables: dict[str, RawTable], skip_invalid: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (documents, rejected): columns split, doc_id, text, and line and reason for the rejected.

    Args:
        tables: one raw corpus a split.
        skip_invalid: set bad documents aside instead of raising.

    Raises:
        InputError: unless `skip_invalid`, an unreadable line, an empty id or text, an id of two lines, or a document
            id twice within a split (train and test may both count from 0).
    """
    parts = []
    for split, table in tables.items():
        rows = table.rows.assign(split=split, path=table.path)
        reason = rows["problem"].copy()
        rules = [
            (rows["key"] == "", "no document id; write <doc_id>TAB<text>"),
            (rows["key"].str.contains(CONTROL), "the document id has a line break or TAB in it; write it without"),
            (rows["value"] == "", "the text is empty; write one or remove the line"),
        ]
        for broken, text in rules:
            reason = reason.mask(reason.isna() & broken, text)
        good = rows[reason.isna()]  # an id is not taken by a line that is set aside
        first = good.drop_duplicates("key").set_index("key")["line"]
        twice = reason.isna() & rows.index.isin(good.index[good["key"].duplicated()])
        shown = (
            "document id '"
            + rows["key"]
            + "' is already on line "
            + rows["key"].map(first).astype("Int64").astype("str")
            + "; ids are unique within a split"
        )
        parts.append(rows.assign(reason=reason.mask(twice, shown)))
    rows = pd.concat(parts, ignore_index=True).rename(columns={"key": "doc_id", "value": "text"})
    bad = rows[rows["reason"].notna()]
    if len(bad) and not skip_invalid:
        messages = [f"{p}:{n}: {r}" for p, n, r in zip(bad["path"], bad["line"], bad["reason"], strict=True)]
        messages[0] += " (or set ingest.on_invalid: skip)"
        raise InputError.from_problems(messages)
    documents = rows.loc[rows["reason"].isna(), ["split", "doc_id", "text"]].reset_index(drop=True)
    columns = ["split", "doc_id", "text", "line", "reason"]
    return documents, bad[columns].reset_index(drop=True)


def sample_split(documents: pd.DataFrame, split: str, size: int, seed: int) -> pd.DataFrame:
    """Return the documents with at most `size` of one split, in their order; of the others all.

    A document is drawn by a number made of its id and the seed, so that a corpus that grows keeps most of its sample.
    """
    own = np.flatnonzero(documents["split"] == split)
    if len(own) <= size:
        return documents
    numbers = pd.util.hash_array(documents["doc_id"].to_numpy(object)[own], hash_key=f"{seed:016d}"[-16:])
    left_out = own[np.argsort(numbers, kind="stable")[size:]]
    return documents.drop(index=documents.index[left_out]).reset_index(drop=True)


def select_split(documents: pd.DataFrame, split: str) -> pd.DataFrame:
    """Return the documents of one split, in their order, numbered from 0."""
    chosen: pd.DataFrame = documents[documents["split"] == split].reset_index(drop=True)
    return chosen
