"""What the report says of annotations and of the run by them: whole sentences, worked out by hand."""

import pandas as pd
import pytest

from hmltc_kedro.report import worth
from report_run import CALIBRATION, UNKNOWN, make_annotations, make_predictions

NOTHING = UNKNOWN | {"n_annotated": 0, "n_audit": 0}


def make_row(source: str, reason: str, *counts: int) -> dict[str, str | int]:
    documents, labelled, none, unanswered = counts
    row = {"source": source, "reason": reason, "documents": documents, "labelled": labelled}
    return row | {"none": none, "unanswered": unanswered}


def test_annotations_are_counted_by_source_and_reason_peoples_first() -> None:
    judge = "the judge (recorded)"
    assert worth.summarise_annotations(make_annotations().iloc[::-1]) == [
        make_row("a person", "given by people", 2, 2, 0, 0),
        make_row(judge, "drawn at random (audit)", 2, 1, 1, 0),
        make_row(judge, "so that each class has one (coverage)", 1, 0, 0, 1),
        make_row(judge, "in doubt (doubt)", 1, 1, 0, 0),
    ]
    assert worth.summarise_annotations(make_annotations().iloc[:0]) == []


def test_failures_are_counted_the_most_frequent_first() -> None:
    annotations = make_annotations().assign(error=["", "late", "prose", "", "prose", ""])
    assert worth.list_failures(annotations) == [("prose", 2), ("late", 1)]
    assert worth.list_failures(annotations.assign(error="")) == []


def test_agreement_is_listed_the_surest_judgements_first() -> None:
    groups = {name: {"n": n, "agreement": 0.5} for n, name in enumerate(["low", "", "high", "medium"])}
    listed = worth.list_agreement({"agreement_by_confidence": groups})
    assert listed == [("high", 2, 0.5), ("medium", 3, 0.5), ("low", 0, 0.5), ("not said", 1, 0.5)]
    assert worth.list_agreement(UNKNOWN) == []


def test_agreement_is_said_with_its_interval() -> None:
    assert worth.describe_agreement(CALIBRATION) == (
        "On 60 documents that were drawn at random and judged, the run's label sets agree with the judge's by 0.736 "
        "(mean sample-F1, 95 % interval 0.640 to 0.819). Each was predicted without its judgement."
    )
    assert worth.describe_agreement(CALIBRATION | {"n_none": 3}).endswith(
        " 3 of them fit no class, as the judge said, and count as wrong unless the run says so too."
    )


def test_too_few_judged_documents_are_said_and_nothing_is_guessed() -> None:
    predictions = make_predictions(8)
    assert worth.describe_agreement(UNKNOWN) == (
        "Too few documents were judged to say what the run is worth: 6 of those drawn at random, 50 are needed."
    )
    assert worth.describe_agreement(NOTHING) == (
        "No document was judged or labelled, so nothing can be said here of what the run is worth."
    )
    assert worth.describe_decision(UNKNOWN, predictions) == (
        "For the same reason no prediction is accepted or put up for review."
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "At a wished precision of 80% a share of 63.5% is accepted. Of the classes given there the judge can be "
            "expected to confirm 0.765 (95 % interval 0.694 to 0.833); its own errors are not in these numbers. "
            "Of the 8 predictions 5 are accepted and 3 to review.",
        ),
        (
            {"precision": 0.65, "precision_interval": [0.6, 0.7]},
            "At a wished precision of 80% a share of 63.5% is accepted. Of the classes given there the judge can be "
            "expected to confirm 0.650 (95 % interval 0.600 to 0.700); its own errors are not in these numbers. "
            "That is less than was wished for. Of the 8 predictions 5 "
            "are accepted and 3 to review.",
        ),
        (
            {"share_accepted": 0.0, "precision": None, "precision_interval": None},
            "No label sets are known to reach the precision that is wished for, 80%. Of the 8 predictions 5 are "
            "accepted and 3 to review.",
        ),
        (
            {"wished_precision": None},
            "No precision is asked for (infer.precision), so nothing is accepted or put up for review.",
        ),
    ],
)
def test_decision_is_said_with_the_precision_to_expect(changes, said) -> None:
    predictions = make_predictions(8).assign(decision=["accept"] * 5 + ["review"] * 3)
    assert worth.describe_decision(CALIBRATION | changes, predictions) == said


def test_decisions_are_counted_and_none_is_none() -> None:
    nothing = pd.DataFrame({"decision": ["", ""]})
    assert worth.count_decisions(nothing) == {"accept": 0, "review": 0}
    assert worth.count_decisions(make_predictions(8)) == {"accept": 5, "review": 3}
