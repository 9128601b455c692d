"""What a run is worth by its audit part, and the cut from which on nobody has to look."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.annotation import calibration as module
from hmltc_kedro.annotation.calibration import accept_unseen, calibrate, choose_cut
from hmltc_kedro.annotation.teaching import COLUMNS
from hmltc_kedro.evaluation.intervals import bootstrap_interval

KEYS = {
    "n_annotated",
    "n_audit",
    "n_none",
    "wished_precision",
    "agreement",
    "agreement_interval",
    "agreement_by_confidence",
    "accept",
    "share_accepted",
    "precision",
    "precision_interval",
}


def make_scores(
    expected: np.ndarray, right: np.ndarray, f1: np.ndarray | None = None, reason: str = "audit"
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "split": "test",
            "doc_id": [str(n) for n in range(len(expected))],
            "source": "recorded",
            "confidence": ["high", "low"] * (len(expected) // 2) + ["high"] * (len(expected) % 2),
            "reason": reason,
            "none": False,
            "expected_f1": expected,
            "expected_precision": expected,
            "f1": right if f1 is None else f1,
            "precision": right,
        }
    )[COLUMNS]


# ---------------------------------------------------------------------- cut


@pytest.mark.parametrize(
    ("expected", "right", "precision", "cut"),
    [
        # Means from the top: 1, 1, 2/3, 3/4, 3/5.
        ([0.9, 0.8, 0.7, 0.6, 0.5], [1, 1, 0, 1, 0], 0.75, 0.6),
        ([0.9, 0.8, 0.7, 0.6, 0.5], [1, 1, 0, 1, 0], 0.8, 0.8),
        ([0.9, 0.8, 0.7, 0.6, 0.5], [1, 1, 0, 1, 0], 0.6, 0.5),
        ([0.5, 0.9, 0.7, 0.6, 0.8], [0, 1, 0, 1, 1], 0.8, 0.8),
        ([0.9, 0.8], [0, 0], 0.8, 2.0),
        ([0.9, 0.8], [0, 0], 0.0, 0.8),
        ([0.4], [0.5], 0.5, 0.4),
        # Who accepts one of equal ones accepts them all: 1, then (1 + 1 + 0) / 3.
        ([0.9, 0.8, 0.8], [1, 1, 0], 0.8, 0.9),
        ([0.9, 0.8, 0.8], [1, 1, 0], 2 / 3, 0.8),
        ([0.5, 0.5], [1, 0], 0.8, 2.0),
    ],
)
def test_cut_is_the_lowest_one_that_keeps_the_wish(
    expected: list[float], right: list[float], precision: float, cut: float
) -> None:
    assert choose_cut(np.array(expected), np.array(right), precision) == cut


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1)), min_size=1, max_size=12),
    st.floats(0.05, 1),
)
def test_what_the_cut_accepts_is_as_precise_as_wished_and_no_lower_cut_is(
    pairs: list[tuple[float, float]], precision: float
) -> None:
    expected, right = np.array(pairs).T
    cut = choose_cut(expected, right, precision)
    fine = [c for c in np.unique(expected) if right[expected >= c].mean() >= precision + 1e-9]
    maybe = [c for c in np.unique(expected) if right[expected >= c].mean() >= precision - 1e-9]
    assert min(maybe, default=2.0) <= cut <= min(fine, default=2.0)


def test_cut_is_never_chosen_on_the_half_it_is_measured_on() -> None:
    """A document's own rightness does not change whether it is accepted."""
    generator = np.random.default_rng(0)
    expected = generator.random(60)
    right = (generator.random(60) < expected).astype(np.float64)
    before = accept_unseen(expected, right, 0.7, seed=4)
    assert 0 < before.sum() < 60
    changed_others = 0
    for row in range(60):
        other = right.copy()
        other[row] = 1 - other[row]
        after = accept_unseen(expected, other, 0.7, seed=4)
        assert after[row] == before[row]
        changed_others += int((after != before).any())
    assert changed_others > 0, "it counts for the other half"


def test_halves_are_of_one_size_and_each_has_the_cut_of_the_other() -> None:
    expected, right = np.linspace(0, 1, 41), np.r_[np.zeros(20), np.ones(21)]
    folds = np.random.default_rng(9).permutation(41) % 2
    assert abs(int(folds.sum()) - 20) <= 1
    accepted = accept_unseen(expected, right, 0.9, seed=9)
    for fold in (0, 1):
        mine = folds == fold
        assert (accepted[mine] == (expected[mine] >= choose_cut(expected[~mine], right[~mine], 0.9))).all()


# ---------------------------------------------------------------------- calibration


