"""Gold labels: checked by `ingest`, used by the evaluation and by nothing else."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from scipy import sparse

from hmltc_kedro.arrays import IntArray
from hmltc_kedro.corpus.raw_files import RawTable
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy

logger = logging.getLogger(__name__)


def read_gold_labels(gold: RawTable, taxonomy: Taxonomy, doc_ids: set[str] | None) -> dict[str, list[str]]:
    """Return {doc_id: class ids} of a gold file after checking it; {} if there is none.

    Args:
        gold: `<doc_id>TAB<id>,<id>,...` lines.
        taxonomy: says which class ids exist.
        doc_ids: the ids of the raw test corpus, set-aside documents included; None: do not check.

    Raises:
        InputError: a document twice, an unknown document or class, or no label.
    """
    gold.raise_problems()
    problems = []
    labels: dict[str, list[str]] = {}
    for line, doc_id, value in zip(gold.rows["line"], gold.rows["key"], gold.rows["value"], strict=True):
        ids = [i.strip() for i in value.split(",") if i.strip()]
        unknown = [i for i in ids if i not in taxonomy.index]
        if doc_id in labels:
            problems.append(f"{gold.at(line)}: document {doc_id!r} has labels above; join the lines")
        elif doc_ids is not None and doc_id not in doc_ids:
            problems.append(f"{gold.at(line)}: document {doc_id!r} is not in the test corpus; remove the line")
        if unknown:
            problems.append(
                f"{gold.at(line)}: unknown class {', '.join(map(repr, unknown))}; use the ids of classes.txt"
            )
        if not ids:
            problems.append(f"{gold.at(line)}: no label; write <doc_id>TAB<id>,<id>,...")
        labels[doc_id] = list(dict.fromkeys(ids))
    if problems:
        raise InputError.from_problems(problems)
    return labels


def align_gold_labels(gold: RawTable, taxonomy: Taxonomy, doc_ids: Sequence[str]) -> tuple[sparse.csr_array, IntArray]:
    """Return the gold label sets of the n documents that have them, and where these stand in `doc_ids`.

    Args:
        gold: see `read_gold_labels`.
        taxonomy: of C classes.
        doc_ids: of the documents that were labelled.

    Returns:
        Sparse 0/1 matrix of shape (n, C), and positions of shape (n,).

    Raises:
        InputError: as `read_gold_labels`, or none of the gold documents is among `doc_ids`.
    """
    labels = read_gold_labels(gold, taxonomy, doc_ids=None)
    place = {doc_id: row for row, doc_id in enumerate(doc_ids)}
    known = [doc_id for doc_id in labels if doc_id in place]
    if labels and not known:
        raise InputError(f"{gold.path}:1: none of these documents has a prediction; run infer")
    if len(known) < len(labels):
        logger.warning("%d gold documents have no prediction", len(labels) - len(known))
    return taxonomy.to_matrix([labels[i] for i in known]), np.array([place[i] for i in known], dtype=np.int64)
