"""Starved classes and one row a class, worked out by hand on the diamond."""

import numpy as np
import pytest

from hmltc_kedro.pseudo_labels.starvation import count_silver_labels, find_starved_classes, summarise_classes
from hmltc_kedro.taxonomy import Taxonomy
from label_tables import make_labels
from large_graphs import make_star, within

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


# ---------------------------------------------------------------------- one row a class


def test_summary_of_classes_by_hand(diamond: Taxonomy) -> None:
    labels = make_labels(["an", "do"], ["an", "ca"], ["ga"], ["ga", "to"], dropped=(3,))
    labels["confidence"] = np.array([1.0, 2.5, 0.5, 9.0], dtype=np.float32)
    summary = summarise_classes(labels, diamond, ["ga", "be", "ct", "to"])
    assert summary["class_id"].tolist() == list(diamond.class_ids)
    assert summary["path"][4] == "animals > dogs > pet beds"
    assert summary["level"].tolist() == [1, 1, 2, 2, 3, 3, 2]
    assert summary["n_documents"].tolist() == [2, 1, 1, 1, 0, 0, 0]
    assert summary["starved"].tolist() == [False, True, False, False, True, True, True]
    assert summary["empty"].tolist() == [False] * 4 + [True] * 3
    expected = [1.75, 0.5, 1.0, 2.5, np.nan, np.nan, np.nan]
    assert summary["mean_confidence"].tolist() == pytest.approx(expected, nan_ok=True)


def test_summary_where_nothing_is_kept_has_a_row_a_class(diamond: Taxonomy) -> None:
    summary = summarise_classes(make_labels(["an"], dropped=(0,)), diamond, [])
    assert summary["empty"].all()
    assert not summary["starved"].any()
    assert summary["mean_confidence"].isna().all()


def test_thousands_of_starved_classes_are_looked_up_at_once() -> None:
    star = make_star(20_000)
    with within(2, 100):
        rows = summarise_classes(make_labels(["0", "7"]), star, star.class_ids[1:])
    assert rows["starved"].sum() == 19_999
    assert rows["n_documents"].sum() == 2
