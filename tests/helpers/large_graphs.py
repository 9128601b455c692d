"""Graphs that nobody would draw: wide, deep, or with more paths than can be listed; and what they may cost."""

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

from hmltc_kedro.taxonomy import Taxonomy


def make_star(n: int) -> Taxonomy:
    """Return one root, class 0, with n - 1 children."""
    return make_graph(n, [(0, c) for c in range(1, n)])


def make_inverted_star(n: int) -> Taxonomy:
    """Return n - 1 roots and one class below them all, the last."""
    return make_graph(n, [(c, n - 1) for c in range(n - 1)])


def make_chain(n: int) -> Taxonomy:
    """Return one path of n classes."""
    return make_graph(n, [(c, c + 1) for c in range(n - 1)])


def make_ladder(rungs: int) -> Taxonomy:
    """Return two classes a rung, each below both of the one above: 2^(k + 1) paths end on rung k, from 0."""
    edges = [
        (a, b) for rung in range(rungs - 1) for a in (2 * rung, 2 * rung + 1) for b in (2 * rung + 2, 2 * rung + 3)
    ]
    return make_graph(2 * rungs, edges)


def make_diamonds(steps: int) -> Taxonomy:
    """Return 3 classes a step, t > a, b, both of which are above the next t: each step doubles the ways down."""
    names = [f"{kind}{step}" for step in range(steps) for kind in "tab"]
    edges = [(f"t{step}", f"{kind}{step}") for step in range(steps) for kind in "ab"]
    edges += [(f"{kind}{step}", f"t{step + 1}") for step in range(steps - 1) for kind in "ab"]
    return Taxonomy.from_edges([(name, name) for name in names], edges)


def make_graph(n: int, edges: list[tuple[int, int]]) -> Taxonomy:
    """Return n classes `0`, `1`, ..., called `class 0`, `class 1`, ..., with edges by position."""
    return Taxonomy.from_edges([(str(c), f"class {c}") for c in range(n)], [(str(a), str(b)) for a, b in edges])


@contextmanager
def within(seconds: float, megabytes: float) -> Iterator[None]:
    """Fail if the block takes longer, or holds more at a time."""
    tracemalloc.start()
    start = time.process_time()
    yield
    spent, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spent < seconds, f"{spent:.1f} s"
    assert peak < megabytes * 1e6, f"{peak / 1e6:.0f} MB"
