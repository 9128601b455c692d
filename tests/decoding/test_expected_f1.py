"""The label set of largest expected F1: worked out on the diamond, and against every prefix and every path."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from drawn_graphs import draw_problems
from hmltc_kedro.decoding import expected_f1
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.decoding.expected_f1 import (
    bound_by_parents,
    choose_labels,
    decode_expected_f1,
    find_best_parents,
    trace_label_sets,
)
from hmltc_kedro.decoding.paths import DecodedPaths, union_paths
from hmltc_kedro.taxonomy import Taxonomy

# Shared machines stall: a slow example is no failure.
quietly = settings(deadline=None)

Path = tuple[int, ...]
Problem = tuple[Taxonomy, np.ndarray]


def as_row(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float32)


def found_paths(decoded: DecodedPaths, document: int = 0) -> list[Path]:
    return [tuple(c for c in p if c >= 0) for p in decoded.paths[document].tolist() if p[0] >= 0]


# an, ga, do, ca, be (below do and ca), ct (below ca), to (below ga)
PETS = as_row(0.9, 0.2, 0.6, 0.8, 0.7, 0.3, 0.1)


# ---------------------------------------------------------------------- bounds


def test_no_class_is_above_its_best_parent_on_the_diamond(diamond: Taxonomy) -> None:
    given_row = as_row(0.5, 0.3, 0.9, 0.4, 0.8, 0.7, 0.2)
    before = given_row.copy()
    bounded = bound_by_parents(given_row, diamond)
    # dogs fall to animals, beds to the better of dogs (as they are now) and cats, toys to cats; tools stay.
    assert bounded.tolist() == as_row(0.5, 0.3, 0.5, 0.4, 0.5, 0.4, 0.2).tolist()
    assert bounded.dtype == np.float32
    assert (given_row == before).all(), "the argument is not changed"


@quietly
@given(draw_problems())
def test_bounds_hold_change_no_more_than_they_must_and_are_found_once(problem: Problem) -> None:
    taxonomy, probabilities = problem
    bounded = bound_by_parents(probabilities, taxonomy)
    for c, parents in enumerate(taxonomy.parents):
        above = bounded[:, list(parents)].max(axis=1) if parents else np.inf
        assert (bounded[:, c] == np.minimum(probabilities[:, c], above)).all()
    assert (bound_by_parents(bounded, taxonomy) == bounded).all()


def test_bounds_of_no_document(diamond: Taxonomy) -> None:
    assert bound_by_parents(np.zeros((0, 7), dtype=np.float32), diamond).shape == (0, 7)


# ---------------------------------------------------------------------- the best prefix


def test_set_and_expectation_are_those_worked_out_by_hand(diamond: Taxonomy) -> None:
    labels, expected = choose_labels(PETS, diamond)
    # Sum of all: 3.6. In order .9 .8 .7 .6 .3 .2 .1, so 2 sum / (k + 3.6):
    # 1.8/4.6 = .391, 3.4/5.6 = .607, 4.8/6.6 = .727, 6/7.6 = .789, 6.6/8.6 = .767, ...
    assert diamond.to_label_sets(labels) == [["an", "do", "ca", "be"]]
    assert expected.tolist() == pytest.approx([6 / 7.6], rel=1e-6)
    assert (labels.dtype, labels.shape) == (np.int32, (1, 7))
    assert expected.dtype == np.float64


def test_a_document_about_nothing_gets_one_root(diamond: Taxonomy) -> None:
    labels, _ = choose_labels(np.full((1, 7), 0.01), diamond)
    assert labels.toarray().sum() == 7, "equal classes stand or fall together: 0.02 k / (k + 0.07) grows with k"
    labels, expected = choose_labels(np.zeros((1, 7)), diamond)
    assert diamond.to_label_sets(labels) == [["an"]]
    assert expected.tolist() == [0.0]


CHAIN = [("top", "middle"), ("middle", "leaf")]


def test_ties_go_to_the_upper_level(monkeypatch: pytest.MonkeyPatch) -> None:
    # Positions against the graph: the leaf comes first, its root last.
    chain = Taxonomy.from_edges([("leaf", "leaf"), ("middle", "middle"), ("top", "top")], CHAIN)
    for largest, wanted in [(1, ["top"]), (2, ["top", "middle"]), (3, ["top", "middle", "leaf"])]:
        monkeypatch.setattr(expected_f1, "LARGEST", largest)
        labels, _ = choose_labels(np.full((1, 3), 0.5, dtype=np.float16), chain)
        assert chain.to_label_sets(labels) == [wanted]


def test_ties_never_leave_a_class_without_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class may lie nearer to a root than the parent that it hangs on."""
    edges = [("far", "low"), ("near", "high"), ("high", "low")]
    taxonomy = Taxonomy.from_edges([(i, i) for i in ("low", "high", "far", "near")], edges)
    assert taxonomy.levels[0] == taxonomy.levels[1] == 2
    probabilities = as_row(0.5, 0.5, 0.0, 0.5)  # low hangs on high, for far is improbable
    for largest, wanted in [(1, ["near"]), (2, ["near", "high"]), (3, ["near", "high", "low"])]:
        monkeypatch.setattr(expected_f1, "LARGEST", largest)
        labels, _ = choose_labels(probabilities, taxonomy)
        assert taxonomy.to_label_sets(labels) == [wanted]


