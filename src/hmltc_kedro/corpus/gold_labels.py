"""Gold labels: checked by `ingest`, used by the evaluation and by nothing else."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from hmltc_kedro.arrays import BoolArray, IntArray
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


@dataclass(frozen=True, eq=False)
class GoldSets:
    """Gold label sets beside what was labelled.

    Attributes:
        doc_ids: of the n documents with gold labels.
        labels: sparse 0/1, shape (n, C).
        labelled: which m of them were labelled, shape (n,).
        rows: where these stand among what was labelled, shape (m,).
    """

    doc_ids: list[str]
    labels: sparse.csr_array
    labelled: BoolArray
    rows: IntArray

    def __len__(self) -> int:
        """Return n."""
        return len(self.doc_ids)

    def leave_out(self, rows: BoolArray) -> GoldSets:
        """Return the sets without some of those that were labelled, shape (m,); what was not labelled stays."""
        kept = np.ones(len(self), dtype=bool)
        kept[self.labelled] = ~rows
        doc_ids = [doc_id for doc_id, stays in zip(self.doc_ids, kept, strict=True) if stays]
        return GoldSets(doc_ids, self.labels[kept], self.labelled[kept], self.rows[~rows])

    def fill(self, labels: sparse.csr_array) -> sparse.csr_array:
        """Return label sets of all n documents, given those of the m: the others have the empty one."""
        sizes = np.zeros(len(self), dtype=np.int64)
        sizes[self.labelled] = np.diff(labels.indptr)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        return sparse.csr_array((labels.data, labels.indices, starts), shape=(len(self), labels.shape[1]))


def align_gold_labels(gold: RawTable, taxonomy: Taxonomy, doc_ids: Sequence[str]) -> GoldSets:
    """Return the gold label sets, and where the documents that have them stand in `doc_ids`.

    Args:
        gold: see `read_gold_labels`.
        taxonomy: of C classes.
        doc_ids: of the documents that were labelled.

    Raises:
        InputError: as `read_gold_labels`, or none of the gold documents is among `doc_ids`.
    """
    labels = read_gold_labels(gold, taxonomy, doc_ids=None)
    place = {doc_id: row for row, doc_id in enumerate(doc_ids)}
    labelled = np.array([doc_id in place for doc_id in labels], dtype=bool)
    if labels and not labelled.any():
        raise InputError(f"{gold.path}:1: none of these documents has a prediction; run infer")
    if not labelled.all():
        logger.warning("%d gold documents have no prediction; they score 0", (~labelled).sum())
    rows = np.array([place[doc_id] for doc_id in labels if doc_id in place], dtype=np.int64)
    return GoldSets(list(labels), taxonomy.to_matrix(labels.values()), labelled, rows)


def warn_of_loose_labels(labels: Mapping[str, Sequence[str]], taxonomy: Taxonomy, path: str) -> None:
    """Say how many gold label sets are no unions of root-to-node paths: leaves alone, for instance.

    Every prediction is such a union, so that even the right one would not score 1.
    """
    loose = ~taxonomy.is_path_consistent(taxonomy.to_matrix(labels.values()))
    if loose.any():
        first = list(labels)[int(loose.argmax())]
        logger.warning(
            "%s: %d of %d gold label sets lack parents of their classes, the first that of document %r; "
            "no prediction scores 1 on them: write each class with its way to a root",
            *(path, loose.sum(), len(labels), first),
        )
