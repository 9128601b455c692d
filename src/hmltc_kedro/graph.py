"""Walks over an acyclic graph whose nodes know their parents by position; nothing here lists what it need not.

A graph of 61 nodes can have 2^20 paths, and a closure of C nodes C^2 pairs: paths are counted and walked, closures are
taken of what is asked about, block by block.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

import numpy as np
from scipy import sparse

from hmltc_kedro.arrays import BoolArray, IntArray

Parents = Sequence[Sequence[int]] | Mapping[int, Sequence[int]]
"""For each node the positions of its parents; none for a root."""

Path = tuple[int, ...]
"""Positions from a root to a node."""

BLOCK = 512
"""Nodes whose descendants are held at a time: as many bytes a node of the graph."""

MAX_WAYS = 64
"""Paths of a label set that are all listed; of a set with more, as many as cover it."""


def find_cycle(edges: Iterable[tuple[str, str]]) -> list[str]:
    """Return the classes along one cycle of (parent, child) `edges`, first repeated last; [] if none."""
    # Lists, not sets: with several cycles the one reported must not depend on the hash seed.
    graph: dict[str, list[str]] = {}
    for parent, child in edges:
        graph.setdefault(child, []).append(parent)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # In graphlib's report each node is a predecessor, here a parent, of the next.
        return list(error.args[1])
    return []


def iterate_paths(parents: Parents, ends: Iterable[int]) -> Iterator[Path]:
    """Yield every path from a root to the nodes `ends`, one after another; the first comes at once."""
    for end in ends:
        stack: list[Path] = [(end,)]
        while stack:  # and no recursion: a path may be longer than Python's stack is deep
            path = stack.pop()
            above = parents[path[0]]
            if not above:
                yield path
            stack.extend((p, *path) for p in reversed(above))


def count_ways(parents: Parents, order: Iterable[int]) -> dict[int, int]:
    """Return the number of paths from a root to each node of `order`, in which parents come first."""
    ways: dict[int, int] = {}
    for c in order:
        ways[c] = sum(ways[p] for p in parents[c]) if parents[c] else 1
    return ways


def find_ancestors(parents: Parents, nodes: Iterable[int]) -> set[int]:
    """Return the nodes and all that lie above them."""
    found = set(nodes)
    stack = list(found)
    while stack:
        new = [p for p in parents[stack.pop()] if p not in found]
        found.update(new)
        stack.extend(new)
    return found


def list_paths_within(parents: Parents, rank: IntArray, inside: Collection[int]) -> list[Path]:
    """Return the root-to-node paths that a set of nodes is the union of, each as long as the set allows.

    Each node without a child in the set ends the paths to it that lie in the set. If none does (the set is not
    path-consistent), it ends those with the fewest nodes outside. Of more than `MAX_WAYS` paths these are only as many
    as it takes for every node of the set to be on one.

    Args:
        parents: of all nodes.
        rank: place of each node in an order in which parents come first.
        inside: the set.
    """
    inside = set(inside)
    upwards = sorted(find_ancestors(parents, inside), key=rank.__getitem__)
    outside: dict[int, int] = {}  # nodes outside the set on the best way to a node
    best: dict[int, list[int]] = {}  # its parents on such ways
    for c in upwards:
        least = min((outside[p] for p in parents[c]), default=0)
        outside[c] = least + (c not in inside)
        best[c] = [p for p in parents[c] if outside[p] == least]
    above = {p for c in inside for p in parents[c]}
    ends = sorted(c for c in inside if c not in above)
    ways = count_ways(best, upwards)
    if sum(ways[c] for c in ends) <= MAX_WAYS:
        paths = list(iterate_paths(best, ends))
    else:
        paths = _cover(best, sorted(inside, key=rank.__getitem__))
    prefixes = {path[:n] for path in paths for n in range(1, len(path))}
    return [path for path in paths if path not in prefixes]


def _cover(best: Mapping[int, Sequence[int]], ordered: Sequence[int]) -> list[Path]:
    """Return paths along `best` parents such that each of the nodes, given parents first, lies on one."""
    child = {p: c for c in reversed(ordered) for p in best[c]}
    paths: list[Path] = []
    covered: set[int] = set()
    for c in reversed(ordered):  # from the ends: most of what is above them is covered at once
        if c not in covered:
            path = next(iterate_paths(best, [c]))
            while path[-1] in child:
                path = (*path, child[path[-1]])
            covered.update(path)
            paths.append(path)
    return paths


def iterate_reach(parents: Parents, order: Iterable[int], nodes: IntArray) -> Iterator[tuple[slice, BoolArray]]:
    """Yield (block of `nodes`, reach), `BLOCK` nodes at a time: reach[c, i] is True where c lies below nodes[block][i].

    Args:
        parents: of C nodes.
        order: all positions, parents first.
        nodes: any of them, shape (m,).

    Yields:
        The block, and a matrix of shape (C, at most `BLOCK`).
    """
    inner = [(c, list(parents[c])) for c in order if parents[c]]
    for start in range(0, len(nodes), BLOCK):
        chosen = nodes[start : start + BLOCK]
        # Each node counts as below itself until the end, so that one row of the matrix is all that a child asks for.
        reach = np.zeros((len(parents), len(chosen)), dtype=bool)
        reach[chosen, np.arange(len(chosen))] = True
        for c, above in inner:
            for p in above:
                reach[c] |= reach[p]
        reach[chosen, np.arange(len(chosen))] = False
        yield slice(start, start + len(chosen)), reach


def spread(labels: sparse.csr_array, steps: sparse.csr_array) -> sparse.csr_array:
    """Return the label matrix with all that can be reached from its labels: 0/1, sparse (n, C).

    Each label is followed once, so the work grows with what comes out.

    Args:
        labels: sparse 0/1 (n, C).
        steps: sparse 0/1 (C, C), one at [from, to].
    """
    found = frontier = sparse.csr_array(labels)
    while frontier.nnz:
        reached = sparse.csr_array(frontier @ steps)
        reached.data[:] = 1
        frontier = sparse.csr_array(reached - reached.multiply(found))
        frontier.eliminate_zeros()
        found = sparse.csr_array(found + frontier)
    found.sort_indices()
    return found
