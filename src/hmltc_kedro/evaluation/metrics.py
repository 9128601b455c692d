"""Scores of predicted label sets and rankings against gold, and `python -m hmltc_kedro.metrics`.

A label set matrix is a scipy sparse 0/1 matrix of shape (n, C), as `Taxonomy.to_matrix` gives; gold
and predicted rows belong to the same documents in the same order. With G and P the gold and
predicted classes of a document, all scores lie in [0, 1]. Nothing here reads gold labels from the
catalog: that is for `evaluate`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from hmltc_kedro.arrays import AnyArray, DoubleArray, IntArray, find_best
from hmltc_kedro.taxonomy import Taxonomy

BLOCK = 4096
"""Documents ranked at a time: 4,096 x 531 classes keep every temporary under 20 MB."""


def sample_f1_scores(gold: sparse.csr_array, pred: sparse.csr_array) -> DoubleArray:
    """Return the F1 of each document's label set: 2|G n P| / (|G| + |P|), 1.0 where both are empty.

    Its mean is sample-F1 (Example-F1 of the paper, Godbole & Sarawagi 2004).

    Args:
        gold: label sets, shape (n, C).
        pred: label sets, shape (n, C).

    Returns:
        float64 of shape (n,).

    Raises:
        ValueError: the shapes differ.
    """
    gold, pred = _binary_pair(gold, pred)
    return _f1(_sums(gold.multiply(pred), 1), _sums(gold, 1), _sums(pred, 1), empty=1.0)


def exact_match(gold: sparse.csr_array, pred: sparse.csr_array) -> float:
    """Return the share of documents with P = G (subset accuracy).

    Args:
        gold: label sets, shape (n, C), n >= 1.
        pred: label sets, shape (n, C).

    Raises:
        ValueError: the shapes differ or there is no document.
    """
    return average(sample_f1_scores(gold, pred) == 1.0)


def macro_f1(gold: sparse.csr_array, pred: sparse.csr_array) -> float:
    """Return the mean over the classes that occur in gold of 2 tp / (2 tp + fp + fn).

    Classes without a gold document are left out, as in the reference scorer: their F1 would be 0 or
    undefined whatever is predicted. 0.0 if gold has no label at all.

    Args:
        gold: label sets, shape (n, C).
        pred: label sets, shape (n, C).

    Raises:
        ValueError: the shapes differ.
    """
    gold, pred = _binary_pair(gold, pred)
    n_gold = _sums(gold, 0)
    f1 = _f1(_sums(gold.multiply(pred), 0), n_gold, _sums(pred, 0), empty=0.0)
    return average(f1[n_gold > 0]) if n_gold.any() else 0.0


def micro_f1(gold: sparse.csr_array, pred: sparse.csr_array) -> float:
    """Return 2 tp / (2 tp + fp + fn) over all (document, class) pairs; 0.0 if there is no pair.

    Args:
        gold: label sets, shape (n, C).
        pred: label sets, shape (n, C).

    Raises:
        ValueError: the shapes differ.
    """
    gold, pred = _binary_pair(gold, pred)
    return _counts_to_scores(gold.multiply(pred).sum(), gold.sum(), pred.sum())["f1"]


def per_level(gold: sparse.csr_array, pred: sparse.csr_array, taxonomy: Taxonomy) -> dict[int, dict[str, float]]:
    """Return micro precision, recall and F1 over the classes of each level.

    precision = tp / n_pred, recall = tp / n_gold, F1 = 2 tp / (n_gold + n_pred); each 0.0 over 0.

    Args:
        gold: label sets, shape (n, C).
        pred: label sets, shape (n, C).
        taxonomy: of C classes; a class counts at `taxonomy.levels` (1 for roots).

    Returns:
        For each level: precision, recall, f1, and the pairs n_gold and n_pred (int).

    Raises:
        ValueError: the shapes differ, or C is not the number of classes.
    """
    gold, pred = _binary_pair(gold, pred, taxonomy)
    counts = [_sums(m, 0) for m in (gold.multiply(pred), gold, pred)]
    return {
        int(level): _counts_to_scores(*(int(c[taxonomy.levels == level].sum()) for c in counts))
        for level in np.unique(taxonomy.levels)
    }


def path_consistency(pred: sparse.csr_array, taxonomy: Taxonomy) -> float:
    """Return the share of label sets that are unions of root-to-node paths (the empty one is).

    Args:
        pred: label sets, shape (n, C), n >= 1.
        taxonomy: of C classes.

    Raises:
        ValueError: no document, or C is not the number of classes.
    """
    pred, _ = _binary_pair(pred, pred, taxonomy)
    return average(taxonomy.is_path_consistent(pred))


def rank_classes(probabilities: AnyArray, k: int, block_size: int = BLOCK) -> IntArray:
    """Return the positions of the k best classes of each document, best first.

    Ties go to the class that comes first in the taxonomy, so the order is the same on every
    machine.

    Args:
        probabilities: any float dtype, shape (n, C).
        k: classes a document; all C if there are fewer.
        block_size: documents sorted at a time.

    Returns:
        int64 of shape (n, min(k, C)).

    Raises:
        ValueError: k < 1, or a probability is not finite.
    """
    if k < 1:
        raise ValueError(f"k is {k}; rank at least one class")
    n, n_classes = probabilities.shape
    ranking = np.empty((n, min(k, n_classes)), dtype=np.int64)
    for start in range(0, n, block_size):
        block = _read_block(probabilities, start, block_size)
        ranking[start : start + block_size] = find_best(block, min(k, n_classes))
    return ranking


def mean_labels(pred: sparse.csr_array) -> float:
    """Return the mean number of labels a document.

    Args:
        pred: shape (n, C), n >= 1.
    """
    return average(_sums(_binary(pred), 1))


def precision_at_k(gold: sparse.csr_array, ranking: AnyArray, k: int) -> float:
    """Return the mean over documents of |G n top k| / k.

    Args:
        gold: label sets, shape (n, C), n >= 1.
        ranking: class positions of shape (n, K), best first, as `rank_classes` gives, with
            K >= min(k, C).
        k: depth of the ranking to look at; places beyond C count as misses.

    Raises:
        ValueError: k < 1, the ranking is too short or of another n, or there is no document.
    """
    if k < 1 or ranking.shape[1] < min(k, gold.shape[1]):
        raise ValueError(f"precision at {k} needs a ranking of {k} classes, not {ranking.shape[1]}")
    return average(_hits(gold, ranking[:, :k]).sum(axis=1) / k)


def mean_reciprocal_rank(gold: sparse.csr_array, ranking: AnyArray, block_size: int = BLOCK) -> float:
    """Return the mean over documents of 1 / rank of the first gold class (Voorhees 1999, TREC-8).

    A document whose gold classes are none, or not within a ranking cut at K, counts 0.

    Args:
        gold: label sets, shape (n, C), n >= 1.
        ranking: integers of shape (n, K), class positions best first; or floats of shape (n, C),
            the scores, from which ranks follow by the tie rule of `rank_classes` without a sort.
        block_size: documents looked at at a time.

    Raises:
        ValueError: shapes that do not fit, a score that is not finite, or no document.
    """
    if np.issubdtype(ranking.dtype, np.integer):
        hits = _hits(gold, ranking)
        return average(np.where(hits.any(axis=1), 1.0 / (1 + hits.argmax(axis=1)), 0.0))
    if ranking.shape != gold.shape:
        raise ValueError(f"scores of shape {ranking.shape} for gold labels of shape {gold.shape}")
    gold = _binary(gold)
    reciprocal = np.zeros(gold.shape[0])
    for start in range(0, gold.shape[0], block_size):
        scores = _read_block(ranking, start, block_size)
        is_gold = gold[start : start + block_size].toarray() > 0
        best = np.where(is_gold, scores, -np.inf).argmax(axis=1)[:, None]
        value = np.take_along_axis(scores, best, axis=1)
        earlier = np.arange(scores.shape[1]) < best
        above = ((scores > value) | ((scores == value) & earlier)).sum(axis=1)
        reciprocal[start : start + block_size] = is_gold.any(axis=1) / (1.0 + above)
    return average(reciprocal)


def _binary(labels: sparse.csr_array) -> sparse.csr_array:
    """Return a copy as int64 CSR with sorted indices, no stored zero, and ones elsewhere."""
    labels = sparse.csr_array(labels, dtype=np.int64, copy=True)
    labels.sum_duplicates()
    labels.eliminate_zeros()
    labels.data[:] = 1
    return labels


def _binary_pair(
    gold: sparse.csr_array, pred: sparse.csr_array, taxonomy: Taxonomy | None = None
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return both as `binary` after checking that their shapes fit."""
    if gold.shape != pred.shape:
        raise ValueError(f"gold labels have shape {gold.shape}, predicted labels {pred.shape}")
    if taxonomy is not None and gold.shape[1] != len(taxonomy):
        raise ValueError(f"labels of {gold.shape[1]} classes, a taxonomy of {len(taxonomy)}")
    return _binary(gold), _binary(pred)


