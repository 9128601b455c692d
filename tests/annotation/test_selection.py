"""Who is asked: the arithmetic of the budget, and the three kinds of choosing."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.annotation.selection import Budget, Parts, choose_audit, choose_coverage, choose_doubt


def make_splits(train: int, test: int) -> pd.Series:
    return pd.Series(["train"] * train + ["test"] * test, dtype="str")


# ---------------------------------------------------------------------- budget


@pytest.mark.parametrize(
    ("train", "test", "limits", "expected"),
    [
        (800, 200, (2000, 0.2, 200), Budget(total=200, test=40, audit=100)),  # a fifth; the audit half of it
        (8000, 2000, (2000, 0.2, 200), Budget(total=2000, test=400, audit=200)),
        (8000, 2000, (100, 0.2, 20), Budget(total=100, test=100, audit=20)),
        (80, 20, (2000, 1.0, 10), Budget(total=100, test=20, audit=10)),
        (100, 0, (2000, 0.5, 30), Budget(total=50, test=0, audit=25)),
        (7, 4, (2000, 0.2, 200), Budget(total=2, test=0, audit=1)),
        (8, 2, (2000, 0.0, 200), Budget(total=0, test=0, audit=0)),
        (8, 2, (0, 1.0, 200), Budget(total=0, test=0, audit=0)),
        (0, 0, (2000, 0.2, 200), Budget(total=0, test=0, audit=0)),
    ],
)
def test_budget_is_the_least_of_its_limits(
    train: int, test: int, limits: tuple[int, float, int], expected: Budget
) -> None:
    most, share, audit = limits
    assert Budget.plan(make_splits(train, test), max_documents=most, share=share, audit=audit) == expected


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 300), st.floats(0, 1), st.integers(0, 300))
def test_no_part_of_the_budget_is_larger_than_it_may_be(
    train: int, test: int, most: int, share: float, audit: int
) -> None:
    budget = Budget.plan(make_splits(train, test), max_documents=most, share=share, audit=audit)
    assert 0 <= budget.total <= min(most, share * (train + test))
    assert 0 <= budget.test <= min(budget.total, share * test)
    assert 0 <= budget.audit <= min(audit, budget.total / 2)


@pytest.mark.parametrize(
    ("budget", "audited", "free", "expected"),
    [
        # 1,800 left, 450 of them for coverage at least; 400 test documents leave 1,400, half and half.
        (Budget(2000, 419, 200), (200, 19), (10_000, 2000), Parts(700, 400, 700)),
        # The test documents could take all of it: a quarter is kept.
        (Budget(2000, 2000, 200), (200, 100), (10_000, 20_000), Parts(450, 1350, 0)),
        (Budget(20, 20, 8), (8, 2), (200, 60), Parts(3, 9, 0)),
        (Budget(7, 7, 2), (2, 0), (50, 50), Parts(2, 3, 0)),
        # 1,300 of 1,800 for the test documents: the quarter, and the rest in doubt.
        (Budget(2000, 1300, 200), (200, 0), (10_000, 20_000), Parts(450, 1300, 50)),
        # Too few training documents give what they have, and test documents the rest; likewise the other way round.
        (Budget(2000, 2000, 200), (200, 100), (30, 20_000), Parts(30, 1770, 0)),
        (Budget(2000, 2000, 200), (200, 200), (0, 20_000), Parts(0, 1800, 0)),
        (Budget(2000, 2000, 200), (200, 0), (10_000, 5), Parts(898, 5, 897)),
        (Budget(2000, 0, 200), (200, 0), (10_000, 0), Parts(900, 0, 900)),
        (Budget(2000, 100, 0), (0, 0), (40, 30), Parts(40, 30, 0)),
        (Budget(10, 0, 10), (10, 0), (50, 0), Parts(0, 0, 0)),
        (Budget(0, 0, 0), (0, 0), (50, 50), Parts(0, 0, 0)),
    ],
)
def test_each_purpose_keeps_its_share(
    budget: Budget, audited: tuple[int, int], free: tuple[int, int], expected: Parts
) -> None:
    assert budget.split(*audited, *free) == expected


@given(
    total=st.integers(0, 300),
    test=st.integers(0, 300),
    audit=st.integers(0, 150),
    audit_test=st.integers(0, 150),
    train_left=st.integers(0, 300),
    test_left=st.integers(0, 300),
)
def test_split_spends_what_it_can_and_never_more(
    total: int, test: int, audit: int, audit_test: int, train_left: int, test_left: int
) -> None:
    test, audit = min(test, total), min(audit, total // 2)
    audit_test = min(audit_test, audit, test)
    parts = Budget(total, test, audit).split(audit, audit_test, train_left, test_left)
    left = total - audit
    assert min(parts.coverage, parts.doubt_test, parts.doubt_train) >= 0
    assert parts.coverage + parts.doubt_train <= train_left
    assert parts.doubt_test <= min(test_left, test - audit_test)
    spent = parts.coverage + parts.doubt_test + parts.doubt_train
    assert spent == min(left, train_left + min(test_left, test - audit_test))
    assert parts.coverage >= min(left / 4, train_left)


# ---------------------------------------------------------------------- audit


def draw(train: int, test: int, budget: Budget, forbidden: tuple[int, ...] = ()) -> Counter[str]:
    """Draw an audit part from so many training and test documents and count where its documents are from."""
    splits = make_splits(train, test)
    eligible = ~np.isin(np.arange(train + test), forbidden)
    rows = choose_audit(eligible, (splits == "test").to_numpy(), budget, seed=1)
    assert len(set(rows.tolist())) == len(rows) and eligible[rows].all()
    assert (np.diff(rows) > 0).all()
    return Counter(splits.iloc[rows])


def test_audit_is_drawn_in_proportion_to_the_corpus() -> None:
    assert draw(750, 250, Budget(200, 50, 40)) == {"train": 30, "test": 10}
    assert draw(0, 100, Budget(20, 20, 10)) == {"test": 10}
    assert draw(100, 0, Budget(20, 0, 10)) == {"train": 10}


def test_split_with_too_few_documents_is_made_up_for() -> None:
    all_test, all_train = tuple(range(50, 100)), tuple(range(50))
    assert draw(50, 50, Budget(40, 20, 20), forbidden=all_test) == {"train": 20}
    assert draw(50, 50, Budget(40, 20, 20), forbidden=all_train) == {"test": 20}
    assert draw(50, 50, Budget(40, 20, 20), forbidden=tuple(range(95))) == {"test": 5}
    assert draw(50, 50, Budget(40, 20, 20), forbidden=tuple(range(4, 50))) == {"train": 4, "test": 16}
    # The test budget holds also where training documents are short.
    assert draw(50, 50, Budget(40, 3, 20), forbidden=all_train) == {"test": 3}
    assert draw(50, 50, Budget(40, 3, 20)) == {"train": 17, "test": 3}


def test_nothing_to_draw_is_no_error() -> None:
    assert draw(50, 50, Budget(0, 0, 0)) == {}
    assert draw(50, 50, Budget(40, 20, 20), forbidden=tuple(range(100))) == {}


def test_audit_is_at_random_and_repeats_with_its_seed() -> None:
    is_test = np.arange(1000) >= 800
    budget = Budget(200, 40, 100)
    draws = [choose_audit(np.ones(1000, dtype=bool), is_test, budget, seed) for seed in range(40)]
    again = choose_audit(np.ones(1000, dtype=bool), is_test, budget, 0)
    assert again.tolist() == draws[0].tolist() != draws[1].tolist()
    often = np.bincount(np.concatenate(draws), minlength=1000)
    assert often.mean() == pytest.approx(4)
    assert np.corrcoef(often, np.arange(1000))[0, 1] == pytest.approx(0, abs=0.1), "early rows are not preferred"


# ---------------------------------------------------------------------- coverage


def test_coverage_is_even_over_classes_as_far_as_there_are_documents() -> None:
    classes = np.array(["a"] * 50 + ["b"] * 20 + ["c"] * 3 + [""] * 2, dtype=object)
    everything = np.ones(75, dtype=bool)
    for count, expected in [
        (1, {"a": 1}),
        (2, {"a": 1, "b": 1}),
        (4, {"a": 1, "b": 1, "c": 1, "": 1}),
        (12, {"a": 4, "b": 3, "c": 3, "": 2}),
        (75, {"a": 50, "b": 20, "c": 3, "": 2}),
        (1000, {"a": 50, "b": 20, "c": 3, "": 2}),
        (0, {}),
        (-3, {}),
    ]:
        rows = choose_coverage(everything, classes, count, seed=3)
        assert Counter(classes[rows]) == expected, count
        assert (np.diff(rows) > 0).all()


def test_coverage_asks_only_who_may_be_asked_and_draws_at_random() -> None:
    classes = np.array(["a", "b"] * 50, dtype=object)
    eligible = np.arange(100) >= 40
    draws = [choose_coverage(eligible, classes, 20, seed) for seed in range(30)]
    assert all(eligible[rows].all() for rows in draws)
    assert all(Counter(classes[rows]) == {"a": 10, "b": 10} for rows in draws)
    assert set(np.concatenate(draws).tolist()) == set(range(40, 100))
    assert choose_coverage(eligible, classes, 20, 0).tolist() == draws[0].tolist()
    assert choose_coverage(np.zeros(100, dtype=bool), classes, 20, 0).tolist() == []


# ---------------------------------------------------------------------- doubt


def test_doubt_takes_the_lowest_expectations_first() -> None:
    expected = np.array([0.9, 0.1, 0.5, np.inf, 0.2, 0.1, 0.0])
    eligible = np.array([True, True, True, True, True, True, False])
    assert choose_doubt(eligible, expected, 1).tolist() == [1], "of equal ones the first"
    assert choose_doubt(eligible, expected, 3).tolist() == [1, 4, 5]
    assert choose_doubt(eligible, expected, 99).tolist() == [0, 1, 2, 3, 4, 5]
    assert choose_doubt(eligible, expected, 0).tolist() == []
    assert choose_doubt(~eligible, expected, 5).tolist() == [6]
