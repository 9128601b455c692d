"""The label set of largest expected F1: for probabilities that are to be believed, as those of a student of judgements.

Beam search needs thresholds, for the sigmoids of a classifier that saw silver labels alone say which class is more
probable and not how probable it is. Where documents were judged they are calibrated, and nothing has to be set.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from hmltc_kedro.arrays import AnyArray, DoubleArray, FloatArray, IntArray, find_best
from hmltc_kedro.decoding.blocks import check_shape, place_within, read_blocks
from hmltc_kedro.decoding.paths import DecodedPaths
from hmltc_kedro.taxonomy import Taxonomy

LARGEST = 20
"""Classes a label set can have at most."""


def bound_by_parents(probabilities: FloatArray, taxonomy: Taxonomy) -> FloatArray:
    """Return the probabilities, none above that of its most probable parent: shape (n, C).

    Args:
        probabilities: shape (n, C), float32.
        taxonomy: of C classes.
    """
    bounded = probabilities.copy()
    for c in taxonomy.topological_order:
        if taxonomy.parents[c]:
            above = bounded[:, list(taxonomy.parents[c])].max(axis=1)
            bounded[:, c] = np.minimum(bounded[:, c], above)
    return bounded


def choose_labels(probabilities: AnyArray, taxonomy: Taxonomy) -> tuple[sparse.csr_array, DoubleArray]:
    """Return the label sets of largest expected F1, 0/1 of shape (n, C), and that expectation, shape (n,).

    Of the k most probable classes it is E[F1] = 2 sum_k q / (k + sum q), the plug-in estimate of Lewis (1995) for one
    document. Where no class is more probable than its most probable parent, such a set hangs together; of equal
    probabilities parents come before their children.

    Args:
        probabilities: of n documents, any float dtype, shape (n, C), bounded, see `bound_by_parents`.
        taxonomy: of C classes.
    """
    order, expected = rank_classes(probabilities, taxonomy)
    counts = expected.argmax(axis=1) + 1
    rows, places = np.nonzero(np.arange(order.shape[1]) < counts[:, None])
    values = np.ones(len(rows), dtype=np.int32)
    labels = sparse.csr_array((values, (rows, order[rows, places])), shape=probabilities.shape)
    return labels, expected.max(axis=1)


def rank_classes(probabilities: AnyArray, taxonomy: Taxonomy) -> tuple[IntArray, DoubleArray]:
    """Return the most probable classes of each document, and the expected F1 of the set that ends with each.

    Args:
        probabilities: as `choose_labels` takes them.
        taxonomy: of C classes.

    Returns:
        Both of shape (n, min(`LARGEST`, C)).
    """
    q = np.asarray(probabilities, dtype=np.float64)
    k = min(LARGEST, q.shape[1])
    # Not by `levels`: a class may lie above (nearer to a root than) the parent that it hangs on.
    parents_first = np.array(taxonomy.topological_order, dtype=np.int64)
    order = parents_first[find_best(q[:, parents_first], k)]
    total = np.take_along_axis(q, order, axis=1).cumsum(axis=1)
    return order, 2 * total / (np.arange(1, k + 1) + q.sum(axis=1, keepdims=True))


def decode_expected_f1(
    probabilities: AnyArray, taxonomy: Taxonomy, *, block_size: int = 1024, progress: bool = False
) -> DecodedPaths:
    """Return for each document the paths whose union is the label set of `choose_labels`, see `trace_label_sets`.

    Args:
        probabilities: any float dtype, shape (n, C), in [0, 1], bounded, see `bound_by_parents`.
        taxonomy: of C classes.
        block_size: documents at a time; does not change the result.
        progress: show a progress bar.

    Returns:
        Paths of shape (n, B, taxonomy.depth), B the largest number of paths of a document.
    """
    check_shape(probabilities, taxonomy)
    blocks = (block for _, block in read_blocks(probabilities, block_size, progress))
    parts = [trace_label_sets(choose_labels(block, taxonomy)[0], block, taxonomy) for block in blocks]
    width = max((part.paths.shape[1] for part in parts), default=1)
    n = len(probabilities)
    paths = np.full((n, width, taxonomy.depth), -1, dtype=np.int32)
    scores = np.full((n, width), -np.inf, dtype=np.float32)
    start = 0
    for part in parts:
        rows = slice(start, start + len(part))
        paths[rows, : part.paths.shape[1]], scores[rows, : part.scores.shape[1]] = part.paths, part.scores
        start += len(part)
    return DecodedPaths(paths, scores)


def trace_label_sets(labels: sparse.csr_array, probabilities: AnyArray, taxonomy: Taxonomy) -> DecodedPaths:
    """Return the paths whose union is each label set, best first.

    Each class that is nobody's most probable parent ends a path, which goes up along the most probable parents inside
    the set. A path's score is the geometric mean of its probabilities.

    Args:
        labels: path-consistent sets, 0/1 (n, C).
        probabilities: of the same documents, any float dtype, shape (n, C).
        taxonomy: of C classes.
    """
    inside = labels.toarray() > 0
    q = np.where(inside, np.asarray(probabilities, dtype=np.float32), np.float32(-1))
    parents = find_best_parents(q, taxonomy)
    rows, classes = np.nonzero(inside)
    above = parents[rows, classes]
    ends = inside.copy()
    ends[rows[above >= 0], above[above >= 0]] = False  # goes on
    rows, classes = np.nonzero(ends)
    traced = trace_upwards(rows, classes, parents, taxonomy.depth)
    with np.errstate(divide="ignore"):
        logs = np.where(traced >= 0, np.log(np.maximum(q[rows[:, None], np.maximum(traced, 0)], 0)), 0)
    scores = np.exp(logs.sum(axis=1) / (traced >= 0).sum(axis=1)).astype(np.float32)
    place = place_within(rows, np.lexsort((classes, -scores, rows)))
    width = int(place.max(initial=0)) + 1
    paths = np.full((len(q), width, taxonomy.depth), -1, dtype=np.int32)
    kept = np.full((len(q), width), -np.inf, dtype=np.float32)
    paths[rows, place], kept[rows, place] = traced, scores
    return DecodedPaths(paths, kept)


def find_best_parents(probabilities: FloatArray, taxonomy: Taxonomy) -> IntArray:
    """Return the most probable parent of each class for each document, shape (n, C); -1 for roots."""
    chosen = np.full(probabilities.shape, -1, dtype=np.int64)
    for c, parents in enumerate(taxonomy.parents):
        if parents:
            above = np.array(parents, dtype=np.int64)
            chosen[:, c] = above[probabilities[:, above].argmax(axis=1)]
    return chosen


def trace_upwards(rows: IntArray, classes: IntArray, parents: IntArray, depth: int) -> IntArray:
    """Return the way to each class along the chosen parents, root first, padded with -1 at the end: shape (m, depth).

    Args:
        rows: the document of each class, shape (m,).
        classes: shape (m,).
        parents: of each class in each document, see `find_best_parents`.
        depth: of the taxonomy.
    """
    upwards = np.full((len(rows), depth), -1, dtype=np.int64)
    here = classes
    for step in range(depth):
        upwards[:, step] = here
        here = np.where(here >= 0, parents[rows, np.maximum(here, 0)], -1)
    order = np.argsort(upwards[:, ::-1] < 0, axis=1, kind="stable")
    return np.take_along_axis(upwards[:, ::-1], order, axis=1)
