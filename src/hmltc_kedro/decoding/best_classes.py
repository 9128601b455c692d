"""Probabilities of many documents in many classes: the best of each, which read like all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmltc_kedro.arrays import AnyArray, FloatArray, IntArray, find_best
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.taxonomy import Taxonomy

MAX_DENSE = 1024
"""Classes up to which the probabilities of all are kept."""

KEPT = 256
"""Classes a document that are kept of more."""

BLOCK = 16_384
"""Single probabilities looked up at a time."""


@dataclass(frozen=True, eq=False)
class BestClasses:
    """Probabilities of n documents in their best K of C classes; in the others they are 0.

    It reads like the array of shape (n, C): rows come dense, so they are asked for in blocks.

    Attributes:
        probabilities: float32, shape (n, K).
        classes: positions, shape (n, K).
        n_classes: C.
    """

    probabilities: FloatArray
    classes: IntArray
    n_classes: int

    @property
    def shape(self) -> tuple[int, int]:
        """Of the array that this reads like: (n, C)."""
        return len(self.classes), self.n_classes

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the probabilities."""
        return self.probabilities.dtype

    ndim = 2

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self.classes)

    def __getitem__(self, where: Any) -> AnyArray:
        """Return rows of all classes, dense, or single probabilities by (rows, classes)."""
        if isinstance(where, tuple):
            return self._look_up(*np.broadcast_arrays(*where))
        values = np.asarray(self.probabilities[where])
        dense = np.zeros((len(values), self.n_classes), dtype=values.dtype)
        np.put_along_axis(dense, np.asarray(self.classes[where]), values, axis=1)
        return dense

    def take(self, rows: AnyArray) -> BestClasses:
        """Return some of the documents."""
        return BestClasses(self.probabilities[rows], self.classes[rows], self.n_classes)

    def _look_up(self, rows: AnyArray, classes: AnyArray) -> AnyArray:
        found = np.zeros(rows.size, dtype=self.dtype)
        for start in range(0, rows.size, BLOCK):
            own = rows.ravel()[start : start + BLOCK]
            same = self.classes[own] == classes.ravel()[start : start + BLOCK, None]
            found[start : start + BLOCK] = (self.probabilities[own] * same).sum(axis=1)
        return found.reshape(rows.shape)


def keep_best(probabilities: FloatArray, taxonomy: Taxonomy, k: int) -> BestClasses:
    """Return the best k classes of each document, with every class on the way to one of them.

    A class counts as much as the best class at or below it, and of equal ones those above come first: so whatever is
    kept, all its ancestors are, and each document keeps a root.

    Args:
        probabilities: shape (n, C), float32.
        taxonomy: of C classes.
        k: at most C.
    """
    support = np.array(probabilities.T, order="C")
    for c in reversed(taxonomy.topological_order):
        for p in taxonomy.parents[c]:
            np.maximum(support[p], support[c], out=support[p])
    parents_first = np.array(taxonomy.topological_order, dtype=np.int64)
    best = np.sort(parents_first[find_best(support[parents_first].T, k)], axis=1)
    return BestClasses(np.take_along_axis(probabilities, best, axis=1), best, len(taxonomy))


def store_probabilities(
    blocks: Iterator[tuple[IntArray, FloatArray]], ids: list[str], taxonomy: Taxonomy
) -> TensorTable:
    """Return the probabilities of documents as they are stored, see `open_probabilities`; dense ones block by block.

    Args:
        blocks: rows, and their probabilities, shape (rows, C), float32.
        ids: of all n documents.
        taxonomy: of C classes.
    """
    is_dense = len(taxonomy) <= MAX_DENSE
    width = len(taxonomy) if is_dense else KEPT
    arrays: dict[str, AnyArray] = {"probabilities": np.zeros((len(ids), width), dtype=np.float32)}
    if not is_dense:
        arrays["classes"] = np.tile(np.arange(width, dtype=np.int64), (len(ids), 1))
    for rows, block in blocks:
        if is_dense:
            arrays["probabilities"][rows] = block
        else:
            best = keep_best(block, taxonomy, KEPT)
            arrays["probabilities"][rows], arrays["classes"][rows] = best.probabilities, best.classes
    return TensorTable(ids, arrays, columns=taxonomy.class_ids)


def open_probabilities(table: TensorTable, rows: AnyArray | None = None) -> Any:
    """Return what reads like the probabilities of documents, shape (n, C): the array itself, or the best of each.

    Args:
        table: of `store_probabilities`; `columns` has the C class ids.
        rows: the documents; None for all.
    """
    if "classes" not in table.arrays:
        return table["probabilities"] if rows is None else np.asarray(table["probabilities"])[rows]
    best = BestClasses(table["probabilities"], table["classes"], len(table.columns))
    return best if rows is None else best.take(rows)