def _sums(labels: sparse.csr_array, axis: int) -> IntArray:
    return np.asarray(labels.sum(axis=axis), dtype=np.int64).ravel()


def _f1(both: IntArray, n_gold: IntArray, n_pred: IntArray, empty: float) -> DoubleArray:
    """Return 2 |G n P| / (|G| + |P|) element by element, `empty` over 0."""
    total = n_gold + n_pred
    return np.where(total > 0, 2.0 * both / np.maximum(total, 1), empty)


def _counts_to_scores(both: int, n_gold: int, n_pred: int) -> dict[str, float]:
    return {
        "precision": float(both / max(n_pred, 1)),
        "recall": float(both / max(n_gold, 1)),
        "f1": float(2 * both / max(n_gold + n_pred, 1)),
        "n_gold": int(n_gold),
        "n_pred": int(n_pred),
    }


def average(values: AnyArray) -> float:
    """Return the mean over documents.

    Raises:
        ValueError: there is none.
    """
    if not len(values):
        raise ValueError("no documents to average over")
    return float(np.mean(values, dtype=np.float64))


def _read_block(scores: AnyArray, start: int, block_size: int) -> npt.NDArray[np.float32]:
    """Return rows of a (possibly memory-mapped) matrix as float32.

    Raises:
        ValueError: a value is not finite; it has no place in a ranking.
    """
    block = np.asarray(scores[start : start + block_size], dtype=np.float32)
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        raise ValueError(f"row {start + int(finite.argmin())} of the scores holds a value not finite")
    return block


def _hits(gold: sparse.csr_array, ranking: AnyArray) -> npt.NDArray[np.bool_]:
    """Return for each place of a ranking (n, K) whether the class there is gold."""
    if len(ranking) != gold.shape[0]:
        raise ValueError(f"a ranking of {len(ranking)} documents for {gold.shape[0]} gold label sets")
    if ranking.size and not 0 <= ranking.min() <= ranking.max() < gold.shape[1]:
        raise ValueError(f"a ranking with positions outside 0..{gold.shape[1] - 1}")
    gold = _binary(gold)
    width = np.int64(gold.shape[1])
    rows = np.repeat(np.arange(gold.shape[0]), np.diff(gold.indptr))
    # Rows ascend and so do indices within a row: the pairs as numbers are sorted already.
    pairs = np.append(rows * width + gold.indices, np.iinfo(np.int64).max)
    wanted = np.arange(len(ranking))[:, None] * width + ranking
    return np.asarray(pairs[np.searchsorted(pairs, wanted)] == wanted)
