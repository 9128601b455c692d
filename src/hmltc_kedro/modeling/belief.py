"""How far a student is believed beside the classifier that it corrects."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.special import expit

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.decoding.expected_f1 import bound_by_parents
from hmltc_kedro.decoding.paths import union_paths
from hmltc_kedro.taxonomy import Taxonomy

HALF_BELIEVED = 15.0
"""Judged documents at which the classifier's label set and the student count alike, see `weigh_belief`."""

PRESENT = DecodingSettings(child_threshold=0.2, max_paths=3, path_ratio=0.8)
"""How the label sets are decoded that speak for the classifier; a constant, so that no setting of decoding trains."""


def weigh_belief(trust: FloatArray) -> float:
    """Return b = t^2 / (t^2 + h^2), t the sum of trust in the judged documents and h = `HALF_BELIEVED`.

    Quadratic, so that few documents say next to nothing against the classifier and a hundred nearly all.
    """
    squared = float(trust.sum(dtype=np.float64)) ** 2
    return squared / (squared + HALF_BELIEVED**2)


def hold_back(probabilities: FloatArray, logits: FloatArray, belief: float, taxonomy: Taxonomy) -> FloatArray:
    """Return b q + (1 - b) y, y the classifier's own label set, no class above its most probable parent: (n, C).

    A student of few documents ranks paths worse than the classifier that it corrects. As long as it is hardly believed,
    the label set of largest expected F1 is y, and it changes first where the student is sure.

    Args:
        probabilities: q, by the student, (n, C).
        logits: of the classifier, (n, C).
        belief: b.
        taxonomy: of C classes.
    """
    own = find_present(logits, taxonomy).astype(np.float32).toarray()
    return bound_by_parents(np.float32(belief) * probabilities + np.float32(1 - belief) * own, taxonomy)


def find_present(logits: FloatArray, taxonomy: Taxonomy) -> sparse.csr_array:
    """Return the classifier's own label sets, 0/1 (n, C), given its logits, (n, C)."""
    return union_paths(decode(expit(logits), taxonomy, PRESENT), taxonomy)
