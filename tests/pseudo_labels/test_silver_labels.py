"""Silver labels, their agreement and their changes, worked out by hand on the diamond."""

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.pseudo_labels.gaps import (
    GapMethod,
    Selection,
)
from hmltc_kedro.pseudo_labels.neighbourhood import average_neighbours
from hmltc_kedro.pseudo_labels.silver_labels import assign_labels, measure_agreement
from hmltc_kedro.taxonomy import Taxonomy


def make_candidates(taxonomy: Taxonomy, documents: list[list[tuple[str, list[str], float]]]) -> pd.DataFrame:
    """Return the candidates of documents given as (class id, path, fused score), best first."""
    return pd.DataFrame(
        [
            ("train", str(n), rank, class_id, path, np.float32(score))
            for n, document in enumerate(documents)
            for rank, (class_id, path, score) in enumerate(document, start=1)
        ],
        columns=["split", "doc_id", "rank", "class_id", "path", "score_fused"],
    )


@pytest.fixture
def candidates(diamond: Taxonomy) -> pd.DataFrame:
    """Return four documents of gaps 0.5, 2.0, 1.0 and 3.0."""
    beds_by_cats = ["an", "ca", "be"]
    return make_candidates(
        diamond,
        [
            [("to", ["ga", "to"], 2.0), ("be", beds_by_cats, 1.5), ("ga", ["ga"], 1.0)],
            # do and an are ancestors of be, so ct is the runner-up.
            [("be", beds_by_cats, 4.0), ("do", ["an", "do"], 3.5), ("ct", ["an", "ca", "ct"], 2.0)],
            # be is below the best class.
            [("do", ["an", "do"], 3.0), ("be", beds_by_cats, 2.9), ("ca", ["an", "ca"], 2.0)],
            # All are related: the distance to the last is a lower bound.
            [("an", ["an"], 5.0), ("be", beds_by_cats, 4.0), ("do", ["an", "do"], 2.0)],
        ],
    )


# ---------------------------------------------------------------------- labels


def label(
    candidates: pd.DataFrame,
    taxonomy: Taxonomy,
    selection: Selection = "threshold",
    gap_method: GapMethod = "quantile",
    gap_value: float = 0.5,
) -> pd.DataFrame:
    return assign_labels(
        candidates, taxonomy, selection=selection, rivals="unrelated", gap_method=gap_method, gap_value=gap_value
    )


def test_label_set_is_the_path_to_the_best_candidate(candidates: pd.DataFrame, diamond: Taxonomy) -> None:
    labels = label(candidates, diamond)
    assert list(labels.columns) == ["split", "doc_id", "class_ids", "confidence", "kept"]
    assert labels["class_ids"].tolist() == [["ga", "to"], ["an", "ca", "be"], ["an", "do"], ["an"]]
    assert diamond.is_path_consistent(diamond.to_matrix(labels["class_ids"])).all()
    assert labels["confidence"].tolist() == [0.5, 2.0, 1.0, 3.0]
    assert labels["doc_id"].tolist() == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("method", "value", "kept"),
    [
        ("quantile", 0.0, [True] * 4),
        ("quantile", 0.25, [False, True, True, True]),
        ("quantile", 1 / 3, [False, True, False, True]),  # delta is 1.0: a gap of 1.0 does not exceed it
        ("quantile", 0.5, [False, True, False, True]),
        ("fixed", 1.0, [False, True, False, True]),
        ("fixed", 0.4, [True] * 4),
        # The best classes lie on levels 2, 3, 2 and 1; alone on its level, a document is its own quantile.
        ("level_quantile", 0.5, [False, False, True, False]),
    ],
)
def test_labels_are_kept_whose_gap_exceeds_delta(
    candidates: pd.DataFrame, diamond: Taxonomy, method: GapMethod, value: float, kept: list[bool]
) -> None:
    assert label(candidates, diamond, gap_method=method, gap_value=value)["kept"].tolist() == kept


def test_fixed_threshold_of_zero_asks_for_a_gap(diamond: Taxonomy) -> None:
    tie = make_candidates(diamond, [[("an", ["an"], 2.0), ("ga", ["ga"], 2.0)]])
    assert label(tie, diamond, gap_method="fixed", gap_value=0.0)["kept"].tolist() == [False]
    assert label(tie, diamond, gap_method="quantile", gap_value=0.0)["kept"].tolist() == [True]


