"""Top-down beam search: a child is entered only from its parent.

Documents are worked on in blocks of flat arrays; the loops are over levels, never over documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hmltc_kedro.arrays import AnyArray, BoolArray, DoubleArray, IntArray
from hmltc_kedro.decoding.blocks import broadcast_thresholds, check_shape, log_probabilities, place_within, read_blocks
from hmltc_kedro.decoding.paths import DecodedPaths
from hmltc_kedro.taxonomy import Taxonomy

CHILD_THRESHOLD = 0.5
"""A child at or above it is more likely than not, which is what a sigmoid's 0.5 says."""


MAX_CANDIDATES = 4_000_000
"""Children looked at in one step; blocks shrink for wide beams over wide taxonomies."""


def beam_search(
    probabilities: AnyArray,
    taxonomy: Taxonomy,
    *,
    beam_width: int = 10,
    child_threshold: float | AnyArray = CHILD_THRESHOLD,
    length_power: float = 1.0,
    min_length: int = 1,
    max_length: int | None = None,
    block_size: int = 1024,
    progress: bool = False,
) -> DecodedPaths:
    """Return for each document the best maximal active paths, by beam search from the roots.

    A path starts at any root, whatever its probability, so that every document gets one. It goes on
    to each child whose probability is at least the child's threshold (the inference rule of the
    paper: a child only below an active parent), and is complete when no child is active, at a leaf,
    or at `max_length` nodes. Its score is

        score(path) = (p(c1) * ... * p(cl)) ** (1 / l ** length_power)

    with `length_power` 0 the plain product, which favours short paths; 1 the geometric mean; 3 the
    ranking rule score^(1/len^3) of the paper's published code. At each level the best `beam_width`
    paths of a document that are not complete go on, by the score so far; complete ones wait outside
    the beam, so that neither kind crowds out the other, and the best `beam_width` of them are
    returned. Of several ways to a class the best one counts: a second would be no second class, but
    would bring in a parent that is not meant. Equal scores (to nine digits of their logarithm) rank
    by the class positions along the path.

    Args:
        probabilities: any float dtype, shape (n, C), in [0, 1]; may be a memory map. Compared with
            the thresholds in its own precision, so that float16(0.7) reaches a threshold of 0.7.
        taxonomy: of C classes.
        beam_width: paths kept a document and level, and returned (B).
        child_threshold: one for all classes or one each, shape (C,); see `child_thresholds`. Unused
            for roots.
        length_power: >= 0.
        min_length: nodes; a shorter path with no active child goes on to its best child, if it has
            any.
        max_length: nodes; None for no limit.
        block_size: documents at a time; does not change the result.
        progress: show a progress bar.

    Returns:
        Paths of shape (n, beam_width, taxonomy.depth).

    Raises:
        ValueError: a shape that does not fit, an argument out of range, or a probability outside
            [0, 1].
    """
    check_shape(probabilities, taxonomy)
    deepest = taxonomy.depth if max_length is None else max_length
    if beam_width < 1 or block_size < 1 or not (np.isfinite(length_power) and length_power >= 0):
        raise ValueError("beam_width and block_size must be at least 1, length_power at least 0")
    if not 1 <= min_length or not 1 <= deepest or (max_length and min_length > max_length):
        raise ValueError(f"no path has between {min_length} and {max_length} nodes")
    thresholds = broadcast_thresholds(child_threshold, taxonomy).astype(probabilities.dtype)
    search = Search(
        taxonomy,
        thresholds,
        beam_width=beam_width,
        length_power=length_power,
        min_length=min_length,
        max_length=deepest,
    )
    n = len(probabilities)
    widest = beam_width * max(len(k) for k in taxonomy.children)
    step = min(block_size, max(1, MAX_CANDIDATES // max(widest, len(taxonomy.roots))))
    paths = np.full((n, beam_width, taxonomy.depth), -1, dtype=np.int32)
    scores = np.full((n, beam_width), -np.inf, dtype=np.float32)
    for start, block in read_blocks(probabilities, step, progress):
        search.run(block, paths[start : start + step], scores[start : start + step])
    return DecodedPaths(paths, scores)


@dataclass(frozen=True, eq=False)
class _Paths:
    """m paths of one length, ordered by document and then by the classes along them.

    Attributes:
        document: row of the block, shape (m,).
        nodes: class positions, shape (m, length).
        log_product: sum of the log probabilities, float64, shape (m,).
    """

    document: IntArray
    nodes: IntArray
    log_product: DoubleArray

    def __len__(self) -> int:
        """Return the number of paths."""
        return len(self.document)

    def __getitem__(self, chosen: AnyArray) -> _Paths:
        """Return some of the paths, by mask or position."""
        return _Paths(self.document[chosen], self.nodes[chosen], self.log_product[chosen])

    @property
    def length(self) -> int:
        """Number of nodes of each path."""
        return int(self.nodes.shape[1])


class _Step(NamedTuple):
    """What the search has in hand at one length.

    Attributes:
        paths: m paths.
        best: which of them are the best of their length to their last class, shape (m,).
        unfinished: which are to go on, shape (m,).
        kept: which are both, and in the beam, shape (m,).
    """

    paths: _Paths
    best: BoolArray
    unfinished: BoolArray
    kept: BoolArray


class Search:
    """Beam search over one block at a time; holds what the blocks share."""

    def __init__(
        self,
        taxonomy: Taxonomy,
        thresholds: AnyArray,
        *,
        beam_width: int,
        length_power: float,
        min_length: int,
        max_length: int,
    ) -> None:
        """Lay the children out flat: those of class c start at `first_child[c]`."""
        self.roots = taxonomy.roots
        self.is_tree = all(len(parents) < 2 for parents in taxonomy.parents)
        self.n_children = np.array([len(k) for k in taxonomy.children], dtype=np.int64)
        self.first_child = np.cumsum(self.n_children) - self.n_children
        self.children = np.array([c for k in taxonomy.children for c in k], dtype=np.int64)
        self.thresholds = thresholds
        self.beam_width = beam_width
        self.length_power = length_power
        self.min_length = min_length
        self.max_length = max_length

    def run(self, block: AnyArray, paths: AnyArray, scores: AnyArray) -> None:
        """Write the best complete paths of `block`, shape (rows, C), into `paths` and `scores`."""
        steps = self.iterate_steps(block)
        self.collect([step.paths[step.best & ~step.unfinished] for step in steps], paths, scores)

    def iterate_steps(self, block: AnyArray) -> Iterator[_Step]:
        """Yield the search over `block`, shape (rows, C), length by length."""
        active = block >= self.thresholds
        has_active_child = self.find_active_children(active)
        beam = self.start(block)
        while len(beam):
            # What may follow a path depends on its length and last class alone: the best way there is the best of all.
            best = self.find_best_ways(beam.document, beam.nodes[:, -1], self.sort(beam))
            unfinished = self.find_unfinished(beam, has_active_child)
            kept = best & unfinished
            kept[kept] = self.rank(beam[kept]) < self.beam_width
            yield _Step(beam, best, unfinished, kept)
            beam = self.extend(beam[kept], block, active, has_active_child)

    def find_active_children(self, active: BoolArray) -> BoolArray:
        """Return for each document and class, shape (rows, C), whether a child is active."""
        found = np.zeros(active.shape, dtype=bool)
        inner = self.n_children > 0
        if inner.any():
            starts = self.first_child[inner]
            found[:, inner] = np.logical_or.reduceat(active[:, self.children], starts, axis=1)
        return found

    def start(self, block: AnyArray) -> _Paths:
        """Return the one-node paths: every root of every document."""
        document = np.repeat(np.arange(len(block)), len(self.roots))
        nodes = np.tile(self.roots, len(block))
        return _Paths(document, nodes[:, None], log_probabilities(block[document, nodes]))

    def find_unfinished(self, beam: _Paths, has_active_child: BoolArray) -> BoolArray:
        """Return the mask of the paths that must go on: maximality, `min_length`, `max_length`."""
        last = beam.nodes[:, -1]
        if beam.length >= self.max_length:
            return np.zeros(len(beam), dtype=bool)
        if beam.length < self.min_length:
            return self.n_children[last] > 0
        return has_active_child[beam.document, last]

    def find_best_ways(self, document: IntArray, last: IntArray, order: IntArray) -> BoolArray:
        """Return which of m paths come first in `order` of those of their document to their last class, shape (m,)."""
        best = np.full(len(document), self.is_tree)
        if not self.is_tree:
            end = document * len(self.n_children) + last
            best[order[np.unique(end[order], return_index=True)[1]]] = True
        return best

    def log_scores(self, beam: _Paths) -> DoubleArray:
        """Return log score = log product / length ** power, rounded so that equal scores tie."""
        # 0.2 * 0.3 * 0.5 and 0.5 * 0.3 * 0.2 may differ in the last bit, which must not decide.
        scores = beam.log_product / float(beam.length**self.length_power)
        return np.asarray(np.round(scores, 9))

    def rank(self, beam: _Paths) -> IntArray:
        """Return the place of each path among those of its document, from 0."""
        return place_within(beam.document, self.sort(beam))

    def sort(self, beam: _Paths) -> IntArray:
        """Return the order of the paths by document and score."""
        # The sort is stable and the paths lie in class order, which settles ties.
        return np.lexsort((-self.log_scores(beam), beam.document))

    def extend(self, beam: _Paths, block: AnyArray, active: BoolArray, has_active_child: BoolArray) -> _Paths:
        """Return the paths one node longer; every path of `beam` has at least one child."""
        last = beam.nodes[:, -1]
        count = self.n_children[last]
        path = np.repeat(np.arange(len(beam)), count)
        place = np.arange(len(path)) - np.repeat(np.cumsum(count) - count, count)
        child = self.children[self.first_child[last][path] + place]
        document = beam.document[path]
        chosen = active[document, child]
        if beam.length < self.min_length:
            # A path too short to end here, and no child active: on to the best one, first if tied.
            order = np.lexsort((-block[document, child], path))
            is_best = place_within(path, order) == 0
            chosen |= is_best & ~has_active_child[document, last[path]]
        path, child, document = path[chosen], child[chosen], document[chosen]
        return _Paths(
            document,
            np.concatenate([beam.nodes[path], child[:, None]], axis=1),
            beam.log_product[path] + log_probabilities(block[document, child]),
        )

    def collect(self, complete: list[_Paths], paths: AnyArray, scores: AnyArray) -> None:
        """Write the best `beam_width` of the complete paths, best first."""
        depth = paths.shape[-1]
        document = np.concatenate([p.document for p in complete])
        log_score = np.concatenate([self.log_scores(p) for p in complete])
        nodes = np.concatenate([np.pad(p.nodes, ((0, 0), (0, depth - p.length)), constant_values=-1) for p in complete])
        order = np.lexsort((*nodes.T[::-1], -log_score, document))
        best = self.find_best_ways(document, np.concatenate([p.nodes[:, -1] for p in complete]), order)
        order = order[best[order]]
        document, log_score, nodes = document[order], log_score[order], nodes[order]
        place = place_within(document, np.arange(len(document)))
        kept = place < self.beam_width
        paths[document[kept], place[kept]] = nodes[kept]
        scores[document[kept], place[kept]] = np.exp(log_score[kept])
