"""A class is believed the more, the more the classes above it are: a puzzle is a toy."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from hmltc_kedro.arrays import FloatArray, IntArray
from hmltc_kedro.taxonomy import Taxonomy


def add_ancestors(scores: FloatArray, taxonomy: Taxonomy, weight: float) -> tuple[FloatArray, IntArray]:
    """Return (s', parents), where s' counts the classes on the way to a class too; both of shape (n, C).

    s'(x, c) = s(x, c) + weight * mean of s(x, a) over the classes a above c on its best path

    A root has nothing above it: s' = s. Of several ways the one of the best mean counts, see `Taxonomy.best_parents`.

    Args:
        scores: s, shape (n, C), float32.
        taxonomy: of C classes.
        weight: of the classes above; 0 leaves each class to itself.
    """
    parents = taxonomy.best_parents(scores)
    if weight == 0:
        return scores, parents
    own, chosen = np.ascontiguousarray(scores.T), np.ascontiguousarray(parents.T)
    total, length = np.zeros_like(own), np.zeros(own.shape, dtype=np.int32)
    columns = np.arange(len(scores))
    for c in taxonomy.topological_order:
        if taxonomy.parents[c]:
            above = (chosen[c], columns)
            total[c], length[c] = total[above] + own[above], length[above] + 1
    mean = total / np.maximum(length, 1)
    return np.asarray((own + np.float32(weight) * mean).T, dtype=np.float32), parents


def label_best_path(scores: FloatArray, taxonomy: Taxonomy, ancestor_weight: float) -> sparse.csr_array:
    """Return each document's best class and the classes on the way to it: sparse 0/1 (n, C), float32.

    Args:
        scores: shape (n, C), float32.
        taxonomy: of C classes.
        ancestor_weight: see `add_ancestors`.
    """
    whole, parents = add_ancestors(scores, taxonomy, ancestor_weight)
    paths = taxonomy.trace_paths(parents, whole.argmax(axis=1)[:, None])[:, 0]
    rows, columns = np.nonzero(paths >= 0)
    ones = np.ones(len(rows), dtype=np.float32)
    return sparse.csr_array((ones, (rows, paths[rows, columns])), shape=scores.shape)
