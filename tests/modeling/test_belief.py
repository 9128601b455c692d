"""How far a student is believed: by hand."""

import numpy as np
import pytest
from scipy.special import logit

from hmltc_kedro.modeling.belief import HALF_BELIEVED, find_present, hold_back, weigh_belief
from hmltc_kedro.taxonomy import Taxonomy

DOGS = np.array([[0.9, 0.01, 0.8, 0.1, 0.15, 0.01, 0.01]], dtype=np.float32)
"""Probabilities of a classifier that says animals > dogs."""


@pytest.mark.parametrize(
    ("trust", "belief"),
    [
        ([], 0.0),
        ([1.0] * 15, 0.5),
        ([0.8] * 25, 400 / 625),  # twenty in all
        ([0.5, 1.0, 0.5], 4 / 229),
        ([1.0] * 2000, 4_000_000 / 4_000_225),
    ],
)
def test_belief_grows_with_the_square_of_what_is_trusted(trust: list[float], belief: float) -> None:
    assert HALF_BELIEVED == 15
    assert weigh_belief(np.array(trust, dtype=np.float32)) == pytest.approx(belief)


def test_classifier_says_its_own_label_set(diamond: Taxonomy) -> None:
    present = find_present(logit(DOGS).astype(np.float32), diamond)
    assert diamond.to_label_sets(present) == [["an", "do"]]
    assert find_present(np.zeros((0, 7), dtype=np.float32), diamond).shape == (0, 7)


def test_held_back_is_the_weighed_mean_with_the_label_set(diamond: Taxonomy) -> None:
    q = np.array([[0.5, 0.5, 0.2, 0.3, 0.1, 0.3, 0.5]], dtype=np.float32)
    held = hold_back(q, logit(DOGS).astype(np.float32), 0.6, diamond)
    np.testing.assert_allclose(held, [[0.7, 0.3, 0.52, 0.18, 0.06, 0.18, 0.3]], rtol=1e-5)
    assert held.dtype == np.float32
    np.testing.assert_array_equal(hold_back(q, logit(DOGS), 1.0, diamond), q)
    np.testing.assert_array_equal(hold_back(q, logit(DOGS), 0.0, diamond), [[1, 0, 1, 0, 0, 0, 0]])


def test_held_back_classes_keep_a_parent_above_them(diamond: Taxonomy) -> None:
    """Pet beds hang on cats by the student and on dogs by the classifier: the mean alone would lift them above both."""
    beds = np.array([[0.9, 0.01, 0.8, 0.1, 0.8, 0.01, 0.01]], dtype=np.float32)
    q = np.array([[0.9, 0.1, 0.0, 0.9, 0.9, 0.0, 0.1]], dtype=np.float32)
    held = hold_back(q, logit(beds).astype(np.float32), 0.5, diamond)
    np.testing.assert_allclose(held, [[0.95, 0.05, 0.5, 0.45, 0.5, 0.0, 0.05]], rtol=1e-5)