def test_largest_gap_joins_the_paths_of_the_candidates_before_it(diamond: Taxonomy) -> None:
    be, ct, to = ("be", ["an", "ca", "be"]), ("ct", ["an", "ca", "ct"]), ("to", ["ga", "to"])
    candidates = make_candidates(
        diamond,
        [
            [(*be, 9.0), (*to, 5.0), (*ct, 4.0), ("do", ["an", "do"], 3.0)],
            [(*be, 9.0), (*ct, 8.5), (*to, 6.5), ("do", ["an", "do"], 6.0)],
            # The rank decides, not the path: to comes third, and the set still lists parents first.
            [(*ct, 9.0), (*be, 8.0), (*to, 7.0), ("ga", ["ga"], 4.0)],
        ],
    )
    labels = label(candidates, diamond, "largest_gap", gap_value=0.0)
    assert [set(ids) for ids in labels["class_ids"]] == [
        {"an", "ca", "be"},
        {"an", "ca", "be", "ct"},
        {"an", "ca", "ct", "be", "ga", "to"},
    ]
    rank = {class_id: place for place, class_id in enumerate(diamond.class_ids)}
    assert all(ids == sorted(ids, key=lambda i: diamond.levels[rank[i]]) for ids in labels["class_ids"])
    assert labels["confidence"].tolist() == [4.0, 2.0, 3.0]
    assert labels["kept"].all()
    # Delta does not depend on the selection: it is asked of whichever gap the selection is sure by.
    assert label(candidates, diamond, "largest_gap", gap_value=0.5)["kept"].tolist() == [True, False, False]


@pytest.mark.parametrize("selection", ["threshold", "largest_gap"])
def test_paths_may_be_arrays_as_they_come_from_parquet(
    candidates: pd.DataFrame, diamond: Taxonomy, selection: Selection
) -> None:
    arrays = candidates.assign(path=candidates["path"].map(np.array))
    pd.testing.assert_frame_equal(label(arrays, diamond, selection), label(candidates, diamond, selection))


# ---------------------------------------------------------------------- agreement


def test_agreement_with_neighbours_by_hand(diamond: Taxonomy) -> None:
    labels = diamond.to_matrix([["an", "do"], ["an", "do"], ["an", "ca"], ["ga"]])
    neighbours = average_neighbours(np.array([[1, 2], [0, 3], [1, 0], [2, 0]]))
    # The means: an 1, do 1/2, ca 1/2; an, do, ga 1/2 each; an and do 1; no garden.
    expected = [1.5 / np.sqrt(2 * 1.5), 1 / np.sqrt(2 * 0.75), 1 / 2, 0]
    agreement = measure_agreement(labels, neighbours)
    assert (agreement.shape, agreement.dtype) == ((4,), np.float32)
    np.testing.assert_allclose(agreement, expected, atol=1e-6)


def test_agreement_does_not_depend_on_the_order_of_neighbours(diamond: Taxonomy) -> None:
    labels = diamond.to_matrix([["an", "do", "be"], ["an", "do"], ["an", "ca", "ct"], ["ga", "to"]])
    rows = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
    agreement, again = (measure_agreement(labels, average_neighbours(r)) for r in (rows, rows[:, ::-1]))
    np.testing.assert_allclose(agreement, again, atol=1e-6)


def test_agreement_is_full_among_equals_and_without_neighbours(diamond: Taxonomy) -> None:
    equal = diamond.to_matrix([["an", "ca", "ct"]] * 3)
    everybody = average_neighbours(np.array([[1, 2], [0, 2], [0, 1]]))
    np.testing.assert_allclose(measure_agreement(equal, everybody), 1, atol=1e-6)
    alone = average_neighbours(np.zeros((2, 0), dtype=np.int64))
    np.testing.assert_allclose(measure_agreement(diamond.to_matrix([["an"], ["ga", "to"]]), alone), 1, atol=1e-6)


def test_no_label_agrees_with_none(diamond: Taxonomy) -> None:
    labels = diamond.to_matrix([[], ["an"], []])
    neighbours = average_neighbours(np.array([[1], [0], [0]]))
    assert measure_agreement(labels, neighbours).tolist() == [0, 0, 0]