def test_sets_have_at_most_the_largest_size(monkeypatch: pytest.MonkeyPatch, diamond: Taxonomy) -> None:
    assert choose_labels(np.ones((1, 7), dtype=np.float32), diamond)[0].toarray().sum() == 7
    monkeypatch.setattr(expected_f1, "LARGEST", 3)
    labels, expected = choose_labels(np.ones((1, 7), dtype=np.float32), diamond)
    assert labels.toarray().sum() == 3
    assert expected.tolist() == pytest.approx([6 / 10])


def expect_f1(row: np.ndarray, k: int) -> float:
    best = np.sort(row.astype(np.float64))[::-1]
    return float(2 * best[:k].sum() / (k + best.sum()))


@quietly
@given(draw_problems(), st.integers(1, 9), st.sampled_from([np.float16, np.float32, np.float64]))
def test_no_prefix_is_better_and_the_set_hangs_together(problem: Problem, largest: int, dtype: type) -> None:
    taxonomy, probabilities = problem
    bounded = bound_by_parents(probabilities, taxonomy).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expected_f1, "LARGEST", largest)
        labels, expected = choose_labels(bounded, taxonomy)
    chosen = labels.toarray() > 0
    assert taxonomy.is_path_consistent(labels).all()
    for row, mine, value in zip(bounded, chosen, expected, strict=True):
        prefixes = [expect_f1(row, k) for k in range(1, min(largest, len(taxonomy)) + 1)]
        assert value == pytest.approx(max(prefixes), abs=1e-12)
        assert expect_f1(row, mine.sum()) == pytest.approx(max(prefixes), abs=1e-12)
        assert row[mine].min() >= row[~mine].max(initial=0), "the most probable ones"


@quietly
@given(draw_problems(max_classes=6))
def test_no_set_at_all_has_a_larger_expectation(problem: Problem) -> None:
    taxonomy, probabilities = problem
    bounded = bound_by_parents(probabilities, taxonomy)
    _, expected = choose_labels(bounded, taxonomy)
    masks = np.array([[m >> c & 1 for c in range(len(taxonomy))] for m in range(1, 2 ** len(taxonomy))])
    for row, value in zip(bounded.astype(np.float64), expected, strict=True):
        every = 2 * (masks @ row) / (masks.sum(axis=1) + row.sum())
        assert value == pytest.approx(every.max(), abs=1e-12)


# ---------------------------------------------------------------------- paths of a set


def trace_one(taxonomy: Taxonomy, ids: list[str], row: np.ndarray) -> DecodedPaths:
    return trace_label_sets(taxonomy.to_matrix([ids]), row, taxonomy)


def test_paths_go_up_along_the_best_parents_inside_the_set(diamond: Taxonomy) -> None:
    decoded = trace_one(diamond, ["an", "do", "ca", "be"], PETS)
    # Beds hang on cats (.8), so dogs end a path of their own.
    assert found_paths(decoded) == [(0, 3, 4), (0, 2)]
    means = [(0.9 * 0.8 * 0.7) ** (1 / 3), (0.9 * 0.6) ** (1 / 2)]
    assert decoded.scores[0].tolist() == pytest.approx(means, rel=1e-6)
    assert (decoded.paths.dtype, decoded.scores.dtype) == (np.int32, np.float32)
    # Without cats in the set the better parent does not count.
    assert found_paths(trace_one(diamond, ["an", "do", "be"], PETS)) == [(0, 2, 4)]


def test_empty_sets_and_improbable_classes_have_their_places(diamond: Taxonomy) -> None:
    labels = diamond.to_matrix([[], ["ga", "to"], ["an", "ga"]])
    rows = np.repeat(as_row(0.25, 0, 0, 0, 0, 0, 0), 3, axis=0)
    decoded = trace_label_sets(labels, rows, diamond)
    assert decoded.paths.shape == (3, 2, 3)
    assert [found_paths(decoded, n) for n in range(3)] == [[], [(1, 6)], [(0,), (1,)]]
    assert decoded.scores.tolist() == [[-np.inf, -np.inf], [0, -np.inf], [0.25, 0]]


