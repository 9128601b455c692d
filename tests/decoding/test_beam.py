"""Beam search: worked out on the diamond, and against brute force over all maximal active paths."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoding_problems import PETS, Path, as_row, found_paths, label_sets, problems
from hmltc_kedro.decoding import beam
from hmltc_kedro.decoding.baselines import leaf_priority
from hmltc_kedro.decoding.beam import beam_search
from hmltc_kedro.taxonomy import Taxonomy
from large_graphs import make_ladder, within


def brute_force(
    row: np.ndarray,
    taxonomy: Taxonomy,
    threshold: np.ndarray,
    power: float,
    shortest: int,
    longest: int,
) -> list[tuple[float, Path]]:
    """Return (score, path) of the best path to each class that the rules allow, best first."""
    found = []
    for path in taxonomy.iterate_paths():
        allowed = all(
            b in goes_on_to(row, taxonomy, threshold, path[:i], shortest, longest)
            for i, (_, b) in enumerate(pairwise(path), start=1)
        )
        if allowed and not goes_on_to(row, taxonomy, threshold, path, shortest, longest):
            found.append((float(row[list(path)].astype(float).prod() ** (1 / len(path) ** power)), path))
    found.sort(key=lambda item: (-round(math.log(item[0]) if item[0] else -math.inf, 9), item[1]))
    return list({path[-1]: (score, path) for score, path in reversed(found)}.values())[::-1]


def goes_on_to(
    row: np.ndarray,
    taxonomy: Taxonomy,
    threshold: np.ndarray,
    path: Path,
    shortest: int,
    longest: int,
) -> list[int]:
    children = list(taxonomy.children[path[-1]])
    if len(path) >= longest:
        return []
    active = [c for c in children if row[c] >= threshold[c]]
    if not active and children and len(path) < shortest:
        return [max(children, key=lambda c: (row[c], -c))]
    return active


# ---------------------------------------------------------------------- beam search by hand


def test_of_two_ways_to_a_class_the_best_one_counts(diamond: Taxonomy) -> None:
    decoded = beam_search(PETS, diamond, beam_width=4)
    assert decoded.paths.dtype == np.int32
    assert decoded.scores.dtype == np.float32
    assert decoded.paths.tolist() == [[[0, 3, 4], [1, -1, -1], [-1, -1, -1], [-1, -1, -1]]]
    expected = [(0.9 * 0.8 * 0.7) ** (1 / 3), 0.2, -np.inf, -np.inf]
    assert decoded.scores[0].tolist() == pytest.approx(expected, rel=1e-6)
    assert len(decoded) == 1


@pytest.mark.parametrize(
    ("edges", "row", "expected"),
    [
        # b .55 beside a .9, both above the leaf: as good as a second path, and no second class.
        pytest.param(["ra", "rb", "al", "bl"], (0.95, 0.9, 0.55, 0.9), ["r", "a", "l"], id="leaf"),
        pytest.param(["ra", "rb", "al", "bl"], (0.95, 0.9, 0.9, 0.9), ["r", "a", "l"], id="tie"),
        pytest.param(["ra", "al", "bl"], (0.9, 0.9, 0.8, 0.9), ["r", "a", "l"], id="ways-of-two-lengths"),
        pytest.param(
            ["ra", "rb", "al", "bl", "lx"], (0.95, 0.9, 0.6, 0.9, 0.9), ["r", "a", "l", "x"], id="inner-class"
        ),
        # A second path through b that ends in another class is a second class.
        pytest.param(
            ["ra", "rb", "al", "bl", "bx"], (0.95, 0.9, 0.8, 0.9, 0.9), ["r", "a", "b", "l", "x"], id="own-leaf"
        ),
    ],
)
def test_the_second_parent_of_a_class_is_not_dragged_in(
    edges: list[str], row: tuple[float, ...], expected: list[str]
) -> None:
    taxonomy = Taxonomy.from_edges([(c, c) for c in "rablx"[: len(row)]], [(a, b) for a, b in edges])
    decoded = beam_search(as_row(*row), taxonomy, child_threshold=0.2)
    labels = label_sets(decoded, taxonomy, max_paths=3, path_ratio=0.8)
    assert sorted(taxonomy.to_label_sets(labels)[0]) == sorted(expected)


def test_a_narrow_beam_holds_classes_and_not_the_ways_to_them() -> None:
    # Some 16,000 ways lead to either end; three places are enough for both.
    ladder = make_ladder(14)
    row = np.where(np.arange(28) % 2, 0.8, 0.9).astype(np.float32)[None]
    with within(2, 20):
        found = found_paths(beam_search(row, ladder, beam_width=3))
    evens = tuple(range(0, 26, 2))
    assert found == [(*evens, 26), (*evens, 27)]


def test_thresholds_close_children(diamond: Taxonomy) -> None:
    assert found_paths(beam_search(PETS, diamond, child_threshold=0.65)) == [(0, 3, 4), (1,)]
    assert found_paths(beam_search(PETS, diamond, child_threshold=0.75)) == [(0, 3), (1,)]
    assert found_paths(beam_search(PETS, diamond, child_threshold=2.0)) == [(0,), (1,)]
    per_class = np.array([1, 1, 0.5, 0.9, 0.7, 0.0, 0.0])
    # cats is closed and toys with it; dogs leads to beds; tools is always open.
    decoded = beam_search(PETS, diamond, child_threshold=per_class)
    assert found_paths(decoded) == [(0, 2, 4), (1, 6)]


def test_a_probability_equal_to_the_threshold_is_active_in_any_precision(diamond: Taxonomy) -> None:
    for dtype in (np.float16, np.float32, np.float64):
        for value in (0.1, 0.3, 0.7, 0.9):
            row = np.full((1, 7), value).astype(dtype)
            decoded = beam_search(row, diamond, child_threshold=value)
            assert set(found_paths(decoded)) == {(0, 2, 4), (0, 3, 5), (1, 6)}


def test_the_length_power_decides_between_short_and_long(diamond: Taxonomy) -> None:
    row = as_row(0.8, 0.7, 0.1, 0.8, 0.1, 0.7, 0.1)
    long = 0.8 * 0.8 * 0.7
    for power, score, best in [
        (0.0, 0.7, (1,)),
        (1.0, long ** (1 / 3), (0, 3, 5)),
        (3.0, long ** (1 / 27), (0, 3, 5)),
    ]:
        decoded = beam_search(row, diamond, length_power=power)
        assert found_paths(decoded)[0] == best
        assert decoded.scores[0, 0] == pytest.approx(score, rel=1e-6)


def test_max_length_cuts_paths(diamond: Taxonomy) -> None:
    assert found_paths(beam_search(PETS, diamond, max_length=1)) == [(0,), (1,)]
    assert found_paths(beam_search(PETS, diamond, max_length=2)) == [(0, 3), (0, 2), (1,)]
    assert beam_search(PETS, diamond, max_length=9).paths.shape == (1, 10, 3)


def test_min_length_goes_on_to_the_best_child(diamond: Taxonomy) -> None:
    decoded = beam_search(PETS, diamond, child_threshold=0.95, min_length=2)
    assert found_paths(decoded) == [(0, 3), (1, 6)]
    decoded = beam_search(PETS, diamond, child_threshold=0.95, min_length=3)
    # garden > tools ends in a leaf at two nodes, and that is all it can be.
    assert found_paths(decoded) == [(0, 3, 4), (1, 6)]
    tied = as_row(0.9, 0.2, 0.4, 0.4, 0.1, 0.1, 0.1)
    assert found_paths(beam_search(tied, diamond, min_length=2))[0] == (0, 2)


def test_a_complete_path_does_not_crowd_out_a_partial_one(diamond: Taxonomy) -> None:
    # garden alone scores 0.5 and is complete; animals at 0.4 goes on and ends at 0.66.
    row = as_row(0.4, 0.5, 0.1, 0.8, 0.1, 0.9, 0.1)
    assert found_paths(beam_search(row, diamond, beam_width=1)) == [(0, 3, 5)]


def test_a_narrow_beam_drops_partial_paths(diamond: Taxonomy) -> None:
    # Of the two ways down only the better is followed, though the worse ends better.
    row = as_row(0.9, 0.1, 0.7, 0.6, 0.0, 0.99, 0.1)
    threshold = np.array([0, 0, 0.5, 0.5, 0.0, 0.5, 0.5])
    wide = beam_search(row, diamond, beam_width=2, child_threshold=threshold)
    narrow = beam_search(row, diamond, beam_width=1, child_threshold=threshold)
    assert found_paths(wide)[0] == (0, 3, 5)
    assert found_paths(narrow) == [(1,)]


def test_ties_rank_in_class_order(diamond: Taxonomy) -> None:
    row = np.full((1, 7), 0.5, dtype=np.float32)
    order = [(0, 2, 4), (0, 3, 5), (1, 6)]
    for beam_width in (1, 2, 3, 4):
        found = found_paths(beam_search(row, diamond, beam_width=beam_width))
        assert found[:1] == order[:1]
    assert found == order
    # The same three factors in another order: equal but for the last bit of the logarithm.
    chain = Taxonomy.from_edges([(i, i) for i in "abcdef"], [*("ab", "bc"), *("de", "ef")])
    row = as_row(0.51, 0.67, 0.83, 0.83, 0.51, 0.67)
    assert found_paths(beam_search(row, chain)) == [(0, 1, 2), (3, 4, 5)]


def test_every_document_gets_a_path_even_at_zero(diamond: Taxonomy) -> None:
    decoded = beam_search(np.zeros((2, 7), dtype=np.float32), diamond)
    assert found_paths(decoded, 1) == [(0,), (1,)]
    assert decoded.scores[1].tolist() == [0.0, 0.0, *[-np.inf] * 8]
    decoded = beam_search(np.zeros((1, 7), dtype=np.float32), diamond, child_threshold=0.0)
    assert len(found_paths(decoded)) == 3


def test_no_documents(diamond: Taxonomy) -> None:
    decoded = beam_search(np.zeros((0, 7), dtype=np.float32), diamond)
    assert decoded.paths.shape == (0, 10, 3)
    assert label_sets(decoded, diamond).shape == (0, 7)
    assert leaf_priority(np.zeros((0, 7), dtype=np.float32), diamond).paths.shape == (0, 1, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_width": 0}, "beam_width"),
        ({"block_size": 0}, "block_size"),
        ({"length_power": -1.0}, "length_power"),
        ({"length_power": math.nan}, "length_power"),
        ({"min_length": 0}, "no path has"),
        ({"max_length": 0}, "no path has"),
        ({"min_length": 3, "max_length": 2}, "no path has between 3 and 2"),
        ({"child_threshold": np.zeros(3)}, "7 numbers"),
        ({"child_threshold": math.nan}, "7 numbers"),
    ],
)
def test_beam_search_refuses(diamond: Taxonomy, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        beam_search(PETS, diamond, **options)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- beam search, properties


@given(
    problems(),
    st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]),
    st.sampled_from([0.0, 1.0, 3.0]),
    st.integers(1, 4),
    st.integers(0, 4),
)
def test_a_wide_beam_finds_what_brute_force_finds(
    problem: tuple[Taxonomy, np.ndarray],
    threshold: float,
    power: float,
    shortest: int,
    extra: int,
) -> None:
    taxonomy, probabilities = problem
    longest = shortest + extra
    thresholds = np.full(len(taxonomy), threshold)
    thresholds[::2] /= 2
    width = sum(1 for _ in taxonomy.iterate_paths())
    decoded = beam_search(
        probabilities,
        taxonomy,
        beam_width=width,
        child_threshold=thresholds,
        length_power=power,
        min_length=shortest,
        max_length=longest,
    )
    for document, row in enumerate(probabilities):
        expected = brute_force(row, taxonomy, thresholds, power, shortest, longest)
        found = found_paths(decoded, document)
        scores = dict(zip(found, decoded.scores[document].tolist(), strict=False))
        # Of ways that are all worth 0 the search has the one that was better for longer.
        ends = {path[-1] if score == 0 else path: score for path, score in scores.items()}
        assert ends == pytest.approx({path[-1] if s == 0 else path: s for s, path in expected}, rel=1e-5)
        assert len(ends) == len(found)
        assert found == sorted(found, key=lambda p: (-scores[p], p))


@given(problems(), st.integers(1, 3), st.integers(1, 6), st.sampled_from([0.2, 0.5]))
def test_blocks_do_not_matter_and_labels_are_consistent(
    problem: tuple[Taxonomy, np.ndarray], width: int, block_size: int, threshold: float
) -> None:
    taxonomy, probabilities = problem
    options = {"beam_width": width, "child_threshold": threshold}
    whole = beam_search(probabilities, taxonomy, **options)
    parts = beam_search(probabilities, taxonomy, block_size=block_size, **options)
    assert (whole.paths == parts.paths).all()
    assert (whole.scores == parts.scores).all()
    assert (np.diff(np.maximum(whole.scores, -1)) <= 0).all()
    assert ((whole.paths[:, :, 0] >= 0) == (whole.scores > -np.inf)).all()
    for ratio in (0.0, 0.8, 1.0):
        labels = label_sets(whole, taxonomy, max_paths=2, path_ratio=ratio)
        assert taxonomy.is_path_consistent(labels).all()
        for document, row in enumerate(labels.toarray()):
            assert set(found_paths(whole, document)[0]) <= set(np.flatnonzero(row)), "the best path is always in"


@given(problems())
def test_half_precision_is_decoded_as_the_same_numbers_in_single(
    problem: tuple[Taxonomy, np.ndarray],
) -> None:
    taxonomy, probabilities = problem
    half = probabilities.astype(np.float16)
    a = beam_search(half, taxonomy)
    b = beam_search(half.astype(np.float32), taxonomy)
    assert (a.paths == b.paths).all()
    assert (a.scores == b.scores).all()


def test_blocks_shrink_for_wide_searches(diamond: Taxonomy, monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities = np.random.default_rng(0).random((20, 7), dtype=np.float32)
    whole = beam_search(probabilities, diamond)
    monkeypatch.setattr(beam, "MAX_CANDIDATES", 30)
    assert (beam_search(probabilities, diamond).paths == whole.paths).all()


def test_progress_is_shown_on_demand(diamond: Taxonomy, capsys: pytest.CaptureFixture[str]) -> None:
    beam_search(PETS, diamond)
    assert capsys.readouterr().err == ""
    beam_search(PETS, diamond, progress=True)
    assert "1/1" in capsys.readouterr().err
