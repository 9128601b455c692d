"""Decoding: worked out on the diamond, and against brute force over all maximal active paths."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hmltc_kedro.decoding import beam
from hmltc_kedro.decoding.baselines import flat, leaf_priority
from hmltc_kedro.decoding.beam import beam_search
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.decoding.paths import DecodedPaths, choose_paths, union_paths
from hmltc_kedro.decoding.thresholds import child_thresholds
from hmltc_kedro.decoding.trace import trace_beam
from hmltc_kedro.taxonomy import Taxonomy

# Shared machines stall: a slow example is no failure.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

Path = tuple[int, ...]


@st.composite
def problems(draw: st.DrawFn, max_classes: int = 9) -> tuple[Taxonomy, np.ndarray]:
    """Draw a random DAG, classes not in topological order, and probabilities rich in ties."""
    n = draw(st.integers(1, max_classes))
    ids = draw(st.permutations([f"c{i}" for i in range(n)]))
    edges = [
        (ids[parent], ids[child])
        for child in range(1, n)
        for parent in sorted(draw(st.sets(st.integers(0, child - 1), max_size=3)))
    ]
    taxonomy = Taxonomy.from_edges([(i, i) for i in sorted(ids)], edges)
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 5)), n)
    if draw(st.booleans()):
        return taxonomy, generator.integers(0, 9, shape).astype(np.float32) / 8
    return taxonomy, generator.random(shape, dtype=np.float32)


def brute_force(
    row: np.ndarray,
    taxonomy: Taxonomy,
    threshold: np.ndarray,
    power: float,
    shortest: int,
    longest: int,
) -> list[tuple[float, Path]]:
    """Return (score, path) of every path that the rules allow, best first."""
    found = []
    for path in taxonomy.iterate_paths():
        allowed = all(
            b in goes_on_to(row, taxonomy, threshold, path[:i], shortest, longest)
            for i, (_, b) in enumerate(pairwise(path), start=1)
        )
        if allowed and not goes_on_to(row, taxonomy, threshold, path, shortest, longest):
            found.append((float(row[list(path)].astype(float).prod() ** (1 / len(path) ** power)), path))
    return sorted(found, key=lambda item: (-round(item[0], 9), item[1]))


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


def found_paths(decoded: DecodedPaths, document: int = 0) -> list[Path]:
    return [tuple(c for c in p if c >= 0) for p in decoded.paths[document].tolist() if p[0] >= 0]


def label_sets(
    decoded: DecodedPaths, taxonomy: Taxonomy, *, max_paths: int = 1, path_ratio: float = 1.0
) -> sparse.csr_array:
    chosen = choose_paths(decoded, max_paths=max_paths, path_ratio=path_ratio)
    return union_paths(chosen, taxonomy)


def as_row(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float32)


# an, ga, do, ca, be (below do and ca), ct (below ca), to (below ga)
PETS = as_row(0.9, 0.2, 0.6, 0.8, 0.7, 0.3, 0.1)


# ---------------------------------------------------------------------- beam search by hand


def test_a_class_below_two_parents_ends_two_paths(diamond: Taxonomy) -> None:
    decoded = beam_search(PETS, diamond, beam_width=4)
    assert decoded.paths.dtype == np.int32
    assert decoded.scores.dtype == np.float32
    assert decoded.paths.tolist() == [[[0, 3, 4], [0, 2, 4], [1, -1, -1], [-1, -1, -1]]]
    expected = [(0.9 * 0.8 * 0.7) ** (1 / 3), (0.9 * 0.6 * 0.7) ** (1 / 3), 0.2, -np.inf]
    assert decoded.scores[0].tolist() == pytest.approx(expected, rel=1e-6)
    assert len(decoded) == 1


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
            assert set(found_paths(decoded)) == {(0, 2, 4), (0, 3, 4), (0, 3, 5), (1, 6)}


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
    order = [(0, 2, 4), (0, 3, 4), (0, 3, 5), (1, 6)]
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
    assert len(found_paths(decoded)) == 4


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


def test_probabilities_are_checked(diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="taxonomy of 7"):
        beam_search(PETS[:, :5], diamond)
    with pytest.raises(ValueError, match="dtype int"):
        beam_search(np.zeros((1, 7), dtype=int), diamond)
    for bad in (1.5, -0.1, math.nan):
        block = np.repeat(PETS, 5, axis=0)
        block[3, 2] = bad
        for function in (beam_search, leaf_priority, flat):
            with pytest.raises(ValueError, match="row 3 "):
                function(block, diamond, block_size=2)


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
        assert sorted(found) == sorted(path for _, path in expected)
        scores = dict(zip(found, decoded.scores[document].tolist(), strict=False))
        assert scores == pytest.approx({path: s for s, path in expected}, rel=1e-5)
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
        assert (labels.sum(axis=1) >= 1).all()


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


# ---------------------------------------------------------------------- label sets


def test_label_sets_are_unions_of_good_paths(diamond: Taxonomy) -> None:
    decoded = beam_search(PETS, diamond)  # scores 0.796, 0.723, 0.2
    for max_paths, ratio, expected in [
        (1, 1.0, ["an", "ca", "be"]),
        (1, 0.0, ["an", "ca", "be"]),
        (2, 1.0, ["an", "ca", "be"]),
        (2, 0.9, ["an", "do", "ca", "be"]),
        (9, 0.9, ["an", "do", "ca", "be"]),
        (9, 0.0, ["an", "ga", "do", "ca", "be"]),
    ]:
        labels = label_sets(decoded, diamond, max_paths=max_paths, path_ratio=ratio)
        assert diamond.to_label_sets(labels) == [expected]
        assert labels.dtype == np.int32
        assert set(labels.data.tolist()) == {1}
        assert labels.has_sorted_indices


def test_a_tie_of_the_best_is_taken_at_ratio_one(diamond: Taxonomy) -> None:
    decoded = beam_search(np.full((1, 7), 0.5, dtype=np.float32), diamond)
    labels = label_sets(decoded, diamond, max_paths=3)
    assert labels.toarray().tolist() == [[1, 0, 1, 1, 1, 1, 0]]


def test_a_document_without_a_path_has_no_label(diamond: Taxonomy) -> None:
    nothing = DecodedPaths(np.full((2, 1, 3), -1, dtype=np.int32), np.full((2, 1), -np.inf, dtype=np.float32))
    assert label_sets(nothing, diamond, path_ratio=0.0).nnz == 0


def test_choose_paths_refuses(diamond: Taxonomy) -> None:
    decoded = beam_search(PETS, diamond)
    for options in ({"max_paths": 0}, {"path_ratio": 1.1}, {"path_ratio": -0.1}):
        with pytest.raises(ValueError, match="max_paths"):
            label_sets(decoded, diamond, **options)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- leaf priority


def test_leaf_priority_goes_up_from_the_best_leaf(diamond: Taxonomy) -> None:
    decoded = leaf_priority(PETS, diamond, n_paths=4)
    assert found_paths(decoded) == [(0, 3, 4), (0, 3, 5), (1, 6)]
    assert decoded.scores[0].tolist() == pytest.approx([0.7, 0.3, 0.1, -np.inf], rel=1e-6)
    # The leaf alone decides, whatever its root: the weakness of the baseline.
    assert found_paths(leaf_priority(as_row(0.9, 0.1, 0.9, 0.9, 0.5, 0.5, 0.6), diamond)) == [(1, 6)]
    # Ties: the first leaf, the first parent.
    assert found_paths(leaf_priority(np.full((1, 7), 0.5), diamond)) == [(0, 2, 4)]


def test_leaf_priority_refuses(diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="n_paths"):
        leaf_priority(PETS, diamond, n_paths=0)


@given(problems(), st.integers(1, 3), st.integers(1, 6))
def test_leaf_priority_is_path_consistent(problem: tuple[Taxonomy, np.ndarray], n_paths: int, block_size: int) -> None:
    taxonomy, probabilities = problem
    decoded = leaf_priority(probabilities, taxonomy, n_paths=n_paths)
    blocks = leaf_priority(probabilities, taxonomy, n_paths=n_paths, block_size=block_size)
    assert (decoded.paths == blocks.paths).all()
    assert (decoded.scores == blocks.scores).all()
    labels = label_sets(decoded, taxonomy, max_paths=n_paths, path_ratio=0.0)
    assert taxonomy.is_path_consistent(labels).all()
    leaves = taxonomy.leaves
    for document, row in enumerate(probabilities):
        found = found_paths(decoded, document)
        best = leaves[np.argsort(-row[leaves], kind="stable")][:n_paths].tolist()
        assert [path[-1] for path in found] == best
        assert all(path in taxonomy.paths_to(path[-1]) for path in found)


# ---------------------------------------------------------------------- flat


def test_flat_takes_the_best_classes_wherever_they_are(diamond: Taxonomy) -> None:
    decoded = flat(PETS, diamond, max_labels=3)
    assert decoded.paths.tolist() == [[[0, -1, -1], [3, -1, -1], [4, -1, -1]]]
    assert decoded.paths.dtype == np.int32
    assert decoded.scores[0].tolist() == pytest.approx([0.9, 0.8, 0.7])
    assert found_paths(flat(PETS, diamond, max_labels=9)) == [(0,), (3,), (4,), (2,)]
    assert found_paths(flat(PETS, diamond, max_labels=9, threshold=0.0)) == [(0,), (3,), (4,), (2,), (5,), (1,), (6,)]
    # The best class stays, however unlikely; ties go to the first; a leaf comes without its parents.
    assert found_paths(flat(PETS, diamond, max_labels=2, threshold=1.0)) == [(0,)]
    assert found_paths(flat(np.full((1, 7), 0.3), diamond, max_labels=2)) == [(0,)]
    leaf = union_paths(flat(as_row(0.1, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1), diamond, max_labels=3), diamond)
    assert diamond.to_label_sets(leaf) == [["be"]]
    assert not diamond.is_path_consistent(leaf).any()


@given(problems(), st.integers(1, 12), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(1, 6))
def test_flat_agrees_with_sorting_each_row(
    problem: tuple[Taxonomy, np.ndarray], max_labels: int, threshold: float, block_size: int
) -> None:
    taxonomy, probabilities = problem
    decoded = flat(probabilities, taxonomy, max_labels=max_labels, threshold=threshold, block_size=block_size)
    assert decoded.paths.shape == (len(probabilities), max_labels, taxonomy.depth)
    for document, row in enumerate(probabilities):
        order = np.argsort(-row, kind="stable")[:max_labels].tolist()
        expected = [c for place, c in enumerate(order) if place == 0 or row[c] >= threshold]
        assert found_paths(decoded, document) == [(c,) for c in expected]
        scores = decoded.scores[document]
        assert scores[scores > -np.inf].tolist() == [row[c] for c in expected]


def test_flat_compares_in_the_precision_of_the_probabilities(diamond: Taxonomy) -> None:
    half = as_row(0.9, 0.1, 0.2, 0.1, 0.1, 0.1, 0.1).astype(np.float16)  # float16(0.2) < 0.2
    assert found_paths(flat(half, diamond, max_labels=7, threshold=0.2)) == [(0,), (2,)]


def test_flat_refuses(diamond: Taxonomy) -> None:
    for options in ({"max_labels": 0}, {"threshold": 1.1}, {"threshold": -0.1}, {"block_size": 0}):
        with pytest.raises(ValueError, match="max_labels"):
            flat(PETS, diamond, **options)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("top_down", [(0, 3, 4)]),  # path_ratio 1: the best path and its ties
        ("leaf_priority", [(0, 3, 4)]),
        ("flat", [(0,), (3,), (4,)]),
    ],
)
def test_settings_choose_the_method(diamond: Taxonomy, method: str, expected: list[Path]) -> None:
    chosen = DecodingSettings.model_validate({"method": method, "max_paths": 3})
    assert found_paths(decode(PETS, diamond, chosen)) == expected


def test_flat_reads_the_threshold_and_the_number_of_labels_alone(diamond: Taxonomy) -> None:
    chosen = DecodingSettings(
        method="flat", max_paths=5, child_threshold=0.65, min_length=3, path_ratio=1.0, threshold_method="quantile"
    )
    assert found_paths(decode(PETS, diamond, chosen)) == [(0,), (3,), (4,)]


# ---------------------------------------------------------------------- thresholds


def test_fixed_thresholds(diamond: Taxonomy) -> None:
    thresholds = child_thresholds(PETS, diamond, value=0.25)
    assert thresholds.dtype == np.float32
    assert thresholds.tolist() == [0, 0, *[0.25] * 5]


def test_quantiles_by_hand(diamond: Taxonomy) -> None:
    # Level 2 (do, ca, to; all below roots): 0.75, 0.5, 0.25 and 0.125 three times.
    probabilities = np.array(
        [
            [0.9, 0.1, 0.75, 0.5, 0.875, 0.0625, 0.25],
            [0.1, 0.9, 0.125, 0.125, 1.0, 1.0, 0.125],
        ],
        dtype=np.float32,
    )
    level = child_thresholds(probabilities, diamond, method="level_quantile", value=0.5)
    # The third of six is 0.125: every parent is active, so be, ct give 0.0625, 0.875, 1, 1.
    assert level.tolist() == [0, 0, 0.125, 0.125, 0.875, 0.875, 0.125]
    level = child_thresholds(probabilities, diamond, method="level_quantile", value=0.75)
    # The fifth of six is 0.5: do and ca are active in the first document alone: 0.0625, 0.875.
    assert level.tolist() == [0, 0, 0.5, 0.5, 0.875, 0.875, 0.5]
    one = child_thresholds(probabilities, diamond, method="quantile", value=0.5)
    # At 0.125 all ten pairs count, and 4 of them reach no higher. Just above it do and ca of the
    # second document close, 8 pairs are left, and 4 of these reach no higher.
    just_above = float(np.nextafter(np.float16(0.125), np.float16(1)))
    assert one.tolist() == [0, 0, *[just_above] * 5]


def test_quantile_of_saturated_probabilities_leaves_children_open(diamond: Taxonomy) -> None:
    ones = np.ones((3, 7), dtype=np.float16)
    for method in ("quantile", "level_quantile"):
        for value in (0.0, 0.5, 1.0):
            thresholds = child_thresholds(ones, diamond, method=method, value=value)  # type: ignore[arg-type]
            assert thresholds.tolist() == [0, 0, 1, 1, 1, 1, 1]


def test_a_level_below_inactive_parents_inherits(diamond: Taxonomy) -> None:
    row = as_row(1, 1, 0.25, 0.25, 0.5, 0.5, 0.75)
    thresholds = child_thresholds(row, diamond, method="level_quantile", value=1.0)
    assert thresholds.tolist() == [0, 0, *[0.75] * 5]


def test_child_thresholds_without_edges_or_documents(diamond: Taxonomy) -> None:
    flat = Taxonomy.from_edges([("a", "a"), ("b", "b")], [])
    assert child_thresholds(np.zeros((0, 2)), flat, method="quantile").tolist() == [0, 0]
    with pytest.raises(ValueError, match="at least one document"):
        child_thresholds(np.zeros((0, 7)), diamond, method="quantile")
    assert child_thresholds(np.zeros((0, 7)), diamond).tolist() == [0, 0, *[0.5] * 5]


def test_child_thresholds_refuses(diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="no method 'median'"):
        child_thresholds(PETS, diamond, method="median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="value 1.5"):
        child_thresholds(PETS, diamond, value=1.5)


def round_down(row: np.ndarray) -> np.ndarray:
    half = row.astype(np.float16)
    return np.where(half > row, np.nextafter(half, np.float16(-1)), half).astype(np.float32)


def is_active(row: np.ndarray, taxonomy: Taxonomy, threshold: np.ndarray, below: int) -> list[bool]:
    """Return which classes of a level above `below` are active, by the words of the docstring."""
    active = taxonomy.is_root.tolist()
    for c in taxonomy.topological_order:
        if taxonomy.parents[c] and taxonomy.levels[c] < below:
            active[c] = bool(row[c] >= threshold[c]) and any(active[p] for p in taxonomy.parents[c])
    return active


@given(problems(), st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9, 1.0]), st.integers(1, 6))
def test_quantiles_agree_with_their_definition(
    problem: tuple[Taxonomy, np.ndarray], value: float, block_size: int
) -> None:
    taxonomy, probabilities = problem
    if not taxonomy.n_edges:
        return
    down = round_down(probabilities)
    candidates = np.unique(down)
    n_levels = int(taxonomy.levels.max())
    inner = [c for c in range(len(taxonomy)) if taxonomy.parents[c]]

    def observe(threshold: np.ndarray, classes: list[int], below: int) -> np.ndarray:
        return np.array(
            [
                row[c]
                for row in down
                for active in [is_active(row, taxonomy, threshold, below)]
                for c in classes
                if any(active[p] for p in taxonomy.parents[c])
            ]
        )

    def holds(t: float) -> bool:
        seen = observe(np.full(len(taxonomy), t), inner, below=n_levels + 1)
        return (seen <= t).sum() >= max(value * len(seen) - 1e-9, 1)

    thresholds = child_thresholds(probabilities, taxonomy, method="quantile", value=value, block_size=block_size)
    found = float(thresholds[inner[0]])
    assert set(thresholds[inner].tolist()) == {found}
    assert holds(found)
    # Between two observed numbers more parents close; just above each is where that happens.
    grid = [c for t in candidates for c in (t, np.nextafter(np.float16(t), np.float16(2)))]
    assert not any(holds(float(t)) for t in grid if t < found)

    levelwise = child_thresholds(probabilities, taxonomy, method="level_quantile", value=value, block_size=block_size)
    for level in range(2, n_levels + 1):
        classes = np.flatnonzero(taxonomy.levels == level).tolist()
        seen = observe(levelwise, classes, below=level)
        if len(seen):
            expected = float(np.quantile(seen, value, method="inverted_cdf"))
        else:
            expected = float(levelwise[taxonomy.levels == level - 1].max())
        assert set(levelwise[classes].tolist()) == {expected}


def test_quantile_thresholds_steer_the_share_of_open_children(diamond: Taxonomy) -> None:
    probabilities = np.random.default_rng(0).random((4000, 7), dtype=np.float32)
    for value in (0.3, 0.8):
        thresholds = child_thresholds(probabilities, diamond, method="level_quantile", value=value)
        share = (probabilities[:, [2, 3, 6]] >= thresholds[[2, 3, 6]]).mean()
        assert share == pytest.approx(1 - value, abs=2e-3)
        labels = label_sets(beam_search(probabilities, diamond, child_threshold=thresholds), diamond)
        assert diamond.is_path_consistent(labels).all()


# ---------------------------------------------------------------------- one document, step by step


def test_trace_tells_every_path_looked_at(diamond: Taxonomy) -> None:
    trace = trace_beam(PETS, 0, diamond, DecodingSettings(max_paths=2, path_ratio=0.9))
    closed = "below the threshold"
    assert trace[["length", "path", "outcome", "chosen"]].values.tolist() == [
        [1, "animals", "goes on", False],
        [1, "garden", "ends here", False],
        [2, "animals > cats", "goes on", False],
        [2, "animals > dogs", "goes on", False],
        [2, "garden > tools", closed, False],
        [3, "animals > cats > pet beds", "ends here", True],
        [3, "animals > dogs > pet beds", "ends here", True],
        [3, "animals > cats > cat toys", closed, False],
    ]
    assert trace["class_id"].tolist() == ["an", "ga", "ca", "do", "to", "be", "be", "ct"]
    np.testing.assert_allclose(trace["probability"], [0.9, 0.2, 0.8, 0.6, 0.1, 0.7, 0.7, 0.3], rtol=1e-6)
    np.testing.assert_array_equal(trace["threshold"], [np.nan, np.nan, *[0.5] * 6])
    scores = [0.9, 0.2, (0.9 * 0.8) ** 0.5, (0.9 * 0.6) ** 0.5, np.nan, 0.504 ** (1 / 3), 0.378 ** (1 / 3), np.nan]
    np.testing.assert_allclose(trace["score"], scores, rtol=1e-6)


def test_trace_shows_what_the_beam_leaves_out(diamond: Taxonomy) -> None:
    trace = trace_beam(PETS, 0, diamond, DecodingSettings(beam_width=1)).set_index("path")
    assert trace.loc["animals > dogs", "outcome"] == "outside the beam"
    assert "animals > dogs > pet beds" not in trace.index
    assert trace.index[trace["chosen"]].tolist() == ["animals > cats > pet beds"]


def test_trace_stops_at_the_longest_and_goes_on_to_the_shortest_path_allowed(diamond: Taxonomy) -> None:
    short = trace_beam(PETS, 0, diamond, DecodingSettings(max_length=2))
    assert short["length"].max() == 2
    assert short.set_index("path").loc["animals > cats", "outcome"] == "ends here"
    long = trace_beam(PETS, 0, diamond, DecodingSettings(min_length=2)).set_index("path")
    assert long.loc["garden > tools", "outcome"] == "ends here", "entered below the threshold"


def test_trace_takes_a_threshold_from_all_documents(diamond: Taxonomy) -> None:
    documents = np.concatenate([PETS, as_row(0.9, 0.2, 0.9, 0.9, 0.9, 0.9, 0.9)])
    settings = DecodingSettings(threshold_method="quantile", child_threshold=0.5)
    expected = child_thresholds(documents, diamond, method="quantile", value=0.5)[2]
    assert expected != child_thresholds(PETS, diamond, method="quantile", value=0.5)[2]
    trace = trace_beam(documents, 0, diamond, settings)
    assert set(trace["threshold"].dropna()) == {float(expected)}
    labels = union_paths(decode(documents, diamond, settings), diamond)[[0]]
    assert set(trace.loc[trace["chosen"], "class_id"]) <= set(diamond.to_label_sets(labels)[0])


def test_trace_is_of_the_beam_search(diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="'flat' has no beam to trace"):
        trace_beam(PETS, 0, diamond, DecodingSettings(method="flat"))


@given(
    problem=problems(),
    width=st.integers(1, 4),
    shortest=st.integers(1, 3),
    extra=st.none() | st.integers(0, 2),
    max_paths=st.integers(1, 3),
)
def test_trace_ends_where_the_search_ends(
    problem: tuple[Taxonomy, np.ndarray], width: int, shortest: int, extra: int | None, max_paths: int
) -> None:
    taxonomy, probabilities = problem
    longest = None if extra is None else shortest + extra
    settings = DecodingSettings(
        beam_width=width, min_length=shortest, max_length=longest, max_paths=max_paths, path_ratio=0.5
    )
    decoded = decode(probabilities, taxonomy, settings)
    for row in range(len(probabilities)):
        trace = trace_beam(probabilities, row, taxonomy, settings)
        paths = [" > ".join(map(taxonomy.spoken_name, path)) for path in found_paths(decoded, row)]
        assert set(trace.loc[trace["chosen"], "path"]) == set(paths)
        assert set(paths) <= set(trace.loc[trace["outcome"] == "ends here", "path"])
        entered = trace[trace["outcome"].isin(["goes on", "ends here"])]
        parents = {path.rpartition(" > ")[0] for path in trace["path"]} - {""}
        assert parents <= set(entered["path"]), "only what follows a path that was entered is looked at"
