"""What the page says of people's and a language model's word on documents, and of what the run is worth by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from hmltc_kedro.annotation.calibration import MIN_AUDIT
from hmltc_kedro.annotation.pins import MODEL
from hmltc_kedro.annotation.rounds import PERSON
from hmltc_kedro.modeling.predictions import ACCEPT, REVIEW

REASONS = {
    "given": "given by people",
    "audit": "drawn at random (audit)",
    "coverage": "so that each class has one (coverage)",
    "doubt": "in doubt (doubt)",
}
"""Why something was said of a document, in the order of the page."""

CONFIDENCES = ("high", "medium", "low", "")
"""Of a judge, the surest first."""


def name_source(source: str) -> str:
    """Return who gave a label, for people to read: the model, a person, or the judge by its name."""
    return {MODEL: "the model", PERSON: "a person"}.get(source, f"the judge ({source})")


def summarise_annotations(annotations: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row for each source and reason, people first: source, reason, documents, labelled, none, unanswered.

    `none` are documents that no path is right for, as was said; `unanswered` those that nothing was said of. The
    numbers of documents in both splits are added up.
    """
    failed = annotations["error"] != ""
    empty = annotations["class_ids"].map(len) == 0
    counted = annotations.assign(labelled=~empty, none=empty & ~failed, unanswered=empty & failed)
    rows = []
    sources = sorted(counted["source"].unique(), key=lambda source: (source != PERSON, source))
    for source in sources:
        own = counted[counted["source"] == source]
        for reason in sorted(own["reason"].unique(), key=_rank_reason):
            here = own[own["reason"] == reason]
            counts = {name: int(here[name].sum()) for name in ("labelled", "none", "unanswered")}
            row = {"source": name_source(source), "reason": REASONS[reason], "documents": len(here)}
            rows.append(row | counts)
    return rows


def _rank_reason(reason: str) -> int:
    return [*REASONS].index(reason)


def list_failures(annotations: pd.DataFrame) -> list[tuple[str, int]]:
    """Return why there were no answers: (what went wrong, documents), the most frequent first."""
    errors = annotations.loc[annotations["error"] != "", "error"].value_counts()
    return [(str(error), int(n)) for error, n in errors.items()]


def list_agreement(calibration: Mapping[str, Any]) -> list[tuple[str, int, float]]:
    """Return the agreement by the judge's confidence: (confidence, documents, agreement), the surest first."""
    groups = calibration["agreement_by_confidence"] or {}
    known = sorted(groups, key=lambda name: CONFIDENCES.index(name) if name in CONFIDENCES else len(CONFIDENCES))
    return [(name or "not said", groups[name]["n"], groups[name]["agreement"]) for name in known]


def count_decisions(predictions: pd.DataFrame) -> dict[str, int]:
    """Return the test documents by decision, `accept` and `review`; none of both where nothing was decided."""
    counts = predictions["decision"].value_counts()
    return {name: int(counts.get(name, 0)) for name in (ACCEPT, REVIEW)}


def describe_agreement(calibration: Mapping[str, Any]) -> str:
    """Return what the agreement on the audit part is, or why it is not known, in a sentence or two."""
    n, annotated = calibration["n_audit"], calibration["n_annotated"] or 0
    if calibration["agreement"] is not None:
        low, high = calibration["agreement_interval"]
        none = calibration["n_none"]
        refused = f" {none:,} of them fit no class, as the judge said, and count as wrong unless the run says so too."
        return (
            f"On {n:,} documents that were drawn at random and judged, the run's label sets agree with the judge's by "
            f"{calibration['agreement']:.3f} (mean sample-F1, 95 % interval {low:.3f} to {high:.3f}). Each was "
            f"predicted without its judgement.{refused if none else ''}"
        )
    if not annotated:
        return "No document was judged or labelled, so nothing can be said here of what the run is worth."
    return (
        f"Too few documents were judged to say what the run is worth: {n:,} of those drawn at random, "
        f"{MIN_AUDIT} are needed."
    )


def describe_decision(calibration: Mapping[str, Any], predictions: pd.DataFrame) -> str:
    """Return which share is accepted and how good it is, or why nothing is decided, in a sentence or two."""
    wished = calibration["wished_precision"]
    if wished is None:
        return "No precision is asked for (infer.precision), so nothing is accepted or put up for review."
    if calibration["agreement"] is None:
        return "For the same reason no prediction is accepted or put up for review."
    counts = count_decisions(predictions)
    here = f"Of the {len(predictions):,} predictions {counts[ACCEPT]:,} are accepted and {counts[REVIEW]:,} to review."
    if calibration["precision_interval"] is None:
        return f"No label sets are known to reach the precision that is wished for, {wished:.0%}. {here}"
    low, high = calibration["precision_interval"]
    missed = " That is less than was wished for." if high < wished else ""
    return (
        f"At a wished precision of {wished:.0%} a share of {calibration['share_accepted']:.1%} is accepted. Of the "
        f"classes given there the judge can be expected to confirm {calibration['precision']:.3f} (95 % interval "
        f"{low:.3f} to {high:.3f}); its own errors are not in these numbers.{missed} {here}"
    )
