"""A ranking of root-to-node paths by what several views say about them, with one learned weight a number.

A path is described by some sixteen numbers that do not depend on which class it ends in: what each view says of its
last class, of those above, and of the best class below. Weights learned from a few judged documents therefore hold for
classes that no judgement has named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import log_softmax

from hmltc_kedro.arrays import DoubleArray, FloatArray, IntArray, find_best
from hmltc_kedro.taxonomy import Taxonomy

RIDGE_SCALE = 5.0
"""Brings scores of a ridge on 0/1 targets to about the spread of the other views, for the penalty on the weights."""

PENALTY = 0.1
"""On the squared weights; some sixteen numbers need little."""

CANDIDATES = 128
"""Paths of a document that are ranked, the best by the classifier or by the ridge."""


@dataclass(frozen=True, eq=False)
class PathTable:
    """The paths of a taxonomy of C classes that are ranked.

    Attributes:
        nodes: 0/1, sparse (P, C).
        last: class that each ends in, (P,).
        length: nodes of each, (P,).
        taxonomy: whose paths they are.
    """

    nodes: sparse.csr_array
    last: IntArray
    length: IntArray
    taxonomy: Taxonomy

    @classmethod
    def list(cls, taxonomy: Taxonomy) -> PathTable:
        """Return every path, in the order of the classes they end in; one a class where there are too many."""
        paths = taxonomy.list_paths()
        length = np.array([len(path) for path in paths], dtype=np.int64)
        columns = np.array([c for path in paths for c in path], dtype=np.int64)
        starts = np.append(0, length.cumsum())
        values = np.ones(len(columns), dtype=np.float32)
        nodes = sparse.csr_array((values, columns, starts), shape=(len(paths), len(taxonomy)))
        return cls(nodes, np.array([path[-1] for path in paths], dtype=np.int64), length, taxonomy)

    def __len__(self) -> int:
        """Return the number of paths."""
        return len(self.last)

    @cached_property
    def is_leaf(self) -> FloatArray:
        """1 for a path that ends in a leaf, else 0: shape (P,)."""
        has_child = np.array([bool(children) for children in self.taxonomy.children])
        return (~has_child[self.last]).astype(np.float32)

    def find_targets(self, labels: sparse.csr_array) -> sparse.csr_array:
        """Return the most specific paths that lie in each label set: 0/1, sparse (n, P).

        Args:
            labels: path-consistent sets, sparse 0/1 (n, C).
        """
        binary = sparse.csr_array(labels, dtype=np.float32)
        inside = sparse.csr_array(binary @ self.nodes.T).tocoo()
        whole = inside.data >= self.length[inside.col] - 0.5
        values = np.ones(int(whole.sum()), dtype=np.float32)
        lying = sparse.csr_array((values, (inside.row[whole], inside.col[whole])), shape=inside.shape)
        most_specific = self.taxonomy.most_specific(sparse.csr_array(labels, dtype=np.int32))
        targets = sparse.csr_array(lying.multiply(most_specific[:, self.last]), dtype=np.float32)
        targets.eliminate_zeros()
        return targets

    def sum_nodes(self, scores: FloatArray) -> FloatArray:
        """Return the sum of a document's scores over the classes of each path: (n, P), from (n, C)."""
        return np.ascontiguousarray((self.nodes @ np.ascontiguousarray(scores.T)).T, dtype=np.float32)

    @cached_property
    def _families(self) -> tuple[IntArray, IntArray, IntArray]:
        """Classes with children, where the children of each begin, and the children one after another."""
        families = [(c, children) for c, children in enumerate(self.taxonomy.children) if children]
        sizes = np.array([len(children) for _, children in families], dtype=np.int64)
        parents = np.array([c for c, _ in families], dtype=np.int64)
        return parents, np.cumsum(sizes) - sizes, np.array([k for _, ks in families for k in ks], dtype=np.int64)

    def find_best_below(self, scores: FloatArray) -> FloatArray:
        """Return the best score among the children of each path's last class, 0 at a leaf: (n, P), from (n, C)."""
        parents, starts, children = self._families
        best = np.zeros_like(scores)
        if len(parents):
            best[:, parents] = np.maximum.reduceat(scores[:, children], starts, axis=1)
        return best[:, self.last]


@dataclass(frozen=True, eq=False)
class Views:
    """What is known about n documents and C classes, P paths.

    Attributes:
        logits: of the classifier that saw silver labels alone, (n, C).
        dense: standardised cosines with the classes' texts, (n, C).
        lexical: of the words, (n, C).
        ridge: scores of classes and paths by the ridge, (n, C + P).
    """

    logits: FloatArray
    dense: FloatArray
    lexical: FloatArray
    ridge: FloatArray

    def __getitem__(self, rows: slice) -> Views:
        """Return some of the documents."""
        return Views(self.logits[rows], self.dense[rows], self.lexical[rows], self.ridge[rows])


