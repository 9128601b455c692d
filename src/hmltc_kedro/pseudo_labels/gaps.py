"""The gap of eq. 2 and its threshold: by how much the best class stands out, and how much is enough."""

from __future__ import annotations

from typing import Literal

import numpy as np

from hmltc_kedro.arrays import FloatArray, IntArray
from hmltc_kedro.taxonomy import Taxonomy

Selection = Literal["threshold", "largest_gap"]


GapMethod = Literal["fixed", "quantile", "level_quantile"]


Rivals = Literal["unrelated", "all"]


def measure_gaps(classes: IntArray, scores: FloatArray, taxonomy: Taxonomy, rivals: Rivals = "unrelated") -> FloatArray:
    """Return the gap s(c1) - s(c2) of eq. 2 for each document, shape (n,), float32.

    c1 is the best candidate. With `rivals` "unrelated", c2 is the best one that is neither an ancestor nor a
    descendant of c1: `dogs` does not contend with `dogs > beds`. Where all K candidates are related, the gap to the
    last one is a lower bound. With "all", c2 is the second best class whatever its place, as the paper has it.

    Args:
        classes: candidate positions of shape (n, K), best first.
        scores: their scores, shape (n, K).
        taxonomy: says what is related.
        rivals: see above.
    """
    if rivals == "all":
        return measure_gaps_after(np.ones(len(scores), dtype=np.int64), scores)
    first = classes[:, [0]]
    related = taxonomy.is_above(first, classes) | taxonomy.is_above(classes, first)
    rival = ~related
    rival[:, 0] = False
    position = np.where(rival.any(axis=1), rival.argmax(axis=1), classes.shape[1] - 1)
    second = np.take_along_axis(scores, position[:, None], axis=1)[:, 0]
    return np.asarray(scores[:, 0] - second, dtype=np.float32)


def count_by_largest_gap(scores: FloatArray) -> IntArray:
    """Return how many labels come before the largest of the first three gaps: (n,), 1 to 3.

    With s1 >= s2 >= ... the gaps are s1 - s2, s2 - s3 and s3 - s4; of equal gaps the first counts. With fewer than
    four scores there are fewer gaps; a single score is one label. The rule of TELEClass (Zhang et al., WWW 2025).

    Args:
        scores: shape (n, K), best first; only the first four matter.
    """
    if scores.shape[1] == 1:
        return np.ones(len(scores), dtype=np.int64)
    return np.asarray(1 + (scores[:, :-1] - scores[:, 1:])[:, :3].argmax(axis=1), dtype=np.int64)


def measure_gaps_after(counts: IntArray, scores: FloatArray) -> FloatArray:
    """Return the gap between the last of the first `counts` scores and the next one: (n,), float32; 0 without a next.

    Args:
        counts: labels taken, shape (n,), at least 1.
        scores: shape (n, K), best first.
    """
    last = np.minimum(np.stack([counts - 1, counts], axis=1), scores.shape[1] - 1)
    pair = np.take_along_axis(scores, last, axis=1)
    return np.asarray(pair[:, 0] - pair[:, 1], dtype=np.float32)


def choose_threshold(gaps: FloatArray, levels: IntArray, *, method: GapMethod, value: float) -> FloatArray:
    """Return delta of eq. 2 for each document: (n,), float32. A label is kept if its gap exceeds delta.

    The paper: take c1 if s(c1) - s(c2) > delta, with a "dynamic" delta, and no word on how it is set. Here:

    - `fixed`: delta is `value`, in units of the score. Dynamic in nothing, but comparable between runs.
    - `quantile`: delta is the `value`-quantile of all observed gaps. It follows the scores' scale, and the share of
      labels that is not trusted is known beforehand.
    - `level_quantile`: the same among the documents whose best class lies on the same one of `Taxonomy.levels`:
      deep classes have near neighbours and so small gaps; one delta for all would drop them first.

    The quantile 0 means that every label is trusted: delta is -infinity.

    Args:
        gaps: of n documents.
        levels: level of each document's best class, shape (n,).
        method: see above.
        value: the threshold, or the quantile in [0, 1).
    """
    deltas = np.full(len(gaps), value if method == "fixed" else -np.inf, dtype=np.float32)
    if method == "fixed" or value == 0:
        return deltas
    groups = levels if method == "level_quantile" else np.zeros(len(gaps), dtype=np.int64)
    for group in np.unique(groups):
        members = groups == group
        deltas[members] = np.quantile(gaps[members], value)
    return deltas
