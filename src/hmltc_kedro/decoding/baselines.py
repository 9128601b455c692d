"""Decoders to compare with: leaf priority goes up from the best leaf, flat decoding knows no paths."""

from __future__ import annotations

import numpy as np

from hmltc_kedro.arrays import AnyArray, find_best
from hmltc_kedro.decoding.beam import CHILD_THRESHOLD
from hmltc_kedro.decoding.blocks import check_shape, read_blocks
from hmltc_kedro.decoding.paths import DecodedPaths
from hmltc_kedro.taxonomy import Taxonomy


def leaf_priority(
    probabilities: AnyArray,
    taxonomy: Taxonomy,
    *,
    n_paths: int = 1,
    block_size: int = 1024,
    progress: bool = False,
) -> DecodedPaths:
    """Return the paths to the most probable leaves, the paper's leaf-priority baseline.

    The leaf is chosen first, by its own probability, and its ancestors follow: upwards along
    `Taxonomy.best_parents`. Ties go to the leaf that comes first in the taxonomy.

    Args:
        probabilities: any float dtype, shape (n, C), in [0, 1].
        taxonomy: of C classes.
        n_paths: leaves a document, and paths returned (B).
        block_size: documents at a time; does not change the result.
        progress: show a progress bar.

    Returns:
        Paths of shape (n, n_paths, taxonomy.depth); a path's score is the probability of its leaf.

    Raises:
        ValueError: a shape that does not fit, an argument < 1, or a probability outside [0, 1].
    """
    check_shape(probabilities, taxonomy)
    if n_paths < 1 or block_size < 1:
        raise ValueError("n_paths and block_size must be at least 1")
    n, leaves = len(probabilities), taxonomy.leaves
    paths = np.full((n, n_paths, taxonomy.depth), -1, dtype=np.int32)
    scores = np.full((n, n_paths), -np.inf, dtype=np.float32)
    for start, raw in read_blocks(probabilities, block_size, progress):
        block = raw.astype(np.float32)
        best = leaves[find_best(block[:, leaves], min(n_paths, len(leaves)))]
        rows = slice(start, start + len(block))
        paths[rows, : best.shape[1]] = taxonomy.trace_paths(taxonomy.best_parents(block), best)
        scores[rows, : best.shape[1]] = np.take_along_axis(block, best, axis=1)
    return DecodedPaths(paths, scores)


def flat(
    probabilities: AnyArray,
    taxonomy: Taxonomy,
    *,
    max_labels: int = 1,
    threshold: float = CHILD_THRESHOLD,
    block_size: int = 1024,
    progress: bool = False,
) -> DecodedPaths:
    """Return the most probable classes as if there were no hierarchy, to measure what the hierarchy is worth.

    The class at place j (from 1) is taken if j = 1, or if j <= max_labels and its probability is at
    least `threshold` (TELEClass: the best three, a threshold of 0; TaxoClass: a threshold of 0.5). Each
    stands as a path of one node, root or not, so these label sets need not be path-consistent. Ties
    go to the class that comes first.

    Args:
        probabilities: any float dtype, shape (n, C), in [0, 1]; compared with the threshold in that precision.
        taxonomy: of C classes.
        max_labels: classes a document at most (B).
        threshold: of all but the best class.
        block_size: documents at a time; does not change the result.
        progress: show a progress bar.

    Returns:
        Paths of shape (n, max_labels, taxonomy.depth); a path's score is the probability of its class.

    Raises:
        ValueError: a shape that does not fit, an argument out of range, or a probability outside [0, 1].
    """
    check_shape(probabilities, taxonomy)
    if max_labels < 1 or block_size < 1 or not 0 <= threshold <= 1:
        raise ValueError("max_labels and block_size must be at least 1, the threshold in 0..1")
    n = len(probabilities)
    paths = np.full((n, max_labels, taxonomy.depth), -1, dtype=np.int32)
    scores = np.full((n, max_labels), -np.inf, dtype=np.float32)
    for start, block in read_blocks(probabilities, block_size, progress):
        best = find_best(block, min(max_labels, len(taxonomy)))
        values = np.take_along_axis(block, best, axis=1)
        taken = values >= block.dtype.type(threshold)
        taken[:, 0] = True
        rows, places = slice(start, start + len(block)), best.shape[1]
        paths[rows, :places, 0] = np.where(taken, best, -1)
        scores[rows, :places] = np.where(taken, values, -np.inf)
    return DecodedPaths(paths, scores)
