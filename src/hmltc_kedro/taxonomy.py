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
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from hmltc_kedro import graph
from hmltc_kedro.arrays import AnyArray, BoolArray, IntArray, split_rows
from hmltc_kedro.errors import InputError

MAX_PATHS = 4
"""Paths a class up to which all are listed, on average; beyond that each class has its first one alone."""


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
        if cycle := graph.find_cycle(edges):
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
        parents = {child: set(parents) for child, parents in enumerate(self.parents)}
        return tuple(TopologicalSorter(parents).static_order())

    @cached_property
    def rank(self) -> IntArray:
        """Place of each class in `topological_order`, shape (C,)."""
        return np.argsort(np.array(self.topological_order, dtype=np.int64))

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
    def longest_paths(self) -> IntArray:
        """Number of nodes on the longest path from a root to each class, shape (C,)."""
        longest = np.ones(len(self), dtype=np.int64)
        for c in self.topological_order:
            if self.parents[c]:
                longest[c] = 1 + max(longest[p] for p in self.parents[c])
        return longest

    @cached_property
    def depth(self) -> int:
        """Number of nodes on the longest root-to-node path."""
        return int(self.longest_paths.max())

    @cached_property
    def adjacency(self) -> sparse.csr_array:
        """Sparse (C, C) int32 matrix with a 1 at [parent, child]."""
        rows = [p for parents in self.parents for p in parents]
        columns = [c for c, parents in enumerate(self.parents) for _ in parents]
        values = np.ones(len(rows), dtype=np.int32)
        return sparse.csr_array((values, (rows, columns)), shape=(len(self), len(self)))

    def is_above(self, above: AnyArray, below: AnyArray) -> BoolArray:
        """Tell for pairs of classes whether the one is a proper ancestor of the other.

        Args:
            above: positions, of any shape.
            below: positions, of a shape that goes with it.
        """
        above, below = np.broadcast_arrays(above, below)
        found = np.zeros(above.shape, dtype=bool)
        classes = np.setdiff1d(above, self.leaves)
        where = np.searchsorted(classes, above)
        asked = np.isin(above, classes)
        for block, reach in graph.iterate_reach(self.parents, self.topological_order, classes):
            pairs = asked & (where >= block.start) & (where < block.stop)
            found[pairs] = reach[below[pairs], where[pairs] - block.start]
        return found

    def count_below(self, classes: IntArray) -> IntArray:
        """Return how many classes lie below each of `classes`, shape (m,)."""
        counts = np.zeros(len(classes), dtype=np.int64)
        for block, reach in graph.iterate_reach(self.parents, self.topological_order, classes):
            counts[block] = reach.sum(axis=0)
        return counts

    def list_siblings(self, c: int, limit: int | None = None) -> list[int]:
        """Return the other children of all parents of class `c`, the other roots for a root; `limit` at most."""
        pool = (k for p in self.parents[c] for k in self.children[p]) if self.parents[c] else map(int, self.roots)
        siblings: dict[int, None] = {}
        for k in pool:
            if len(siblings) == limit:
                break
            if k != c:
                siblings[k] = None
        return list(siblings)

    # ------------------------------------------------------------------ paths

    def count_paths(self) -> int:
        """Return the number of root-to-node paths, without listing them: a DAG of 61 classes can have a million."""
        return sum(graph.count_ways(self.parents, self.topological_order).values())

    def iterate_paths(self, ends: Iterable[int] | None = None) -> Iterator[tuple[int, ...]]:
        """Yield every root-to-node path to the classes `ends`, one-node paths included; to all classes without them."""
        return graph.iterate_paths(self.parents, range(len(self)) if ends is None else ends)

    def list_paths(self) -> list[tuple[int, ...]]:
        """Return every root-to-node path, by the classes they end in; with more than `MAX_PATHS` a class the first."""
        if self.count_paths() <= MAX_PATHS * len(self):
            return list(self.iterate_paths())
        return [next(self.iterate_paths([c])) for c in range(len(self))]

    def paths_within(self, classes: Collection[int]) -> list[tuple[int, ...]]:
        """Return the root-to-node paths that a label set is the union of; see `graph.list_paths_within`."""
        return graph.list_paths_within(self.parents, self.rank, classes)

    def best_parents(self, scores: npt.NDArray[np.float32]) -> IntArray:
        """Choose for each document and class the parent on the best-scoring path to a root.

        A path's score is the mean of `scores` over its nodes, so a long way round has no advantage.
        Each parent stands for its own best path: one pointer a class, not a search over all paths.

        Args:
            scores: shape (n, C).

        Returns:
            Positions of shape (n, C); -1 for roots.
        """
        total = np.array(scores.T, order="C")  # by class: what is read together lies together
        chosen = np.full(total.shape, -1, dtype=np.int64)
        length = np.ones(total.shape, dtype=np.int64)
        columns = np.arange(len(scores))
        for c in self.topological_order:
            parents = np.array(self.parents[c], dtype=np.int64)
            if len(parents) > 1:
                mean = (total[parents] + total[c]) / (length[parents] + 1)
                best = parents[mean.argmax(axis=0)]
                chosen[c], length[c] = best, 1 + length[best, columns]
                total[c] += total[best, columns]
            elif len(parents):
                chosen[c], length[c] = parents[0], 1 + length[parents[0]]
                total[c] += total[parents[0]]
        return chosen.T

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
        _, classes, starts = self.order_labels(labels)
        return [list(part) for part in split_rows(np.array(self.class_ids, dtype=object)[classes], starts)]

    def order_labels(self, labels: sparse.csr_array) -> tuple[IntArray, IntArray, IntArray]:
        """Return rows, classes and starts of n label sets, set by set and in each parents before children.

        Returns:
            Row and class of each of the m labels, shape (m,), and where each set starts, shape (n + 1,), m at the end.
        """
        pairs = labels.tocoo()
        # Not by `levels`: a class may lie above (nearer to a root than) one of its parents.
        order = np.lexsort((self.rank[pairs.col], pairs.row))
        starts = np.cumsum([0, *np.bincount(pairs.row, minlength=labels.shape[0])])
        return pairs.row[order].astype(np.int64), pairs.col[order].astype(np.int64), starts

    def is_path_consistent(self, labels: sparse.csr_array) -> BoolArray:
        """Tell for each row of a sparse (n, C) 0/1 matrix whether it is a union of root-to-node paths."""
        labels = sparse.csr_array(labels, dtype=np.int32)
        has_parent = labels @ self.adjacency > 0
        supported = labels.multiply(has_parent).sum(axis=1) + labels @ self.is_root.astype(np.int32)
        return np.asarray(supported == labels.sum(axis=1))

    def close_ancestors(self, labels: sparse.csr_array) -> sparse.csr_array:
        """Return the label matrix with every ancestor of every label added."""
        return graph.spread(labels, sparse.csr_array(self.adjacency.T))

    def close_descendants(self, labels: sparse.csr_array) -> sparse.csr_array:
        """Return the label matrix with every descendant of every label added."""
        return graph.spread(labels, self.adjacency)

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
