"""Paths of documents, and the label sets that are their union."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.taxonomy import Taxonomy


@dataclass(frozen=True, eq=False)
class DecodedPaths:
    """The best root-to-node paths of n documents, best first.

    Attributes:
        paths: int32 of shape (n, B, L): class positions, root first, padded with -1 at the end; a
            place without a path is -1 throughout. Those of `flat` are one class each, root or not.
        scores: float32 of shape (n, B), falling along each row; -inf for a place without a path.
    """

    paths: npt.NDArray[np.int32]
    scores: FloatArray

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self.paths)


def choose_paths(decoded: DecodedPaths, *, max_paths: int = 1, path_ratio: float = 1.0) -> DecodedPaths:
    """Return for each document its best path and those nearly as good; the others are blanked out.

    The path at place j (from 1) is taken if j <= max_paths and score_j >= path_ratio * score_1.

    Args:
        decoded: paths of n documents, best first.
        max_paths: >= 1.
        path_ratio: in [0, 1]; 1.0 takes ties of the best only, 0.0 every path up to `max_paths`.

    Raises:
        ValueError: an argument out of range.
    """
    if max_paths < 1 or not 0 <= path_ratio <= 1:
        raise ValueError(f"max_paths {max_paths} must be >= 1, path_ratio {path_ratio} in 0..1")
    scores, paths = decoded.scores[:, :max_paths], decoded.paths[:, :max_paths]
    best = np.where(scores[:, :1] > -np.inf, scores[:, :1], 0.0)
    wanted = (scores > -np.inf) & (scores >= path_ratio * best)
    return DecodedPaths(np.where(wanted[:, :, None], paths, -1), np.where(wanted, scores, -np.inf))


def union_paths(decoded: DecodedPaths, taxonomy: Taxonomy) -> sparse.csr_array:
    """Return for each document the union of its paths, path-consistent if the paths begin at roots.

    Args:
        decoded: paths of n documents.
        taxonomy: of C classes.

    Returns:
        Sparse 0/1 matrix of shape (n, C), int32, indices sorted.
    """
    document, _, _ = is_label = np.nonzero(decoded.paths >= 0)
    values = np.ones(len(document), dtype=np.int32)
    shape = (len(decoded), len(taxonomy))
    labels = sparse.csr_array((values, (document, decoded.paths[is_label])), shape=shape)
    labels.sum_duplicates()  # a class on two of the paths
    labels.data[:] = 1
    return labels
