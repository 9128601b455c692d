"""What a run is worth by the documents that were judged at random, and which label sets need no review.

It is agreement with the judge, a language model, and not with the truth. Both numbers come from label sets that the
student gave without having seen the judgement, on documents drawn at random; documents asked about because they were in
doubt would blame the run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hmltc_kedro.arrays import AnyArray, BoolArray
from hmltc_kedro.evaluation.intervals import bootstrap_interval

MIN_AUDIT = 50
"""Documents of the audit part that say enough; with fewer nothing is claimed."""

FOLDS = 2
"""Halves of the audit part: the precision of what is accepted is measured on the one that the cut was not chosen on."""


def calibrate(scores: pd.DataFrame, precision: float | None, seed: int) -> dict[str, Any]:
    """Return agreement on the audit part with its interval, and the cut from which on a label set is accepted.

    Args:
        scores: see `teaching.score_unseen`; documents that the judge found no class right for are part of them.
        precision: wished for, the mean share of right classes in an accepted label set; None for no decisions.
        seed: of halves and bootstrap.

    Returns:
        n_annotated, n_audit, n_none (of the audit part, that no class is right for); agreement (mean sample-F1 with the
        judge), agreement_interval, agreement_by_confidence;
        accept (least expected precision of an accepted set), share_accepted, precision and precision_interval of what
        is accepted; None where it is not known.
    """
    audit = scores[scores["reason"] == "audit"].reset_index(drop=True)
    none = scores["none"].to_numpy(bool)
    result: dict[str, Any] = {"n_annotated": int((~none).sum()), "n_audit": len(audit)}
    result |= {"n_none": int(audit["none"].sum()), "wished_precision": precision}
    enough = len(audit) >= MIN_AUDIT
    f1 = audit["f1"].to_numpy(np.float64)
    result |= {
        "agreement": float(f1.mean()) if enough else None,
        "agreement_interval": list(bootstrap_interval(f1, seed=seed)) if enough else None,
        "agreement_by_confidence": _group(audit, "confidence") if enough else None,
    }
    unknown = dict.fromkeys(("accept", "share_accepted", "precision", "precision_interval"))
    return result | (_accept(audit, precision, seed) if enough and precision is not None else unknown)


def _group(audit: pd.DataFrame, column: str) -> dict[str, dict[str, Any]]:
    """Return documents and mean agreement by a column's values."""
    groups = audit.groupby(column)["f1"].agg(["size", "mean"])
    return {str(name): {"n": int(row["size"]), "agreement": float(row["mean"])} for name, row in groups.iterrows()}


def _accept(audit: pd.DataFrame, precision: float, seed: int) -> dict[str, Any]:
    expected, right = (audit[name].to_numpy(np.float64) for name in ("expected_precision", "precision"))
    accepted = accept_unseen(expected, right, precision, seed)
    measured = right[accepted]
    known = len(measured) > 1
    return {
        "accept": choose_cut(expected, right, precision),
        "share_accepted": float(accepted.mean()),
        "precision": float(measured.mean()) if known else None,
        "precision_interval": list(bootstrap_interval(measured, seed=seed)) if known else None,
    }


def choose_cut(expected: AnyArray, right: AnyArray, precision: float) -> float:
    """Return the lowest expected precision above which the mean precision is as wished; above 1 where none is.

    Args:
        expected: precision of n label sets, by the student, (n,).
        right: their precision by the judge, (n,).
        precision: wished for.
    """
    order = np.argsort(-expected, kind="stable")
    mean = right[order].cumsum() / np.arange(1, len(order) + 1)
    is_last = np.append(np.diff(expected[order]) != 0, True)  # who accepts one of equal ones accepts them all
    fine = np.flatnonzero((mean >= precision) & is_last)
    return float(expected[order[fine[-1]]]) if len(fine) else 2.0


def accept_unseen(expected: AnyArray, right: AnyArray, precision: float, seed: int) -> BoolArray:
    """Return which label sets are accepted by a cut that was chosen without them, (n,)."""
    folds = np.random.default_rng(seed).permutation(len(expected)) % FOLDS
    accepted = np.zeros(len(expected), dtype=bool)
    for fold in range(FOLDS):
        cut = choose_cut(expected[folds != fold], right[folds != fold], precision)
        accepted[folds == fold] = expected[folds == fold] >= cut
    return accepted
