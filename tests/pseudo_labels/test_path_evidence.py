"""Classes above a class count for it: by hand, and by going through all paths."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hmltc_kedro.pseudo_labels.path_evidence import add_ancestors, label_best_path
from hmltc_kedro.taxonomy import Taxonomy

#                      an  ga  do  ca  be  ct  to
SCORES = np.float32([[2.0, 1.0, 0.0, 3.0, 1.0, 0.5, 4.0], [0.0, 0.0, 1.0, 0.0, 2.0, 9.0, 0.0]])


def test_ancestors_by_hand(diamond: Taxonomy) -> None:
    found, parents = add_ancestors(SCORES, diamond, 0.5)
    # pet_beds' way is by cats (mean of 2, 3, 1), not by dogs (2, 0, 1); in the second text by dogs.
    assert parents[:, 4].tolist() == [3, 2]
    expected = [[2, 1, 0 + 1, 3 + 1, 1 + 0.5 * 2.5, 0.5 + 0.5 * 2.5, 4 + 0.5], [0, 0, 1, 0, 2 + 0.25, 9, 0]]
    np.testing.assert_allclose(found, expected)
    assert found.dtype == np.float32


def test_without_weight_each_class_counts_for_itself(diamond: Taxonomy) -> None:
    found, parents = add_ancestors(SCORES, diamond, 0)
    np.testing.assert_array_equal(found, SCORES)
    np.testing.assert_array_equal(parents, diamond.best_parents(SCORES))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # a taxonomy does not change
@given(st.integers(0, 10_000), st.floats(0, 2))
def test_ancestors_equal_a_walk_over_the_best_path(diamond: Taxonomy, seed: int, weight: float) -> None:
    scores = np.random.default_rng(seed).normal(size=(3, 7)).astype(np.float32)
    found, _ = add_ancestors(scores, diamond, weight)
    for row, own in zip(found, scores, strict=True):
        for c in range(7):
            path = max(diamond.iterate_paths([c]), key=lambda nodes, own=own: own[list(nodes)].mean())
            above = own[list(path[:-1])].mean() if len(path) > 1 else 0
            assert row[c] == pytest.approx(own[c] + weight * above, abs=1e-4)


def test_label_is_the_best_class_and_the_way_to_it(diamond: Taxonomy) -> None:
    labels = label_best_path(SCORES, diamond, 0.5)
    assert labels.toarray().tolist() == [[0, 1, 0, 0, 0, 0, 1], [1, 0, 0, 1, 0, 1, 0]]
    # With a high weight what is above decides: cat_toys and pet_beds have 2.5 above them, tools only 1.
    assert diamond.to_label_sets(label_best_path(SCORES[:1] - np.eye(7, dtype=np.float32)[6] * 3, diamond, 2)) == [
        ["an", "ca"]
    ]


def test_no_document_has_no_label(diamond: Taxonomy) -> None:
    assert label_best_path(SCORES[:0], diamond, 0.5).shape == (0, 7)
