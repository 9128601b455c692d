"""The class taxonomy: a directed acyclic graph, its paths, and what makes a label set consistent.

This is the only module with graph rules. Classes are addressed by position (`int`) inside arrays and by id (`str`)
towards the outside; `Taxonomy.index` maps one to the other. Two rules for a label set:

- *path-consistent*: every class that is not a root has at least one parent in the set, and so a chain to a root: the
  set is a union of root-to-node paths. The rule enforced.
- *ancestor-closed*: every ancestor is in it. Where a class has several parents, branches come in that were not meant.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from hmltc_kedro.arrays import BoolArray, IntArray
from hmltc_kedro.errors import InputError


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


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """An immutable class DAG of C classes.

    Attributes:
        class_ids: the C ids, in file order; the order of every class axis in the project.
        names: the C names, underscores for spaces; not necessarily unique.
        parents: for each class the positions of its parents, in file order; empty for a root.
        keywords: for each class its keywords; possibly empty.
    """

    class_ids: tuple[str, ...]
    names: tuple[str, ...]
    parents: tuple[tuple[int, ...], ...]
    keywords: tuple[tuple[str, ...], ...]

    @classmethod
    def from_edges(
        cls,
        classes: Sequence[tuple[str, str]],
        edges: Sequence[tuple[str, str]],
        keywords: Mapping[str, Sequence[str]] | None = None,
    ) -> Taxonomy:
        """Build a taxonomy from (id, name) pairs, (parent id, child id) edges and keywords by class id.

        Raises:
            InputError: no class, a repeated id or edge, an unknown id, a self-loop or a cycle.
        """
        ids = tuple(class_id for class_id, _ in classes)
        index = {class_id: position for position, class_id in enumerate(ids)}
        keywords = keywords or {}
        problems = [f"class id {i!r} occurs twice" for i, n in Counter(ids).items() if n > 1]
        problems += [] if ids else ["a taxonomy needs at least one class"]
        problems += [
            f"edge {p!r} -> {c!r} names an unknown class" for p, c in edges if p not in index or c not in index
        ]
        problems += [f"class {p!r} is its own parent" for p, c in edges if p == c]
        problems += [f"keywords for the unknown class {i!r}" for i in keywords if i not in index]
        problems += ["an edge occurs twice"] if len(set(edges)) != len(edges) else []
        if cycle := find_cycle(edges):
            problems.append("the hierarchy has a cycle: " + " -> ".join(cycle))
        if problems:
            raise InputError.from_problems(problems)
        parents: list[list[int]] = [[] for _ in ids]
        for parent, child in edges:
            parents[index[child]].append(index[parent])
        return cls(
            class_ids=ids,
            names=tuple(name for _, name in classes),
            parents=tuple(tuple(p) for p in parents),
            keywords=tuple(tuple(keywords.get(i, ())) for i in ids),
        )

    # ------------------------------------------------------------------ the graph

    def __len__(self) -> int:
        return len(self.class_ids)

    def __repr__(self) -> str:
        return f"Taxonomy({len(self)} classes, {self.n_edges} edges, {len(self.roots)} roots, {self.depth} levels)"

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each class id."""
        return {class_id: position for position, class_id in enumerate(self.class_ids)}

    @cached_property
    def n_edges(self) -> int:
        """Number of parent-child pairs."""
        return sum(len(p) for p in self.parents)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """For each class the positions of its children."""
        children: list[list[int]] = [[] for _ in self.class_ids]
        for child, parents in enumerate(self.parents):
            for parent in parents:
                children[parent].append(child)
        return tuple(tuple(c) for c in children)

    @cached_property
    def roots(self) -> IntArray:
        """Positions of the classes without a parent."""
        return np.array([c for c, p in enumerate(self.parents) if not p], dtype=np.int64)

    @cached_property
    def leaves(self) -> IntArray:
        """Positions of the classes without a child."""
        return np.array([c for c, k in enumerate(self.children) if not k], dtype=np.int64)

    @cached_property
    def is_root(self) -> BoolArray:
        """Mask of shape (C,)."""
        return np.array([not p for p in self.parents], dtype=bool)

    @cached_property
    def topological_order(self) -> tuple[int, ...]:
        """All positions, every parent before its children."""
        graph = {child: set(parents) for child, parents in enumerate(self.parents)}
        return tuple(TopologicalSorter(graph).static_order())

    @cached_property
    def levels(self) -> IntArray:
        """Level of each class, shape (C,): 1 for a root, else 1 + the level of its nearest parent."""
        levels = np.ones(len(self), dtype=np.int64)
        for c in self.topological_order:
            if self.parents[c]:
                levels[c] = 1 + min(levels[p] for p in self.parents[c])
        return levels

    def levels_below(self, root: int) -> IntArray:
        """Return the level of each class counted from class `root`, shape (C,): 0 for it, 1 for its children.

        A class's level is 1 + that of its nearest parent below `root`; -1 for classes that are not below it.
        """
        levels = np.full(len(self), -1, dtype=np.int64)
        levels[root] = 0
        for c in self.topological_order:
            above = [levels[p] for p in self.parents[c] if levels[p] >= 0]
            if above:
                levels[c] = 1 + min(above)
        return levels

    @cached_property
    def depth(self) -> int:
        """Number of nodes on the longest root-to-node path."""
        longest = np.ones(len(self), dtype=np.int64)
        for c in self.topological_order:
            if self.parents[c]:
                longest[c] = 1 + max(longest[p] for p in self.parents[c])
        return int(longest.max())

    @cached_property
    def adjacency(self) -> sparse.csr_array:
        """Sparse (C, C) int32 matrix with a 1 at [parent, child]."""
        rows = [p for parents in self.parents for p in parents]
        columns = [c for c, parents in enumerate(self.parents) for _ in parents]
        values = np.ones(len(rows), dtype=np.int32)
        return sparse.csr_array((values, (rows, columns)), shape=(len(self), len(self)))

    @cached_property
    def ancestors(self) -> BoolArray:
        """Matrix of shape (C, C): [c, a] is True where a is a proper ancestor of c."""
        ancestors = np.zeros((len(self), len(self)), dtype=bool)
        for c in self.topological_order:
            for p in self.parents[c]:
                ancestors[c] |= ancestors[p]
                ancestors[c, p] = True
        return ancestors

    @cached_property
    def siblings(self) -> tuple[tuple[int, ...], ...]:
        """For each class the other children of all its parents; the other roots for a root."""
        result = []
        for c, parents in enumerate(self.parents):
            pool = [k for p in parents for k in self.children[p]] if parents else list(self.roots)
            result.append(tuple(dict.fromkeys(int(k) for k in pool if k != c)))
        return tuple(result)

    # ------------------------------------------------------------------ paths

    def paths_to(self, c: int) -> list[tuple[int, ...]]:
        """Return every path from a root to class `c`, root first."""
        return list(self.iterate_paths([c]))

    def count_paths(self) -> int:
        """Return the number of root-to-node paths, without listing them: a DAG of 61 classes can have a million."""
        ways = [0] * len(self)
        for c in self.topological_order:
            ways[c] = sum(ways[p] for p in self.parents[c]) if self.parents[c] else 1
        return sum(ways)

    def first_paths(self) -> list[tuple[int, ...]]:
        """Return one path from a root to each class, along first parents."""
        paths: list[tuple[int, ...]] = [()] * len(self)
        for c in self.topological_order:
            paths[c] = (*(paths[self.parents[c][0]] if self.parents[c] else ()), c)
        return paths

    def iterate_paths(self, ends: Iterable[int] | None = None) -> Iterator[tuple[int, ...]]:
        """Yield every root-to-node path to the classes `ends`, one-node paths included; to all classes without them."""
        for c in range(len(self)) if ends is None else ends:
            if not self.parents[c]:
                yield (c,)
            for path in self.iterate_paths(self.parents[c]):
                yield (*path, c)

    def paths_within(self, classes: Collection[int]) -> list[tuple[int, ...]]:
        """Return the root-to-node paths that a label set is the union of, each as long as the set allows.

        Each class without a child in the set ends the paths to it that lie in the set. If none does (the set is
        not path-consistent), it ends those with the fewest classes outside.
        """
        inside = set(classes)
        paths: list[tuple[int, ...]] = []
        for c in sorted(inside):
            if inside.isdisjoint(self.children[c]):
                ways = self.paths_to(c)
                outside = [len(set(way) - inside) for way in ways]
                paths += [way for way, n in zip(ways, outside, strict=True) if n == min(outside)]
        return [p for p in paths if not any(len(p) < len(q) and q[: len(p)] == p for q in paths)]

    def best_parents(self, scores: npt.NDArray[np.float32]) -> IntArray:
        """Choose for each document and class the parent on the best-scoring path to a root.

        A path's score is the mean of `scores` over its nodes, so a long way round has no advantage.
        Each parent stands for its own best path: one pointer a class, not a search over all paths.

        Args:
            scores: shape (n, C).

        Returns:
            Positions of shape (n, C); -1 for roots.
        """
        n = len(scores)
        chosen = np.full((n, len(self)), -1, dtype=np.int64)
        total = scores.copy()
        length = np.ones((n, len(self)), dtype=np.int64)
        rows = np.arange(n)
        for c in self.topological_order:
            parents = np.array(self.parents[c], dtype=np.int64)
            if not len(parents):
                continue
            mean = (total[:, parents] + scores[:, [c]]) / (length[:, parents] + 1)
            best = parents[mean.argmax(axis=1)]
            chosen[:, c] = best
            total[:, c] = scores[:, c] + total[rows, best]
            length[:, c] = 1 + length[rows, best]
        return chosen

    def trace_paths(self, parents: IntArray, classes: IntArray) -> IntArray:
        """Follow chosen parents up to the roots.

        Args:
            parents: shape (n, C), as from `best_parents`.
            classes: shape (n, k), the classes to start from.

        Returns:
            Shape (n, k, depth), root first, padded with -1 at the end.
        """
        rows = np.arange(len(parents))[:, None]
        upwards = [classes]
        while (upwards[-1] >= 0).any():
            here = upwards[-1]
            upwards.append(np.where(here >= 0, parents[rows, np.maximum(here, 0)], -1))
        stack = np.stack(upwards[:-1] or upwards, axis=-1)[..., ::-1]
        # Roots sit at different places now: shift the padding from the front to the end.
        order = np.argsort(stack < 0, axis=-1, kind="stable")
        paths = np.take_along_axis(stack, order, axis=-1)
        out = np.full((*paths.shape[:-1], self.depth), -1, dtype=np.int64)
        out[..., : paths.shape[-1]] = paths
        return out

    # ------------------------------------------------------------------ label sets

    def to_matrix(self, label_sets: Iterable[Iterable[str]]) -> sparse.csr_array:
        """Return label sets (class ids) as a sparse 0/1 matrix of shape (n, C), int32.

        Raises:
            KeyError: a class id that is not in the taxonomy.
        """
        columns = [np.unique([self.index[i] for i in labels]) for labels in label_sets]
        pointers = np.concatenate([[0], np.cumsum([len(c) for c in columns])]).astype(np.int64)
        indices = np.concatenate([*columns, np.array([], dtype=np.int64)]).astype(np.int64)
        values = np.ones(len(indices), dtype=np.int32)
        return sparse.csr_array((values, indices, pointers), shape=(len(columns), len(self)))

    def to_label_sets(self, labels: sparse.csr_array) -> list[list[str]]:
        """Return the rows of a sparse (n, C) matrix as lists of class ids, parents before children."""
        rank = np.empty(len(self), dtype=np.int64)
        rank[list(self.topological_order)] = np.arange(len(self))
        ids = np.array(self.class_ids, dtype=object)
        # Not by `levels`: a class may lie above (nearer to a root than) one of its parents.
        parts = np.split(labels.indices, labels.indptr[1:-1])[: labels.shape[0]]
        return [list(ids[p[np.argsort(rank[p])]]) for p in parts]

    def is_path_consistent(self, labels: sparse.csr_array) -> BoolArray:
        """Tell for each row of a sparse (n, C) 0/1 matrix whether it is a union of root-to-node paths."""
        labels = sparse.csr_array(labels, dtype=np.int32)
        has_parent = labels @ self.adjacency > 0
        supported = labels.multiply(has_parent).sum(axis=1) + labels @ self.is_root.astype(np.int32)
        return np.asarray(supported == labels.sum(axis=1))

    def close_ancestors(self, labels: sparse.csr_array) -> sparse.csr_array:
        """Return the label matrix with every ancestor of every label added."""
        closure = sparse.csr_array(self.ancestors.astype(np.int32))
        closed = labels + labels @ closure
        closed.data[:] = 1
        return sparse.csr_array(closed)

    def most_specific(self, labels: sparse.csr_array) -> sparse.csr_array:
        """Return the label matrix without the classes that have a child in the same row."""
        has_child = sparse.csr_array(labels @ self.adjacency.T)
        has_child.data[:] = 1
        result = sparse.csr_array(labels - labels.multiply(has_child))
        result.eliminate_zeros()
        return result

    # ------------------------------------------------------------------ names and files

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """For each class the path shown to people, by its first parents: `pets > dogs > beds`."""
        labels = [""] * len(self)
        for c in self.topological_order:
            above = f"{labels[self.parents[c][0]]} > " if self.parents[c] else ""
            labels[c] = above + self.spoken_name(c)
        return tuple(labels)

    def spoken_name(self, c: int) -> str:
        """Return the name of class `c` with spaces for underscores."""
        return " ".join(self.names[c].replace("_", " ").split())

    def to_frame(self) -> pd.DataFrame:
        """Return one row a class: class_id, name, parents (ids), keywords, level, path."""
        return pd.DataFrame(
            {
                "class_id": list(self.class_ids),
                "name": list(self.names),
                "parents": [[self.class_ids[p] for p in parents] for parents in self.parents],
                "keywords": [list(k) for k in self.keywords],
                "level": self.levels,
                "path": list(self.labels),
            }
        )

    def write(self, path: Path) -> None:
        """Write the graph as JSON: a list of class_id, name, parents and keywords."""
        frame = self.to_frame()[["class_id", "name", "parents", "keywords"]]
        path.write_text(frame.to_json(orient="records"), "utf-8")

    @classmethod
    def read(cls, path: Path) -> Taxonomy:
        """Read what `write` wrote."""
        return cls.from_frame(pd.DataFrame(json.loads(path.read_text("utf-8"))))

    def with_keywords(self, keywords: Mapping[str, Sequence[str]]) -> Taxonomy:
        """Return the same graph with other keywords, by class id; a class not named keeps its own."""
        return replace(
            self,
            keywords=tuple(tuple(keywords.get(i, own)) for i, own in zip(self.class_ids, self.keywords, strict=True)),
        )

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Taxonomy:
        """Build a taxonomy from the columns class_id, name, parents and keywords of `to_frame`."""
        ids = [str(i) for i in frame["class_id"]]
        return cls.from_edges(
            classes=list(zip(ids, map(str, frame["name"]), strict=True)),
            edges=[(str(p), i) for i, ps in zip(ids, frame["parents"], strict=True) for p in ps],
            keywords={i: [str(k) for k in ks] for i, ks in zip(ids, frame["keywords"], strict=True)},
        )
