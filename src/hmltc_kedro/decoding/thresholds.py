"""Dynamic thresholds: from which probability on a child is entered."""

from __future__ import annotations

from typing import Literal

import numpy as np

from hmltc_kedro.arrays import AnyArray, BoolArray, FloatArray, IntArray
from hmltc_kedro.decoding.beam import CHILD_THRESHOLD
from hmltc_kedro.decoding.blocks import HALF_ONE, check_shape, read_blocks, round_digits
from hmltc_kedro.taxonomy import Taxonomy

ThresholdMethod = Literal["fixed", "quantile", "level_quantile"]


def child_thresholds(
    probabilities: AnyArray,
    taxonomy: Taxonomy,
    *,
    method: ThresholdMethod = "fixed",
    value: float = CHILD_THRESHOLD,
    block_size: int = 4096,
) -> FloatArray:
    """Return the threshold of each class as a child: the paper's "dynamic threshold", spelled out.

    The paper says that a child is entered above a dynamic threshold and not how that is set. Here:

    - `fixed`: `value` itself, to the digits that probabilities have, see `round_digits`. Right for
      calibrated probabilities.
    - `quantile`: one threshold for all classes, the `value`-quantile of the probabilities of all
      (document, child) pairs whose parent is active in that document. It follows a classifier whose
      probabilities are all too high or too low: a share 1 - `value` of those children stays open.
    - `level_quantile`: the same at each of `Taxonomy.levels` by itself, from the top down, because
      a classifier is surer of the upper levels than of the lower.

    A root is always active, and any other class if its probability reaches its threshold and one of
    its parents is active. For `quantile` the threshold stands on both sides of that rule; it is the
    smallest t with #(parent active at t, p <= t) >= value * #(parent active at t), found exactly
    and in one pass from cumulated counts. For `level_quantile` the parents of a level count that
    lie above it; a level where no parent is ever active inherits the threshold of the level above.

    Observed probabilities are counted rounded down to half precision (the precision they are stored
    in), in blocks, so that memory does not grow with n. No label is looked at.

    Args:
        probabilities: any float dtype, shape (n, C), in [0, 1]. Unused for `fixed`.
        taxonomy: of C classes.
        method: see above.
        value: the threshold or the quantile, in [0, 1].
        block_size: documents at a time; does not change the result.

    Returns:
        float32 of shape (C,) for `beam_search`; 0.0 for roots, which need no parent.

    Raises:
        ValueError: a shape that does not fit, an unknown method, a value or probability outside
            [0, 1], or a quantile of no documents.
    """
    check_shape(probabilities, taxonomy)
    if not 0 <= value <= 1 or block_size < 1:
        raise ValueError(f"value {value} must lie in 0..1, block_size {block_size} be at least 1")
    if method not in ("fixed", "quantile", "level_quantile"):
        raise ValueError(f"no method {method!r}; use fixed, quantile or level_quantile")
    if method == "fixed" or not taxonomy.n_edges:
        return np.where(taxonomy.is_root, np.float32(0), round_digits(np.asarray(value)))
    if not len(probabilities):
        raise ValueError(f"a {method} needs the probabilities of at least one document")
    if method == "quantile":
        bits = _find_quantile(probabilities, taxonomy, value, block_size)
        return _from_bits(np.where(taxonomy.is_root, 0, bits))
    thresholds = np.zeros(len(taxonomy), dtype=np.int64)
    for level in range(2, int(taxonomy.levels.max()) + 1):
        found = _find_level_quantile(probabilities, taxonomy, value, block_size, level, thresholds)
        above = thresholds[taxonomy.levels == level - 1].max()
        thresholds[taxonomy.levels == level] = above if found is None else found
    return _from_bits(thresholds)


def _find_quantile(probabilities: AnyArray, taxonomy: Taxonomy, value: float, block_size: int) -> int:
    """Return the bits of the self-consistent quantile of `child_thresholds`.

    A parent is active at t exactly if t is at most its support, the best bottleneck over the paths
    down to it: support(root) = infinity, support(c) = min(p(c), max of the parents' support). So
    with s the best support among the parents of a child of probability p, #(s >= t, p <= t) = #(p
    <= t) - #(max(p, s + 1) <= t) in whole numbers, three cumulated counts.
    """
    endless = HALF_ONE + 1
    counts = np.zeros((3, endless + 2), dtype=np.int64)
    for _, block in read_blocks(probabilities, block_size, progress=False):
        p = _to_bits(block).T
        support = np.full(p.shape, endless, dtype=np.int64)
        for c in taxonomy.topological_order:
            if taxonomy.parents[c]:
                above = support[list(taxonomy.parents[c])].max(axis=0)
                support[c] = np.minimum(p[c], above)
                for i, seen in enumerate((p[c], above + 1, np.maximum(p[c], above + 1))):
                    counts[i] += np.bincount(seen, minlength=endless + 2)
    up_to = counts.cumsum(axis=1)[:, :endless]
    observed = up_to[0] - up_to[2]
    active = counts[0].sum() - up_to[1]
    # At t = 1 every observed pair lies at or below t, so there is always an answer.
    return int(_reaches(observed, active, value).argmax())


def _find_level_quantile(
    probabilities: AnyArray,
    taxonomy: Taxonomy,
    value: float,
    block_size: int,
    level: int,
    thresholds: IntArray,
) -> int | None:
    """Return the bits of the quantile at one level, or None if no parent is active anywhere."""
    counts = np.zeros(HALF_ONE + 1, dtype=np.int64)
    for _, block in read_blocks(probabilities, block_size, progress=False):
        p = _to_bits(block).T
        active = np.zeros(p.shape, dtype=bool)
        active[taxonomy.roots] = True
        for c in taxonomy.topological_order:
            if taxonomy.parents[c] and taxonomy.levels[c] < level:
                parents_active = active[list(taxonomy.parents[c])].any(axis=0)
                active[c] = parents_active & (p[c] >= thresholds[c])
        for c in np.flatnonzero(taxonomy.levels == level).tolist():
            parents_active = active[list(taxonomy.parents[c])].any(axis=0)
            counts += np.bincount(p[c][parents_active], minlength=len(counts))
    if not counts.any():
        return None
    return int(_reaches(counts.cumsum(), counts.sum(), value).argmax())


def _reaches(observed: IntArray, total: AnyArray, value: float) -> BoolArray:
    """Return where at least one, and a share `value` of `total`, has been observed."""
    return (observed >= 1) & (observed >= value * total - 1e-9)


def _to_bits(block: AnyArray) -> IntArray:
    """Return probabilities as the bits of the next half-precision number below; order is kept."""
    half = block.astype(np.float16)
    # abs: the bits of -0.0 are those of a large number.
    return np.abs(half).view(np.uint16).astype(np.int64) - (half > block)


def _from_bits(bits: IntArray) -> FloatArray:
    return bits.astype(np.uint16).view(np.float16).astype(np.float32)
