"""Walks over acyclic graphs: by hand, against enumeration on random ones, and on graphs too large for enumeration."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawn_graphs import draw_taxonomies
from hmltc_kedro import graph
from hmltc_kedro.taxonomy import Taxonomy
from large_graphs import make_chain, make_diamonds, make_inverted_star, make_ladder, make_star, within

# ---------------------------------------------------------------------- cycles


def test_find_cycle_of_an_acyclic_graph_is_empty() -> None:
    assert graph.find_cycle([]) == []
    assert graph.find_cycle([("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]) == []


def test_find_cycle_follows_edges_from_parent_to_child() -> None:
    edges = [("x", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "y")]
    cycle = graph.find_cycle(edges)
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {"a", "b", "c"}
    assert len(cycle) == 4
    assert set(zip(cycle, cycle[1:], strict=False)) <= set(edges)


def test_find_cycle_sees_a_self_loop() -> None:
    assert graph.find_cycle([("a", "b"), ("b", "b")]) == ["b", "b"]


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), max_size=10))
def test_find_cycle_is_made_of_edges(edges: list[tuple[str, str]]) -> None:
    reach = np.zeros((5, 5), dtype=int)
    for parent, child in edges:
        reach["abcde".index(parent), "abcde".index(child)] = 1
    closure = sum(np.linalg.matrix_power(reach, k) for k in range(1, 6))
    cycle = graph.find_cycle(edges)
    assert bool(cycle) == bool(np.trace(closure))
    assert set(zip(cycle, cycle[1:], strict=False)) <= set(edges)
    assert cycle[:1] == cycle[-1:]


# ---------------------------------------------------------------------- paths

PARENTS = ((), (), (0,), (0, 1), (2, 3), (3,))
"""0 > 2 > 4, 0 > 3 > 4, 1 > 3 > 4 and the same to 5 by 3 alone."""


def test_paths_come_in_the_order_of_parents() -> None:
    assert list(graph.iterate_paths(PARENTS, [4, 0])) == [(0, 2, 4), (0, 3, 4), (1, 3, 4), (0,)]
    assert list(graph.iterate_paths(PARENTS, [])) == []


def test_ways_are_counted_from_the_roots_down() -> None:
    assert graph.count_ways(PARENTS, range(6)) == {0: 1, 1: 1, 2: 1, 3: 2, 4: 3, 5: 2}


def test_ancestors_of_several_classes_are_found_once() -> None:
    assert graph.find_ancestors(PARENTS, [5]) == {0, 1, 3, 5}
    assert graph.find_ancestors(PARENTS, [2, 5]) == {0, 1, 2, 3, 5}
    assert graph.find_ancestors(PARENTS, []) == set()


@pytest.mark.parametrize("steps", [14, 400])
def test_the_first_paths_of_a_graph_with_exponentially_many_come_at_once(steps: int) -> None:
    for taxonomy in (make_ladder(steps), make_diamonds(steps)):
        with within(2, 20):
            first = list(islice(taxonomy.iterate_paths([len(taxonomy) - 1]), 100))
        assert len(set(first)) == 100
        assert all(p in taxonomy.parents[c] for path in first for p, c in zip(path, path[1:], strict=False))
    assert make_ladder(14).count_paths() == 32_766
    assert make_diamonds(400).count_paths() > 2**400


def test_a_path_may_be_longer_than_the_stack_is_deep() -> None:
    assert list(make_chain(3000).iterate_paths([2999])) == [tuple(range(3000))]


@pytest.mark.parametrize(
    ("inside", "paths"),
    [
        ([], []),
        ([0, 2, 4], [(0, 2, 4)]),
        ([0, 2, 3, 4], [(0, 2, 4), (0, 3, 4)]),
        ([0, 3, 5, 1], [(0, 3, 5), (1, 3, 5)]),
        ([4], [(0, 2, 4), (0, 3, 4), (1, 3, 4)]),  # not path-consistent: every way there misses two classes
        ([1, 4], [(1, 3, 4)]),
    ],
)
def test_paths_within_a_set_by_hand(inside: list[int], paths: list[tuple[int, ...]]) -> None:
    assert graph.list_paths_within(PARENTS, np.arange(6), inside) == paths


@given(draw_taxonomies(), st.data())
def test_paths_within_are_those_with_the_fewest_classes_outside(taxonomy: Taxonomy, data: st.DataObject) -> None:
    inside = data.draw(st.sets(st.integers(0, len(taxonomy) - 1)))
    expected = []
    for c in sorted(inside):
        if not inside & set(taxonomy.children[c]):
            ways = list(taxonomy.iterate_paths([c]))
            outside = [len(set(way) - inside) for way in ways]
            expected += [way for way, n in zip(ways, outside, strict=True) if n == min(outside)]
    expected = [p for p in expected if not any(len(p) < len(q) and q[: len(p)] == p for q in expected)]
    assert taxonomy.paths_within(inside) == expected


@pytest.mark.parametrize("taxonomy", [make_ladder(14), make_diamonds(20), make_ladder(200)], ids=repr)
def test_a_set_of_too_many_paths_is_covered_by_a_few(taxonomy: Taxonomy) -> None:
    with within(2, 50):
        paths = taxonomy.paths_within(range(len(taxonomy)))
    assert len(paths) <= len(taxonomy)
    assert {c for path in paths for c in path} == set(range(len(taxonomy)))
    for path in paths:
        assert not taxonomy.parents[path[0]] and not taxonomy.children[path[-1]]
        assert all(p in taxonomy.parents[c] for p, c in zip(path, path[1:], strict=False))


@given(draw_taxonomies(), st.data())
def test_a_cover_holds_every_class_of_a_consistent_set(taxonomy: Taxonomy, data: st.DataObject) -> None:
    drawn = data.draw(st.sets(st.integers(0, len(taxonomy) - 1)))
    inside = graph.find_ancestors(taxonomy.parents, drawn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "MAX_WAYS", 0)
        paths = taxonomy.paths_within(inside)
    assert {c for path in paths for c in path} == inside
    assert set(paths) <= set(taxonomy.iterate_paths())


# ---------------------------------------------------------------------- closures


@given(draw_taxonomies())
def test_what_lies_below_is_found_in_blocks_of_any_size(taxonomy: Taxonomy) -> None:
    n = len(taxonomy)
    above = [graph.find_ancestors(taxonomy.parents, [c]) - {c} for c in range(n)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "BLOCK", 2)
        found = taxonomy.is_above(np.arange(n)[:, None], np.arange(n)[None, :])
        counts = taxonomy.count_below(np.arange(n))
    assert [set(np.flatnonzero(column).tolist()) for column in found.T] == above
    assert counts.tolist() == found.sum(axis=1).tolist()


def test_closures_of_wide_and_deep_graphs_are_as_large_as_what_they_hold() -> None:
    star, chain = make_star(20_000), make_chain(200)
    leaves = star.to_matrix([[str(c)] for c in range(1, 20_000)])
    with within(2, 60):
        assert star.close_ancestors(leaves).nnz == 2 * 19_999
        assert star.close_descendants(star.to_matrix([["0"], ["7"]])).nnz == 20_001
        assert star.is_above(np.zeros(20_000, dtype=np.int64), np.arange(20_000)).sum() == 19_999
        assert not star.is_above(np.arange(20_000), np.zeros(20_000, dtype=np.int64)).any()
        assert chain.close_ancestors(chain.to_matrix([["199"], ["0"]])).sum(axis=1).tolist() == [200, 1]
        assert chain.count_below(np.arange(200)).tolist() == list(range(199, -1, -1))


def test_more_ways_than_an_integer_holds_are_one_label() -> None:
    ladder = make_ladder(80)
    closed = ladder.close_ancestors(ladder.to_matrix([["159"]]))
    assert closed.nnz == 159, "all but the other class of the last rung"
    assert set(closed.data.tolist()) == {1}


def test_siblings_of_a_wide_graph_are_listed_as_far_as_they_are_asked_for() -> None:
    star, inverted = make_star(20_000), make_inverted_star(20_000)
    with within(2, 20):
        assert all(len(star.list_siblings(c, 100)) == 100 for c in range(1, 20_000))
        assert inverted.list_siblings(5, 6) == [0, 1, 2, 3, 4, 6]
    assert star.list_siblings(3, 4) == [1, 2, 4, 5]
    assert star.list_siblings(3, 0) == []
    assert len(star.list_siblings(3)) == 19_998
