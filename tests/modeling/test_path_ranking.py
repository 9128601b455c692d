"""Ranked paths: worked out on the diamond, and weights against another optimiser and scikit-learn."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import optimize, sparse, special
from sklearn.linear_model import LogisticRegression

from drawn_graphs import draw_problems
from hmltc_kedro import taxonomy as taxonomies
from hmltc_kedro.modeling import path_ranking
from hmltc_kedro.modeling.path_ranking import (
    PENALTY,
    RIDGE_SCALE,
    PathTable,
    Views,
    describe_paths,
    fit_weights,
    iterate_numbers,
    sum_over_paths,
)
from hmltc_kedro.taxonomy import Taxonomy
from large_graphs import make_diamonds

Problem = tuple[Taxonomy, np.ndarray]

PATHS = [(0,), (1,), (0, 2), (0, 3), (0, 2, 4), (0, 3, 4), (0, 3, 5), (1, 6)]
"""Of the diamond, by the classes they end in."""


@pytest.fixture
def table(diamond: Taxonomy) -> PathTable:
    return PathTable.list(diamond)


def list_nodes(table: PathTable) -> list[tuple[int, ...]]:
    return [tuple(np.flatnonzero(row).tolist()) for row in table.nodes.toarray()]


# ---------------------------------------------------------------------- paths


def test_every_path_of_the_diamond_is_listed_once(table: PathTable) -> None:
    assert list_nodes(table) == PATHS
    assert table.last.tolist() == [path[-1] for path in PATHS]
    assert table.length.tolist() == [len(path) for path in PATHS]
    assert table.is_leaf.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert len(table) == 8 == table.taxonomy.count_paths()


def test_a_graph_with_a_million_paths_has_one_a_class_in_no_time() -> None:
    ladder = make_diamonds(20)
    assert ladder.count_paths() == sum(2**step + 2 * 2**step for step in range(20)) > 2**20
    start = time.perf_counter()
    table = PathTable.list(ladder)
    assert time.perf_counter() - start < 2
    assert len(table) == len(ladder) == 60
    assert table.last.tolist() == list(range(60)), "every class ends its own path"
    for nodes, c in zip(list_nodes(table), table.last, strict=True):
        chain = sorted(nodes, key=ladder.topological_order.index)
        assert chain[-1] == c and not ladder.parents[chain[0]]
        assert all(a in ladder.parents[b] for a, b in zip(chain, chain[1:], strict=False))


def test_paths_are_all_listed_up_to_a_bound_a_class(monkeypatch: pytest.MonkeyPatch, diamond: Taxonomy) -> None:
    monkeypatch.setattr(taxonomies, "MAX_PATHS", 8 / 7)
    assert len(PathTable.list(diamond)) == 8
    monkeypatch.setattr(taxonomies, "MAX_PATHS", 1)
    assert list_nodes(PathTable.list(diamond)) == [p for p in PATHS if p != (0, 3, 4)], "beds by their first parent"


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [
        (["an"], [(0,)]),
        (["an", "do"], [(0, 2)]),
        (["an", "do", "be"], [(0, 2, 4)]),
        (["an", "ca", "be"], [(0, 3, 4)]),
        (["an", "do", "ca", "be"], [(0, 2, 4), (0, 3, 4)]),
        (["an", "do", "ca"], [(0, 2), (0, 3)]),
        (["an", "ga", "do", "ca", "ct"], [(1,), (0, 2), (0, 3, 5)]),
        ([], []),
    ],
)
def test_targets_are_the_most_specific_paths_inside_a_set(
    ids: list[str], wanted: list[tuple[int, ...]], table: PathTable
) -> None:
    # A second document, so that rows cannot be mixed up.
    labels = table.taxonomy.to_matrix([["ga", "to"], ids])
    targets = table.find_targets(labels).toarray()
    assert targets.shape == (2, 8)
    assert [PATHS[k] for k in np.flatnonzero(targets[1])] == wanted
    assert [PATHS[k] for k in np.flatnonzero(targets[0])] == [(1, 6)]
    assert set(targets.ravel().tolist()) <= {0.0, 1.0}


def test_targets_of_no_document(table: PathTable) -> None:
    assert table.find_targets(table.taxonomy.to_matrix([])).shape == (0, 8)


@settings(deadline=None)
@given(draw_problems())
def test_targets_make_up_the_set(problem: Problem) -> None:
    taxonomy, probabilities = problem
    table = PathTable.list(taxonomy)
    generator = np.random.default_rng(probabilities.size)
    drawn = sparse.csr_array(generator.integers(0, 2, (len(probabilities), len(table))).astype(np.float32))
    labels = sparse.csr_array((drawn @ table.nodes) > 0, dtype=np.int32)
    again = sparse.csr_array((table.find_targets(labels) @ table.nodes) > 0, dtype=np.int32)
    if len(table) == taxonomy.count_paths():
        assert (again != labels).nnz == 0
    assert ((again - again.multiply(labels)) != 0).nnz == 0, "never more than the set"


def test_sums_over_the_classes_of_each_path(table: PathTable) -> None:
    scores = np.array([[1, 2, 4, 8, 16, 32, 64], [0, 0, 0, -1, 0, 0, 0]], dtype=np.float32)
    sums = table.sum_nodes(scores)
    assert sums.tolist() == [[1, 2, 5, 9, 21, 25, 41, 66], [0, 0, 0, -1, 0, -1, -1, 0]]
    assert sums.dtype == np.float32


def test_best_child_of_the_last_class(table: PathTable) -> None:
    scores = np.array([[9, 9, -3, -2, -5, -4, -1]], dtype=np.float32)
    # animals: cats; garden: tools; dogs: beds; cats: toys; leaves: 0, though their parents' children are below it.
    assert table.find_best_below(scores).tolist() == [[-2, -1, -5, -4, 0, 0, 0, 0]]
    flat = PathTable.list(Taxonomy.from_edges([("a", "a"), ("b", "b")], []))
    assert flat.find_best_below(np.ones((3, 2), dtype=np.float32)).tolist() == [[0, 0]] * 3


# ---------------------------------------------------------------------- numbers


def make_views(n: int, table: PathTable, seed: int = 0) -> Views:
    generator = np.random.default_rng(seed)
    c = len(table.taxonomy)
    draw = [generator.standard_normal((n, width)).astype(np.float32) for width in (c, c, c, c + len(table))]
    return Views(*draw)


def test_numbers_are_those_worked_out_path_by_path(table: PathTable) -> None:
    views, scales = make_views(3, table), np.array([2.0, 0.5, 4.0], dtype=np.float32)
    numbers = np.stack(list(iterate_numbers(views, scales, table)), axis=2)
    assert numbers.shape == (3, 8, 16)
    for n in range(3):
        for p, path in enumerate(PATHS):
            last, above = path[-1], list(path[:-1]) or [path[-1]]
            children = list(table.taxonomy.children[last])
            ridge = RIDGE_SCALE * views.ridge[n, :7]
            expected = [
                np.log(special.expit(views.logits[n, list(path)].astype(np.float64))).mean(),
                RIDGE_SCALE * views.ridge[n, 7 + p],
            ]
            for view, trained in (
                (views.logits[n] / 2, True),
                (views.dense[n] / 0.5, False),
                (views.lexical[n] / 4, False),
                (ridge, True),
            ):
                expected += [view[last], view[above].mean()]
                expected += [view[children].max() if children else 0.0] if trained else []
            expected += [float(len(path) >= k) for k in (2, 3, 4)] + [float(not children)]
            np.testing.assert_allclose(numbers[n, p], expected, rtol=1e-5, atol=1e-6)


def test_large_logits_do_not_overflow(table: PathTable) -> None:
    views = Views(*(np.full((1, width), -500, dtype=np.float32) for width in (7, 7, 7, 15)))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        first = next(iter(iterate_numbers(views, np.ones(3, dtype=np.float32), table)))
    assert first.tolist() == [[-500.0] * 8]


def test_candidates_are_the_best_of_classifier_and_ridge_in_turn(
    table: PathTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(path_ranking, "CANDIDATES", 3)
    views = make_views(20, table)
    scales = np.ones(3, dtype=np.float32)
    whole = list(iterate_numbers(views, scales, table))
    chosen, described = describe_paths(views, scales, table)
    assert (chosen.shape, described.shape) == ((20, 3), (20, 3, 16))
    for n in range(20):
        ways = [np.argsort(-whole[k][n], kind="stable").tolist() for k in (0, 1)]
        assert {ways[0][0], ways[1][0]} <= set(chosen[n].tolist()) <= {*ways[0][:3], *ways[1][:3]}
        assert (np.diff(chosen[n]) > 0).all(), "in the order of the table"
        for k, column in enumerate(whole):
            assert described[n, :, k].tolist() == column[n, chosen[n]].tolist()


def test_targets_are_candidates_however_bad_they_look(table: PathTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_ranking, "CANDIDATES", 4)
    views, scales = make_views(40, table), np.ones(3, dtype=np.float32)
    wanted = np.argsort(next(iter(iterate_numbers(views, scales, table))), axis=1)[:, :2]  # the two worst
    targets = np.zeros((40, 8), dtype=np.float32)
    np.put_along_axis(targets, wanted, 1, axis=1)
    without, _ = describe_paths(views, scales, table)
    chosen, described = describe_paths(views, scales, table, sparse.csr_array(targets))
    assert any(not set(w) <= set(c) for w, c in zip(wanted.tolist(), without.tolist(), strict=True))
    assert all(set(w) <= set(c) for w, c in zip(wanted.tolist(), chosen.tolist(), strict=True))
    assert np.isfinite(described).all(), "being a target is nothing that describes a path"


# ---------------------------------------------------------------------- weights


def lose(w: np.ndarray, x: np.ndarray, y: np.ndarray, v: np.ndarray) -> float:
    log_p = special.log_softmax(x.astype(np.float64) @ w, axis=1)
    return float(-((log_p * y).sum(axis=1) * v).sum() + PENALTY * (w**2).sum())


def test_weights_are_the_minimum_that_scipy_finds() -> None:
    generator = np.random.default_rng(3)
    x = generator.standard_normal((12, 5, 3)).astype(np.float32)
    y = generator.dirichlet(np.ones(5), 12).astype(np.float32)
    v = generator.uniform(0.2, 1, 12).astype(np.float32)
    found = fit_weights(x, y, v)
    other = optimize.minimize(
        lose, np.zeros(3), (x, y, v), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}
    )
    np.testing.assert_allclose(found, other.x, atol=1e-3)
    assert (found.dtype, found.shape) == (np.float32, (3,))
    assert lose(found.astype(np.float64), x, y, v) == pytest.approx(other.fun, abs=1e-5)


def test_two_paths_are_a_logistic_regression_on_their_difference() -> None:
    generator = np.random.default_rng(4)
    x = generator.standard_normal((60, 2, 4)).astype(np.float32)
    first = generator.random(60) < special.expit((x[:, 0] - x[:, 1]) @ np.array([1.0, -2.0, 0.5, 0.0]))
    y = np.stack([first, ~first], axis=1).astype(np.float32)
    v = generator.uniform(0.2, 1, 60).astype(np.float32)
    # scikit-learn minimises C * loss + |w|^2 / 2, so C = 1 / (2 * penalty).
    model = LogisticRegression(C=1 / (2 * PENALTY), fit_intercept=False, tol=1e-10, max_iter=1000)
    model.fit(x[:, 0] - x[:, 1], first, sample_weight=v)
    np.testing.assert_allclose(fit_weights(x, y, v), model.coef_[0], atol=2e-3)


def test_documents_count_by_their_trust_and_those_without_a_target_not_at_all() -> None:
    generator = np.random.default_rng(5)
    x = generator.standard_normal((6, 3, 2)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    half = np.array([1, 1, 1, 0, 0, 0], dtype=np.float32)
    np.testing.assert_allclose(fit_weights(x, y, half), fit_weights(x[:3], y[:3], half[:3]), atol=1e-4)
    np.testing.assert_allclose(
        fit_weights(x, y * half[:, None], half + 1), fit_weights(x[:3], y[:3], half[:3] * 2), atol=1e-4
    )
    assert fit_weights(x, np.zeros_like(y), half).tolist() == [0.0, 0.0], "nothing learned without targets"


# ---------------------------------------------------------------------- classes


def test_probabilities_of_classes_are_those_worked_out_by_hand(table: PathTable) -> None:
    # animals > dogs > beds, animals > cats > beds, garden: p = .5, .3, .2
    chosen = np.array([[1, 4, 5]])
    scores = np.log(np.array([[0.2, 0.5, 0.3]], dtype=np.float32))
    once = sum_over_paths(scores, chosen, table, 1.0)
    np.testing.assert_allclose(once, [[0.8, 0.2, 0.5, 0.3, 0.8, 0, 0]], atol=1e-6)
    assert once.dtype == np.float32
    twice = sum_over_paths(scores, chosen, table, 2.0)
    np.testing.assert_allclose(twice, [[0.96, 0.36, 0.75, 0.51, 0.96, 0, 0]], atol=1e-6)
    # A number added to all scores of a document says nothing.
    np.testing.assert_allclose(sum_over_paths(scores + 500, chosen, table, 2.0), twice, atol=1e-4)


@settings(deadline=None)
@given(draw_problems())
def test_probabilities_are_in_range_and_the_roots_have_it_all(problem: Problem) -> None:
    taxonomy, scores = problem
    table = PathTable.list(taxonomy)
    generator = np.random.default_rng(scores.size)
    ranked = (10 * generator.standard_normal((len(scores), len(table)))).astype(np.float32)
    chosen = np.broadcast_to(np.arange(len(table)), ranked.shape)
    q = sum_over_paths(ranked, chosen, table, 1.0)
    assert ((q >= 0) & (q <= 1)).all()
    np.testing.assert_allclose(q[:, taxonomy.roots].sum(axis=1), 1, atol=1e-5)
    assert (sum_over_paths(ranked, chosen, table, 1.7) >= q - 1e-6).all(), "more paths, more classes"


def test_no_document_has_no_probability(table: PathTable) -> None:
    nothing, none = np.zeros((0, 4), dtype=np.float32), np.zeros((0, 4), dtype=np.int64)
    assert sum_over_paths(nothing, none, table, 1.5).shape == (0, 7)
    chosen, described = describe_paths(make_views(0, table), np.ones(3, dtype=np.float32), table)
    assert (chosen.shape, described.shape) == ((0, 8), (0, 8, 16))