def test_equal_paths_come_in_the_order_of_their_classes(diamond: Taxonomy) -> None:
    decoded = trace_one(diamond, ["an", "ga", "do", "ca", "be", "ct", "to"], np.full((1, 7), 0.5))
    assert found_paths(decoded) == [(0, 2, 4), (0, 3, 5), (1, 6)]


@quietly
@given(draw_problems(), st.integers(0, 2**32 - 1))
def test_paths_are_paths_and_their_union_is_the_set(problem: Problem, seed: int) -> None:
    taxonomy, probabilities = problem
    paths = list(taxonomy.iterate_paths())
    generator = np.random.default_rng(seed)
    sets = [
        {c for k in generator.integers(0, len(paths), generator.integers(0, 4)) for c in paths[k]}
        for _ in probabilities
    ]
    labels = taxonomy.to_matrix([[taxonomy.class_ids[c] for c in chosen] for chosen in sets])
    decoded = trace_label_sets(labels, probabilities, taxonomy)
    assert (union_paths(decoded, taxonomy) != labels).nnz == 0
    for document, row in enumerate(probabilities):
        found = found_paths(decoded, document)
        assert len({path[-1] for path in found}) == len(found)
        for path, score in zip(found, decoded.scores[document].tolist(), strict=False):
            assert path in taxonomy.iterate_paths([path[-1]])
            mean = row[list(path)].astype(np.float64).prod() ** (1 / len(path))
            assert score == pytest.approx(mean, rel=1e-4, abs=1e-7)
            for parent, child in pairwise(path):
                inside = [row[p] for p in taxonomy.parents[child] if p in sets[document]]
                assert row[parent] == max(inside)
        scores = decoded.scores[document][: len(found)].tolist()
        assert scores == sorted(scores, reverse=True)


def test_best_parents(diamond: Taxonomy) -> None:
    assert find_best_parents(PETS, diamond).tolist() == [[-1, -1, 0, 0, 3, 3, 1]]
    tied = np.full((1, 7), 0.5, dtype=np.float32)
    assert find_best_parents(tied, diamond)[0, 4] == 2, "the first of equal ones"


# ---------------------------------------------------------------------- decoding


@quietly
@given(draw_problems(), st.integers(1, 6))
def test_blocks_do_not_matter_and_unions_are_the_sets_chosen(problem: Problem, block_size: int) -> None:
    taxonomy, probabilities = problem
    bounded = bound_by_parents(probabilities, taxonomy).astype(np.float16)
    whole = decode_expected_f1(bounded, taxonomy)
    parts = decode_expected_f1(bounded, taxonomy, block_size=block_size)
    assert (whole.paths == parts.paths).all()
    assert (whole.scores == parts.scores).all()
    assert ((whole.paths[:, :, 0] >= 0) == (whole.scores > -np.inf)).all()
    labels = sparse.csr_array(choose_labels(bounded, taxonomy)[0])
    assert (union_paths(whole, taxonomy) != labels).nnz == 0
    assert taxonomy.is_path_consistent(union_paths(whole, taxonomy)).all()


def test_no_documents_are_no_error(diamond: Taxonomy) -> None:
    nothing = np.zeros((0, 7), dtype=np.float16)
    decoded = decode_expected_f1(nothing, diamond)
    assert (decoded.paths.shape, decoded.scores.shape) == ((0, 1, 3), (0, 1))
    labels, expected = choose_labels(nothing, diamond)
    assert (labels.shape, expected.shape) == ((0, 7), (0,))
    assert len(trace_label_sets(labels, nothing, diamond)) == 0


def test_the_method_is_a_setting_and_what_a_student_is_decoded_with(diamond: Taxonomy) -> None:
    settings = DecodingSettings()
    assert settings.for_student().method == "expected_f1"
    assert found_paths(decode(PETS, diamond, settings.for_student())) == [(0, 3, 4), (0, 2)]
    flat = settings.model_copy(update={"method": "flat"})
    assert flat.for_student() == flat, "a method that somebody chose stays"


@pytest.mark.parametrize("bad", [1.5, -0.1, np.nan])
def test_what_is_no_probability_is_refused(bad: float, diamond: Taxonomy) -> None:
    block = np.repeat(PETS, 5, axis=0)
    block[3, 2] = bad
    with pytest.raises(ValueError, match="row 3 "):
        decode_expected_f1(block, diamond, block_size=2)
    with pytest.raises(ValueError, match="taxonomy of 7"):
        decode_expected_f1(PETS[:, :5], diamond)
