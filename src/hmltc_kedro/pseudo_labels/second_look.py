"""A second look at the corpus: what the documents that were labelled at first sight say about a class.

The texts of the classes label every document; a ridge regression learns these labels and says of each document what
the *others* would label it with, for its own label is not among those it has learned from. What is wrong with one
document's label averages out there; what is wrong with a class's text is learned too, so first sight keeps its say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from hmltc_kedro.arrays import DoubleArray, FloatArray, IntArray

RIDGE = 0.5
"""lambda, for features of about unit length."""

FOLDS = 5
"""A document is scored by what the other folds have taught."""


@dataclass(frozen=True, eq=False)
class SecondLook:
    """Scores of C classes for the N documents that they were learned from, each by the folds it is not in.

    Attributes:
        folds: which one a document is in, (N,).
        weights: of the D features, shape (folds, D, C), float32; they make scores of unit spread over all documents.
        offsets: shape (folds, C), float32.
    """

    folds: IntArray
    weights: FloatArray
    offsets: FloatArray

    def score(self, rows: slice, features: FloatArray) -> FloatArray:
        """Return the scores of a block of documents: (n, C), float32.

        Args:
            rows: of the block.
            features: shape (n, D).
        """
        folds = self.folds[rows]
        scores = np.empty((len(features), self.offsets.shape[1]), dtype=np.float32)
        for fold in np.unique(folds):
            members = folds == fold
            scores[members] = features[members] @ self.weights[fold] + self.offsets[fold]
        return scores


@dataclass(frozen=True, eq=False)
class _Sums:
    """What a ridge regression needs of each fold: its number of rows, and sums over them.

    Attributes:
        rows: (folds,).
        gram: X'X, (folds, D, D).
        cross: X'Y, (folds, D, C).
        features: of the rows of X, (folds, D).
        labels: of the rows of Y, (folds, C).
    """

    rows: DoubleArray
    gram: DoubleArray
    cross: DoubleArray
    features: DoubleArray
    labels: DoubleArray

    @classmethod
    def collect(cls, blocks: Iterable[tuple[slice, FloatArray]], labels: sparse.csr_array, folds: IntArray) -> _Sums:
        left = iter(blocks)
        first = next(left)
        d, c = first[1].shape[1], labels.shape[1]
        sums = cls(*(np.zeros((FOLDS, *shape)) for shape in ((), (d, d), (d, c), (d,), (c,))))
        for rows, features in chain([first], left):
            for fold in np.unique(folds[rows]):
                members = np.flatnonzero(folds[rows] == fold)
                x, y = features[members], sparse.csr_array(labels[rows][members], dtype=np.float32)
                sums.rows[fold] += len(members)
                sums.gram[fold] += x.T @ x
                sums.cross[fold] += (y.T @ x).T
                sums.features[fold] += x.sum(axis=0)
                sums.labels[fold] += y.sum(axis=0)
        return sums


def fit_second_look(blocks: Iterable[tuple[slice, FloatArray]], labels: sparse.csr_array, seed: int) -> SecondLook:
    """Learn labels by ridge regression, for each fold from the others: min ||Y - mean - X W||^2 + lambda ||W||^2.

    Args:
        blocks: rows and features, shape (n, D) float32, of the N > 0 documents block by block.
        labels: Y, the label sets at first sight, sparse (N, C).
        seed: of the folds.
    """
    folds = np.random.default_rng(seed).integers(0, FOLDS, labels.shape[0])
    sums = _Sums.collect(blocks, labels, folds)
    weights, offsets = np.zeros(sums.cross.shape), np.zeros(sums.labels.shape)
    for fold in range(FOLDS):
        others = np.arange(FOLDS) != fold
        offsets[fold] = sums.labels[others].sum(axis=0) / max(sums.rows[others].sum(), 1)
        target = sums.cross[others].sum(axis=0) - np.outer(sums.features[others].sum(axis=0), offsets[fold])
        gram = sums.gram[others].sum(axis=0) + RIDGE * np.eye(sums.gram.shape[1])
        weights[fold] = cho_solve(cho_factor(gram), target)
    spread = _measure_spread(sums, weights, offsets)
    return SecondLook(folds, (weights / spread).astype(np.float32), (offsets / spread).astype(np.float32))


def _measure_spread(sums: _Sums, weights: DoubleArray, offsets: DoubleArray) -> float:
    """Return the standard deviation of all N x C scores, from the sums alone."""
    total = squares = 0.0
    for rows, gram, features, w, b in zip(sums.rows, sums.gram, sums.features, weights, offsets, strict=True):
        projected = features @ w
        total += projected.sum() + rows * b.sum()
        squares += ((gram @ w) * w).sum() + 2 * projected @ b + rows * b @ b
    cells = sums.rows.sum() * offsets.shape[1]
    return float(np.sqrt(max(squares / cells - (total / cells) ** 2, 1e-12)))
