"""Bootstrap intervals over documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hmltc_kedro.arrays import AnyArray, DoubleArray

MAX_DRAWS = 4_000_000
"""Numbers drawn at a time by the bootstrap (32 MB)."""


def bootstrap_interval(
    scores: AnyArray, n_resamples: int = 2000, *, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean (Efron & Tibshirani 1993, ch. 13).

    Args:
        scores: shape (n,), n >= 1.
        n_resamples: resampled means.
        seed: of the generator; equal seeds give equal intervals.
        level: share of the resampled means inside the interval.

    Returns:
        (low, high), in units of the scores.

    Raises:
        ValueError: no score, a score that is not finite, no resample, or a level outside (0, 1).
    """
    return stratified_bootstrap([scores], n_resamples, seed=seed, level=level)


def stratified_bootstrap(
    strata: Sequence[AnyArray], n_resamples: int = 2000, *, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean over strata of their means.

    Every stratum, such as a dataset, counts alike and is resampled by itself: documents are drawn within a dataset,
    and which datasets there are is no matter of chance.

    Args:
        strata: scores of each, shapes (n_i,), n_i >= 1; at least one stratum.
        n_resamples: resampled means.
        seed: of the generator; equal seeds give equal intervals.
        level: share of the resampled means inside the interval.

    Returns:
        (low, high), in units of the scores.

    Raises:
        ValueError: no stratum, or as `bootstrap_interval`.
    """
    if not len(strata):
        raise ValueError("a bootstrap needs at least one stratum")
    if n_resamples < 1 or not 0 < level < 1:
        raise ValueError(f"a bootstrap of {n_resamples} resamples at level {level}; give >= 1 and 0..1")
    generator = np.random.default_rng(seed)
    means = np.mean([_resample_means(scores, n_resamples, generator) for scores in strata], axis=0)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _resample_means(scores: AnyArray, n_resamples: int, generator: np.random.Generator) -> DoubleArray:
    """Return the means of resamples, shape (n_resamples,).

    A resample is n draws with replacement; its mean depends only on how often each distinct value
    was drawn, and these counts are multinomial. Drawing the counts gives the same distribution as
    drawing documents, at a cost of the distinct values (a few dozen for sample-F1) in place of n.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
        raise ValueError("a bootstrap needs a vector of at least one score, all of them finite")
    values, counts = np.unique(scores, return_counts=True)
    step = max(1, MAX_DRAWS // len(values))
    means = np.empty(n_resamples)
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        draws = generator.multinomial(len(scores), counts / len(scores), size=size)
        means[start : start + size] = draws @ values / len(scores)
    return means


def paired_bootstrap(
    a: AnyArray, b: AnyArray, n_resamples: int = 2000, *, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of mean(a) - mean(b), documents resampled in pairs.

    An interval that leaves out 0 says that the systems differ. Arguments as in
    `bootstrap_interval`.

    Args:
        a: scores of one system, shape (n,).
        b: scores of the other on the same documents, shape (n,).
        n_resamples: resampled differences.
        seed: of the generator.
        level: share of the resampled differences inside the interval.

    Returns:
        (low, high), in units of the scores.

    Raises:
        ValueError: the shapes differ, or as `bootstrap_interval`.
    """
    if np.shape(a) != np.shape(b):
        raise ValueError(f"paired scores of shapes {np.shape(a)} and {np.shape(b)}")
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    return bootstrap_interval(difference, n_resamples, seed=seed, level=level)