def iterate_numbers(views: Views, scales: FloatArray, table: PathTable) -> Iterator[FloatArray]:
    """Yield the numbers that describe the paths, (n, P) each.

    The mean log probability of a path's classes, which is how the classifier alone ranks it, and the ridge's score of
    the path; of each view the score of the last class, the mean above it and, of the two that are trained, the best
    below it; whether the path has 2, 3, 4 nodes or more, and whether it ends in a leaf.

    Args:
        views: of n documents.
        scales: spread of logits, dense and lexical scores, shape (3,).
        table: P paths.
    """
    n, n_classes = views.logits.shape
    yield np.asarray(table.sum_nodes(-np.logaddexp(np.float32(0), -views.logits)) / table.length, dtype=np.float32)
    yield np.float32(RIDGE_SCALE) * views.ridge[:, n_classes:]
    scaled = [view / scale for view, scale in zip((views.logits, views.dense, views.lexical), scales, strict=True)]
    for view, is_trained in zip(
        (*scaled, np.float32(RIDGE_SCALE) * views.ridge[:, :n_classes]), (1, 0, 0, 1), strict=True
    ):
        last = view[:, table.last]
        above = (table.sum_nodes(view) - last) / np.maximum(table.length - 1, 1)
        yield last
        yield np.where(table.length == 1, last, above)
        if is_trained:
            yield table.find_best_below(view)
    for flag in (*(table.length >= k for k in (2, 3, 4)), table.is_leaf):
        yield np.broadcast_to(flag.astype(np.float32), (n, len(table)))


def describe_paths(
    views: Views, scales: FloatArray, table: PathTable, targets: sparse.csr_array | None = None
) -> tuple[IntArray, FloatArray]:
    """Return the candidates of n documents, (n, K), and the numbers that describe them, (n, K, F).

    Candidates are the paths that come first by the classifier or by the ridge, in the order of the table.

    Args:
        views: of n documents.
        scales: see `iterate_numbers`.
        table: P paths.
        targets: paths that are candidates in any case, 0/1 (n, P).
    """
    numbers = list(iterate_numbers(views, scales, table))
    k = min(CANDIDATES, len(table))
    first = numbers[0].copy()
    if targets is not None:
        first[targets.nonzero()] = np.inf
    place = np.full(first.shape, k, dtype=np.int64)  # k: not among the first k of either
    for score in (first, numbers[1]):
        best = find_best(score, k)
        np.put_along_axis(place, best, np.minimum(np.take_along_axis(place, best, axis=1), np.arange(k)), axis=1)
    chosen = np.sort(find_best(-place, k), axis=1)
    described = np.stack([np.take_along_axis(values, chosen, axis=1) for values in numbers], axis=2)
    return chosen, described.astype(np.float32)


def fit_weights(described: FloatArray, targets: FloatArray, trust: FloatArray) -> FloatArray:
    """Return w, shape (F,), the minimum of sum_i trust_i H(target_i, softmax(x_i w)) + penalty |w|^2, H cross-entropy.

    Args:
        described: x, shape (n, K, F).
        targets: shares of the right paths, shape (n, K).
        trust: of the documents, shape (n,).
    """
    share = targets.sum(axis=1, keepdims=True)  # 1, or 0 for a document none of whose paths is on offer

    def lose(weights: DoubleArray) -> tuple[float, DoubleArray]:
        logs = log_softmax(described @ weights.astype(np.float32), axis=1)
        slope = trust[:, None] * (np.exp(logs) * share - targets)
        loss = -float((trust[:, None] * targets * logs).sum(dtype=np.float64)) + PENALTY * float(weights @ weights)
        return loss, np.einsum("nkf,nk->f", described, slope).astype(np.float64) + 2 * PENALTY * weights

    found = minimize(lose, np.zeros(described.shape[2]), jac=True, method="L-BFGS-B")
    return np.asarray(found.x, dtype=np.float32)


def sum_over_paths(scores: FloatArray, chosen: IntArray, table: PathTable, mean_paths: float) -> FloatArray:
    """Return the probability of each class, (n, C): that one of the document's paths goes through it.

    q(c) = 1 - (1 - sum of p(path) over the paths through c) ^ m, p the softmax of the scores, m paths a document drawn
    independently.

    Args:
        scores: of the candidates, shape (n, K).
        chosen: which paths they are, shape (n, K).
        table: P paths.
        mean_paths: m, at least 1.
    """
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(len(p)), p.shape[1])
    spread = sparse.csr_array((p.ravel(), (rows, chosen.ravel())), shape=(len(p), len(table)))
    through = np.minimum((spread @ table.nodes).toarray(), 1)
    return np.asarray(1 - (1 - through) ** mean_paths, dtype=np.float32)
