"""Gaps and the threshold on them, worked out by hand."""

import numpy as np
import pytest

from hmltc_kedro.pseudo_labels.gaps import (
    GapMethod,
    choose_threshold,
    count_by_largest_gap,
    measure_gaps,
    measure_gaps_after,
)
from hmltc_kedro.taxonomy import Taxonomy

# ---------------------------------------------------------------------- gaps


@pytest.mark.parametrize(
    ("classes", "scores", "gap"),
    [
        pytest.param([6, 4, 0], [5, 3, 1], 2, id="runner-up-elsewhere"),
        pytest.param([4, 2, 5], [5, 4, 1], 4, id="parent-does-not-contend"),
        pytest.param([4, 0, 3, 2, 1], [9, 8, 7, 6, 5], 4, id="no-ancestor-contends"),
        pytest.param([0, 2, 4, 6], [9, 8, 7, 4], 5, id="no-descendant-contends"),
        pytest.param([2, 3, 4], [5, 4.5, 1], 0.5, id="sibling-contends"),
        pytest.param([0, 2, 4], [9, 8, 6], 3, id="all-related-lower-bound"),
        pytest.param([1, 0], [2, 2], 0, id="tie"),
    ],
)
def test_gap_is_to_the_best_unrelated_candidate(
    diamond: Taxonomy, classes: list[int], scores: list[float], gap: float
) -> None:
    gaps = measure_gaps(np.array([classes]), np.array([scores], np.float32), diamond)
    assert gaps.dtype == np.float32
    assert gaps.tolist() == [pytest.approx(gap)]


def test_among_all_rivals_the_gap_is_to_the_second_best_as_in_the_paper(diamond: Taxonomy) -> None:
    classes, scores = np.array([[4, 2, 5], [0, 2, 4]]), np.array([[5, 4, 1], [9, 8, 6]], np.float32)
    assert measure_gaps(classes, scores, diamond, "all").tolist() == [1, 1]


@pytest.mark.parametrize(
    ("scores", "count", "gap"),
    [
        pytest.param([9, 5, 4, 3, 0], 1, 4, id="first"),
        pytest.param([9, 8, 5, 4, 0], 2, 3, id="second"),
        pytest.param([9, 8, 7, 5, 0], 3, 2, id="third-and-none-after"),
        pytest.param([4, 2, 0, -2], 1, 2, id="tie-goes-to-the-first"),
        pytest.param([9, 8, 5], 2, 3, id="three-classes"),
        pytest.param([9, 8], 1, 1, id="two-classes"),
        pytest.param([9], 1, 0, id="one-class"),
    ],
)
def test_labels_end_at_the_largest_of_the_first_three_gaps(scores: list[float], count: int, gap: float) -> None:
    array = np.array([scores], np.float32)
    counts = count_by_largest_gap(array)
    assert counts.tolist() == [count]
    gaps = measure_gaps_after(counts, array)
    assert gaps.tolist() == [gap]
    assert gaps.dtype == np.float32


# ---------------------------------------------------------------------- delta


@pytest.mark.parametrize(
    ("method", "value", "deltas"),
    [
        ("fixed", 0.0, [0, 0, 0, 0, 0]),
        ("fixed", 2.5, [2.5, 2.5, 2.5, 2.5, 2.5]),
        ("quantile", 0.5, [3, 3, 3, 3, 3]),
        ("quantile", 0.25, [2, 2, 2, 2, 2]),
        ("quantile", 0.9, [6, 6, 6, 6, 6]),
        # Level 1 has gaps 1 and 3, level 2 has 2, 4 and 7.333.
        ("level_quantile", 0.5, [4, 2, 4, 2, 4]),
        ("level_quantile", 0.25, [3, 1.5, 3, 1.5, 3]),
        ("quantile", 0.0, [-np.inf] * 5),
        ("level_quantile", 0.0, [-np.inf] * 5),
    ],
)
def test_threshold_by_method(method: GapMethod, value: float, deltas: list[float]) -> None:
    gaps = np.array([4, 1, 2, 3, 22 / 3], np.float32)
    chosen = choose_threshold(gaps, np.array([2, 1, 2, 1, 2]), method=method, value=value)
    assert chosen.dtype == np.float32
    assert chosen.tolist() == pytest.approx(deltas)


@pytest.mark.parametrize("method", ["fixed", "quantile", "level_quantile"])
def test_no_gaps_have_no_thresholds(method: GapMethod) -> None:
    empty = np.array([], np.int64)
    assert choose_threshold(empty.astype(np.float32), empty, method=method, value=0.5).shape == (0,)