def test_numbers_are_those_worked_out_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIN_AUDIT", 4)
    audit = make_scores(np.array([0.9, 0.9, 0.3, 0.3]), np.ones(4), f1=np.array([1, 0.5, 0.75, 0.25]))
    others = pd.concat(make_scores(np.array([0.1] * 3), np.zeros(3), reason=reason) for reason in ("doubt", "given"))
    result = calibrate(pd.concat([others, audit], ignore_index=True), 0.8, seed=0)
    assert set(result) == KEYS
    assert (result["n_annotated"], result["n_audit"], result["wished_precision"]) == (10, 4, 0.8)
    assert result["agreement"] == pytest.approx(0.625)
    assert result["agreement_by_confidence"] == {
        "high": {"n": 2, "agreement": pytest.approx(0.875)},
        "low": {"n": 2, "agreement": pytest.approx(0.375)},
    }
    low, high = result["agreement_interval"]
    assert 0.25 <= low < 0.625 < high <= 1
    assert result["accept"] == 0.3
    assert result["precision"] == 1.0 and result["precision_interval"] == [1.0, 1.0]


def test_too_few_audited_documents_claim_nothing() -> None:
    many = make_scores(np.full(500, 0.9), np.ones(500), reason="doubt")
    audit = make_scores(np.full(49, 0.9), np.ones(49))
    result = calibrate(pd.concat([many, audit], ignore_index=True), 0.8, seed=0)
    assert set(result) == KEYS
    known = {key: value for key, value in result.items() if value is not None}
    assert known == {"n_annotated": 549, "n_audit": 49, "n_none": 0, "wished_precision": 0.8}
    more = calibrate(pd.concat([audit, audit.iloc[:1]], ignore_index=True), 0.8, seed=0)
    assert more["agreement"] == 1.0 and more["accept"] == 0.9


def test_documents_that_fit_no_class_count_and_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six right label sets and two of documents that the judge finds no class for: one flagged by the run, one not."""
    monkeypatch.setattr(module, "MIN_AUDIT", 4)
    right = make_scores(np.full(6, 0.9), np.ones(6))
    refused = make_scores(np.array([0.9, 0.1]), np.zeros(2), f1=np.array([0.0, 1.0])).assign(none=True)
    doubt = refused.assign(reason="doubt")
    result = calibrate(pd.concat([right, refused, doubt], ignore_index=True), 0.8, seed=0)
    assert (result["n_annotated"], result["n_audit"], result["n_none"]) == (6, 8, 2)
    assert result["agreement"] == pytest.approx(7 / 8)
    assert result["accept"] == 0.9, "six of seven are right at .9, six of eight below"


def test_nothing_annotated_claims_nothing() -> None:
    result = calibrate(pd.DataFrame(columns=COLUMNS), 0.8, seed=0)
    assert set(result) == KEYS
    assert {key: value for key, value in result.items() if value is not None} == {
        "n_annotated": 0,
        "n_audit": 0,
        "n_none": 0,
        "wished_precision": 0.8,
    }


def test_without_a_wish_there_are_no_decisions() -> None:
    result = calibrate(make_scores(np.full(60, 0.9), np.ones(60)), None, seed=0)
    assert result["agreement"] == 1.0
    for key in ("wished_precision", "accept", "share_accepted", "precision", "precision_interval"):
        assert result[key] is None


def test_wish_that_cannot_be_had_accepts_nothing() -> None:
    result = calibrate(make_scores(np.linspace(0, 1, 60), np.zeros(60)), 0.8, seed=0)
    assert (result["accept"], result["share_accepted"]) == (2.0, 0.0)
    assert result["precision"] is result["precision_interval"] is None


def test_precision_and_its_interval_are_of_what_is_accepted_unseen() -> None:
    generator = np.random.default_rng(1)
    expected = generator.random(300)
    right = (generator.random(300) < expected).astype(np.float64)
    result = calibrate(make_scores(expected, right), 0.8, seed=7)
    accepted = accept_unseen(expected, right, 0.8, seed=7)
    assert result["share_accepted"] == accepted.mean()
    assert result["precision"] == right[accepted].mean()
    assert result["precision_interval"] == list(bootstrap_interval(right[accepted], seed=7))
    low, high = result["precision_interval"]
    assert low < result["precision"] < high
    assert calibrate(make_scores(expected, right), 0.8, seed=7) == result


def test_interval_holds_the_precision_of_new_documents_nearly_always() -> None:
    """Right with the probability that is expected: what is accepted later has mean (cut + 1) / 2."""
    inside = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        expected = generator.random(200)
        right = (generator.random(200) < expected).astype(np.float64)
        result = calibrate(make_scores(expected, right), 0.8, seed=seed)
        low, high = result["precision_interval"]
        inside += low <= (min(result["accept"], 1) + 1) / 2 <= high
    assert inside >= 34
