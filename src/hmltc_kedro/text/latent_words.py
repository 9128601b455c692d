"""Directions of a corpus' words: what two documents share that have no word in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from hmltc_kedro.arrays import FloatArray, IntArray

COMPONENTS = 256
"""Directions kept."""

MIN_DOCUMENTS = 3
"""Documents that a word has to be in to be part of a direction."""

MAX_DOCUMENTS = 20_000
"""That directions are found in; of a larger corpus a sample."""

VECTOR_WEIGHT = 1.5
"""Of a sentence vector beside words of unit length, where a ridge regression reads both."""


@dataclass(frozen=True, eq=False)
class LatentWords:
    """Directions of the corpus' words.

    Attributes:
        columns: of the words that are frequent enough, among the V of the lexical view.
        directions: of unit length, shape (columns, k).
    """

    columns: IntArray
    directions: FloatArray

    @classmethod
    def fit(cls, words: sparse.csr_array, seed: int) -> LatentWords:
        """Return the leading right singular vectors of N documents' TF-IDF vectors (latent semantic analysis).

        Args:
            words: sparse (N, V).
            seed: of the sample and of the randomised decomposition.
        """
        from sklearn.utils.extmath import randomized_svd

        if words.shape[0] > MAX_DOCUMENTS:
            words = words[np.sort(np.random.default_rng(seed).choice(words.shape[0], MAX_DOCUMENTS, replace=False))]
        columns = np.flatnonzero(np.bincount(words.indices, minlength=words.shape[1]) >= MIN_DOCUMENTS)
        k = min(COMPONENTS, len(columns) - 1, words.shape[0] - 1)
        if k < 1:
            return cls(columns, np.zeros((len(columns), 0), dtype=np.float32))
        directions = randomized_svd(sparse.csr_matrix(words[:, columns]), k, n_iter=3, random_state=seed)[2]
        return cls(columns, np.ascontiguousarray(directions.T, dtype=np.float32))

    def represent(self, words: sparse.csr_array) -> FloatArray:
        """Return documents by latent words, (n, k), unit length; a document without any of the words is zero."""
        dense = np.asarray(words[:, self.columns] @ self.directions, dtype=np.float32)
        return np.asarray(dense / np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-6), dtype=np.float32)
