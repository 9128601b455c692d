"""Silver labels: gaps, threshold and starved classes, worked out by hand on the diamond."""

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.silver import (
    assign_labels,
    choose_threshold,
    count_silver_labels,
    find_starved_classes,
    measure_gaps,
)
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


def make_labels(*label_sets: list[str], dropped: tuple[int, ...] = ()) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "split": "train",
            "doc_id": [str(i) for i in range(len(label_sets))],
            "class_ids": list(label_sets),
            "confidence": 1.0,
            "kept": [i not in dropped for i in range(len(label_sets))],
        }
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


@pytest.mark.parametrize(("quantile", "delta"), [(0.0, 1.0), (0.5, 2.5), (0.25, 1.75), (0.9, 3.7)])
def test_threshold_is_the_quantile_of_the_gaps(quantile: float, delta: float) -> None:
    assert choose_threshold(np.array([4, 1, 3, 2], np.float32), quantile) == pytest.approx(delta)


def test_threshold_of_no_gaps_is_zero() -> None:
    assert choose_threshold(np.array([], np.float32), 0.5) == 0


# ---------------------------------------------------------------------- labels


def test_label_set_is_the_path_to_the_best_candidate(candidates: pd.DataFrame, diamond: Taxonomy) -> None:
    labels = assign_labels(candidates, diamond, quantile=0.5)
    assert list(labels.columns) == ["split", "doc_id", "class_ids", "confidence", "kept"]
    assert labels["class_ids"].tolist() == [["ga", "to"], ["an", "ca", "be"], ["an", "do"], ["an"]]
    assert diamond.is_path_consistent(diamond.to_matrix(labels["class_ids"])).all()
    assert labels["confidence"].tolist() == [0.5, 2.0, 1.0, 3.0]
    assert labels["doc_id"].tolist() == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("quantile", "kept"),
    [
        (0.0, [True] * 4),
        (0.25, [False, True, True, True]),
        (1 / 3, [False, True, False, True]),  # delta is 1.0: a gap of 1.0 does not exceed it
        (0.5, [False, True, False, True]),
    ],
)
def test_labels_are_kept_whose_gap_exceeds_the_quantile(
    candidates: pd.DataFrame, diamond: Taxonomy, quantile: float, kept: list[bool]
) -> None:
    assert assign_labels(candidates, diamond, quantile)["kept"].tolist() == kept


def test_paths_may_be_arrays_as_they_come_from_parquet(candidates: pd.DataFrame, diamond: Taxonomy) -> None:
    arrays = candidates.assign(path=candidates["path"].map(np.array))
    pd.testing.assert_frame_equal(assign_labels(arrays, diamond, 0.5), assign_labels(candidates, diamond, 0.5))


# ---------------------------------------------------------------------- starved classes


def test_every_class_on_a_kept_path_counts(diamond: Taxonomy) -> None:
    labels = make_labels(["an", "do"], ["an", "ca", "be"], ["ga"], dropped=(2,))
    assert count_silver_labels(labels, diamond).tolist() == [2, 0, 1, 1, 1, 0, 0]


def test_starved_classes_by_number_of_documents(diamond: Taxonomy) -> None:
    labels = make_labels(["an", "do"], ["an", "ca", "be"], ["an", "ca"], ["ga"])
    starved = find_starved_classes(labels, diamond, "documents", 2)
    assert starved.to_dict("list") == {
        "class_id": ["ga", "do", "be", "ct", "to"],
        "n_documents": [1, 1, 1, 0, 0],
        "threshold": [2.0] * 5,
    }


def test_starved_classes_by_share_of_the_mean_size(diamond: Taxonomy) -> None:
    labels = make_labels(["an", "do"], ["an", "ca", "be"], ["an", "ca"], ["ga"])
    # Eight memberships in seven classes: half of the mean is 4/7.
    starved = find_starved_classes(labels, diamond, "share_of_mean", 0.5)
    assert starved["class_id"].tolist() == ["ct", "to"]
    assert starved["threshold"].tolist() == pytest.approx([4 / 7] * 2)
    # The same with 1.0: the mean 8/7 lies above the classes of one document.
    starved = find_starved_classes(labels, diamond, "share_of_mean", 1.0)
    assert starved["class_id"].tolist() == ["ga", "do", "be", "ct", "to"]


def test_no_class_is_starved_at_threshold_zero(diamond: Taxonomy) -> None:
    starved = find_starved_classes(make_labels(["an"]), diamond, "documents", 0)
    assert starved.empty
    assert starved["class_id"].dtype == "str"


def test_root_is_not_starved_while_a_class_below_it_has_documents(diamond: Taxonomy) -> None:
    labels = make_labels(*[["an", "ca", "ct"]] * 3)
    assert "an" not in set(find_starved_classes(labels, diamond, "documents", 3)["class_id"])
