"""The documents that are most like a document."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from tqdm import tqdm

from hmltc_kedro.arrays import IntArray
from hmltc_kedro.display import show_progress
from hmltc_kedro.errors import InputError
from hmltc_kedro.pseudo_labels.moments import BLOCK

POOL = 50_000
"""Documents that neighbours are looked for among; of a larger corpus a sample, so that cost grows with N, not N²."""


def find_neighbours(documents: npt.NDArray[np.float32], k: int, seed: int) -> IntArray:
    """Return the rows of each document's k nearest others by cosine, nearest first: (N, k), int64.

    With fewer than k others it is as many as there are, none for a document alone.

    Args:
        documents: unit vectors of shape (N, d).
        k: neighbours a document.
        seed: of the sample, for corpora above `POOL`.
    """
    from sklearn.neighbors import NearestNeighbors

    n = len(documents)
    pool = np.arange(n) if n <= POOL else np.sort(np.random.default_rng(seed).choice(n, POOL, replace=False))
    k = min(k, len(pool) - 1)
    if k < 1:
        return np.zeros((n, 0), dtype=np.int64)
    # Of unit vectors the Euclidean order is that of the cosine, and scikit-learn's fast path knows only the former.
    search = NearestNeighbors(n_neighbors=k + 1, metric="euclidean", algorithm="brute").fit(documents[pool])
    found = []
    bar = tqdm(total=n, desc="neighbours", unit="doc", disable=not show_progress())
    with bar:
        for start in range(0, n, BLOCK):
            block = documents[start : start + BLOCK]
            near = pool[search.kneighbors(block, return_distance=False)]
            other = near != np.arange(start, start + len(block))[:, None]
            other[other.all(axis=1), -1] = False  # a document that is not in the pool drops its farthest
            found.append(near[other].reshape(len(block), k))
            bar.update(len(block))
    return np.concatenate(found)


def average_neighbours(neighbours: IntArray) -> sparse.csr_array:
    """Return W of shape (N, N) with 1/k for each of a document's k neighbours, sparse, float32; x -> W x is their mean.

    Without neighbours each document is its own.

    Args:
        neighbours: rows of shape (N, k), from `find_neighbours`.

    Raises:
        InputError: a row that there is not; compiled code would read memory of something else.
    """
    n, k = neighbours.shape
    wrong = neighbours[(neighbours < 0) | (neighbours >= n)]
    if len(wrong):
        raise InputError(f"entry `document_neighbours`: there is no row {wrong[0]} of {n}; run `kedro refresh`")
    if not k:
        return sparse.csr_array(sparse.eye_array(n, dtype=np.float32))
    values = np.full(n * k, 1 / k, dtype=np.float32)
    return sparse.csr_array((values, neighbours.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
