"""Mean and spread of each class's scores over the corpus, without the document-class matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hmltc_kedro.arrays import FloatArray

BLOCK = 4096
"""Documents a block: with 10,000 classes some 160 MB of float32."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and standard deviation of each class's score over the corpus, each (C,) float32."""

    mean: FloatArray
    std: FloatArray

    def standardise(self, scores: FloatArray) -> FloatArray:
        """Return (scores - mean) / std for scores of shape (n, C)."""
        return (scores - self.mean) / self.std


def estimate_moments(documents: npt.NDArray[np.float32], classes: FloatArray, prior: float) -> Moments:
    """Return the moments of the cosines of N documents and C classes, without the N x C matrix.

    With x a document and e a class vector, mean = e . E[x] and var = e' Cov[x] e, so the d x d covariance is
    all that is needed. Both are shrunk towards their mean over the classes by n / (n + prior), n = N / C: with
    few documents a class, a high mean is as likely a big class as a hub, and should not be punished in full.
    A `prior` of infinity gives every class the same moments, i.e. plain cosine up to an affine map.
    """
    n, d = documents.shape
    total = np.zeros(d)
    second = np.zeros((d, d))
    for start in range(0, n, BLOCK):
        block = np.asarray(documents[start : start + BLOCK], dtype=np.float32)
        total += block.sum(axis=0, dtype=np.float64)
        second += block.T @ block
    mu = total / n
    covariance = second / n - np.outer(mu, mu)
    mean = classes @ mu
    variance = np.einsum("cd,de,ce->c", classes, covariance, classes)
    per_class = n / len(classes)
    trust = per_class / (per_class + prior) if np.isfinite(prior) else 0.0
    mean = trust * mean + (1 - trust) * mean.mean()
    variance = trust * variance + (1 - trust) * variance.mean()
    return Moments(mean.astype(np.float32), np.sqrt(np.maximum(variance, 1e-8)).astype(np.float32))


def measure_spread(documents: FloatArray, classes: FloatArray) -> float:
    """Return how far the cosines of n documents with a class spread: the root mean square of C standard deviations.

    Args:
        documents: unit vectors of shape (n, d).
        classes: unit vectors of shape (C, d).
    """
    moments = estimate_moments(documents, classes, prior=np.inf)
    return float(moments.std.mean())
