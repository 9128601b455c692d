"""The array types of the whole project, each name one dtype, and what rankings and label sets of any kind need."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
HalfArray = npt.NDArray[np.float16]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]


def find_best(scores: AnyArray, k: int) -> IntArray:
    """Return the columns of the k largest scores of each row, best first, of equals the first: shape (n, k).

    As the first k of a stable sort of whole rows, of which all but k columns are never sorted.

    Args:
        scores: any real dtype, shape (n, C); no NaN.
        k: at most C.
    """
    n, width = scores.shape
    if 4 * k >= width:
        return np.argsort(-scores, axis=1, kind="stable")[:, :k]
    least = np.partition(scores, width - k, axis=1)[:, [width - k]]
    chosen = scores >= least
    tied = np.flatnonzero(chosen.sum(axis=1) > k)
    above, equal = scores[tied] > least[tied], scores[tied] == least[tied]
    chosen[tied] = above | (equal & (equal.cumsum(axis=1) <= k - above.sum(axis=1, keepdims=True)))
    columns = np.nonzero(chosen)[1].reshape(n, k)
    order = np.argsort(-np.take_along_axis(scores, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def split_rows(values: AnyArray, starts: IntArray) -> list[AnyArray]:
    """Return the values of each of n rows, given where each starts, shape (n + 1,), and the last one ends."""
    return [values[start:end] for start, end in pairwise(starts)]
