"""Metrics: worked out by hand, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.metrics import accuracy_score, f1_score

from hmltc_kedro.evaluation import metrics
from hmltc_kedro.taxonomy import Taxonomy


def csr(array: object) -> sparse.csr_array:
    return sparse.csr_array(np.array(array, dtype=np.int32))


@st.composite
def label_pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(st.tuples(st.integers(1, 8), st.integers(2, 6)))
    labels = hnp.arrays(np.int32, shape, elements=st.integers(0, 1))
    return draw(labels), draw(labels)


# ---------------------------------------------------------------------- label sets


def test_sample_f1_by_hand(gold: sparse.csr_array, pred: sparse.csr_array) -> None:
    scores = metrics.sample_f1_scores(gold, pred)
    assert scores.dtype == np.float64
    assert scores.tolist() == [pytest.approx(4 / 6), 1.0, 0.0, 1.0]


def test_sample_f1_of_one_empty_set_is_zero() -> None:
    assert metrics.sample_f1_scores(csr([[1, 0], [0, 0]]), csr([[0, 0], [0, 1]])).tolist() == [0, 0]


def test_exact_match_by_hand(gold: sparse.csr_array, pred: sparse.csr_array) -> None:
    assert metrics.exact_match(gold, pred) == 0.5


def test_micro_and_macro_f1_by_hand(gold: sparse.csr_array, pred: sparse.csr_array) -> None:
    # 4 hits of 7 gold and 6 predicted pairs.
    assert metrics.micro_f1(gold, pred) == pytest.approx(8 / 13)
    # an 2/3, ga 1, do 0, ca 0, be 1, to 2/3; ct is not in gold.
    assert metrics.macro_f1(gold, pred) == pytest.approx((2 / 3 + 1 + 0 + 0 + 1 + 2 / 3) / 6)


def test_f1_without_any_label_is_zero() -> None:
    empty = csr([[0, 0]])
    assert metrics.macro_f1(empty, csr([[1, 0]])) == 0.0
    assert metrics.micro_f1(empty, empty) == 0.0


def test_per_level_by_hand(gold: sparse.csr_array, pred: sparse.csr_array, diamond: Taxonomy) -> None:
    levels = metrics.per_level(gold, pred, diamond)
    assert list(levels) == [1, 2, 3]
    assert levels[1] == {
        **{"precision": 1.0, "recall": 2 / 3, "f1": 0.8, "n_gold": 3, "n_pred": 2},
    }
    # Level 2 holds do, ca, to: gold do, to, ca; predicted ca (wrong), to (right), to (wrong).
    assert levels[2]["precision"] == levels[2]["recall"] == pytest.approx(1 / 3)
    assert levels[3] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "n_gold": 1, "n_pred": 1}


def test_path_consistency_by_hand(diamond: Taxonomy) -> None:
    labels = diamond.to_matrix([["an", "do"], ["be"], [], ["an", "be"]])
    assert metrics.path_consistency(labels, diamond) == 0.5


def test_stored_zeros_and_booleans_are_understood() -> None:
    stored = csr([[1, 1, 0]])
    stored.data[1] = 0
    assert metrics.sample_f1_scores(stored, csr([[1, 0, 0]])).tolist() == [1.0]
    assert metrics.exact_match(csr([[1, 0]]).astype(bool), csr([[1, 0]])) == 1.0
    assert stored.nnz == 2  # the argument is left as it was


@pytest.mark.parametrize(
    "function",
    [metrics.sample_f1_scores, metrics.exact_match, metrics.macro_f1, metrics.micro_f1],
)
def test_shapes_must_agree(function: object) -> None:
    with pytest.raises(ValueError, match="gold labels have shape"):
        function(csr([[1, 0]]), csr([[1, 0], [0, 1]]))  # type: ignore[operator]


def test_the_mean_over_no_documents_is_an_error(diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="no documents"):
        metrics.exact_match(diamond.to_matrix([]), diamond.to_matrix([]))


def test_labels_must_be_those_of_the_taxonomy(diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="taxonomy of 7"):
        metrics.per_level(csr([[1, 0]]), csr([[1, 0]]), diamond)


@given(label_pairs())
def test_agreement_with_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    gold, pred = pair
    near = {"abs": 1e-9}
    sample = f1_score(gold, pred, average="samples", zero_division=1.0)
    assert metrics.sample_f1_scores(csr(gold), csr(pred)).mean() == pytest.approx(sample, **near)
    exact = accuracy_score(gold, pred)
    assert metrics.exact_match(csr(gold), csr(pred)) == pytest.approx(exact, **near)
    micro = f1_score(gold, pred, average="micro", zero_division=0.0)
    assert metrics.micro_f1(csr(gold), csr(pred)) == pytest.approx(micro, **near)
    occurring = np.flatnonzero(gold.any(axis=0))
    if len(occurring):
        macro = f1_score(gold, pred, average="macro", labels=occurring, zero_division=0.0)
        assert metrics.macro_f1(csr(gold), csr(pred)) == pytest.approx(macro, **near)


@given(label_pairs())
def test_scores_are_twice_the_common_share_and_perfect_for_gold_itself(pair: tuple[np.ndarray, np.ndarray]) -> None:
    gold, pred = map(csr, pair)
    scores = metrics.sample_f1_scores(gold, pred)
    sizes = [(sum(g & p), sum(g) + sum(p)) for g, p in zip(*pair, strict=True)]
    assert scores.tolist() == pytest.approx([2 * common / both if both else 1.0 for common, both in sizes])
    assert (scores == metrics.sample_f1_scores(pred, gold)).all()
    assert metrics.exact_match(gold, gold) == 1.0


# ---------------------------------------------------------------------- rankings


def test_rank_classes_breaks_ties_by_class_order() -> None:
    probabilities = np.array([[0.2, 0.9, 0.9, 0.1], [0.5, 0.5, 0.5, 0.5]], dtype=np.float16)
    assert metrics.rank_classes(probabilities, 3).tolist() == [[1, 2, 0], [0, 1, 2]]
    assert metrics.rank_classes(probabilities, 9).shape == (2, 4)


def test_rank_classes_does_not_depend_on_blocks() -> None:
    scores = np.random.default_rng(0).integers(0, 5, (23, 11)).astype(np.float32)
    whole = metrics.rank_classes(scores, 4)
    for block_size in (1, 7, 23):
        assert (metrics.rank_classes(scores, 4, block_size) == whole).all()


def test_rank_classes_names_a_row_that_is_not_finite() -> None:
    scores = np.ones((5, 2), dtype=np.float32)
    scores[3, 1] = np.nan
    with pytest.raises(ValueError, match="row 3"):
        metrics.rank_classes(scores, 1, block_size=2)
    with pytest.raises(ValueError, match="at least one class"):
        metrics.rank_classes(scores[:3], 0)


def test_precision_at_k_by_hand() -> None:
    gold = csr([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    ranking = np.array([[0, 1, 2], [3, 1, 0], [0, 1, 2]])
    assert metrics.precision_at_k(gold, ranking, 1) == pytest.approx(1 / 3)
    assert metrics.precision_at_k(gold, ranking, 2) == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert metrics.precision_at_k(gold, ranking, 3) == pytest.approx((2 / 3 + 1 / 3 + 0) / 3)


def test_places_beyond_the_classes_are_misses() -> None:
    assert metrics.precision_at_k(csr([[1, 1]]), np.array([[0, 1]]), 4) == 0.5


@pytest.mark.parametrize(
    ("ranking", "k", "message"),
    [
        (np.zeros((1, 2), dtype=int), 3, "needs a ranking of 3"),
        (np.zeros((1, 2), dtype=int), 0, "needs a ranking of 0"),
        (np.zeros((2, 3), dtype=int), 1, "2 documents for 1"),
        (np.full((1, 3), 4), 1, "outside 0..3"),
    ],
)
def test_rankings_that_do_not_fit(ranking: np.ndarray, k: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.precision_at_k(csr([[1, 0, 0, 1]]), ranking, k)


def test_mean_reciprocal_rank_by_hand() -> None:
    gold = csr([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    ranking = np.array([[2, 1, 0], [3, 0, 1], [0, 1, 2], [0, 1, 2]])
    assert metrics.mean_reciprocal_rank(gold, ranking) == pytest.approx((1 + 1 / 3 + 0 + 0) / 4)
    scores = np.array([[0.5, 0.7, 0.5, 0.1], [0.3, 0.3, 0.9, 0.3], [0.1] * 4, [0.2] * 4], dtype=np.float32)
    # Ties rank by class order: places 2, 3, none, 4.
    expected = (1 / 2 + 1 / 3 + 0 + 1 / 4) / 4
    assert metrics.mean_reciprocal_rank(gold, scores) == pytest.approx(expected)


@given(label_pairs(), st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_reciprocal_rank_of_scores_is_that_of_their_ranking(
    pair: tuple[np.ndarray, np.ndarray], seed: int, block_size: int
) -> None:
    gold = csr(pair[0])
    scores = np.random.default_rng(seed).integers(0, 4, gold.shape).astype(np.float16)
    ranking = metrics.rank_classes(scores, gold.shape[1])
    places = [
        next((1 / (i + 1) for i, c in enumerate(order) if row[c]), 0.0)
        for order, row in zip(ranking.tolist(), pair[0], strict=True)
    ]
    assert metrics.mean_reciprocal_rank(gold, ranking) == pytest.approx(np.mean(places))
    assert metrics.mean_reciprocal_rank(gold, scores, block_size) == pytest.approx(np.mean(places))


def test_reciprocal_rank_needs_a_score_a_class() -> None:
    with pytest.raises(ValueError, match="scores of shape"):
        metrics.mean_reciprocal_rank(csr([[1, 0]]), np.zeros((1, 3)))
