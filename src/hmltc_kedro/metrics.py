"""Scores of predicted label sets and rankings against gold, and `python -m hmltc_kedro.metrics`.

A label set matrix is a scipy sparse 0/1 matrix of shape (n, C), as `Taxonomy.to_matrix` gives; gold
and predicted rows belong to the same documents in the same order. With G and P the gold and
predicted classes of a document, all scores lie in [0, 1]. Nothing here reads gold labels from the
catalog: that is for `evaluate`.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from hmltc_kedro.errors import InputError
from hmltc_kedro.raw import read_text_table
from hmltc_kedro.taxonomy import Taxonomy

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
AnyArray = npt.NDArray[Any]

BLOCK = 4096
"""Documents ranked at a time: 4,096 x 531 classes keep every temporary under 20 MB."""

CSV_HEADERS = {(a, b) for a in ("id", "doc_id") for b in ("labels", "label")}

MAX_DRAWS = 4_000_000
"""Numbers drawn at a time by the bootstrap (32 MB)."""


# ---------------------------------------------------------------------- label sets


def sample_f1_scores(gold: sparse.csr_array, pred: sparse.csr_array) -> FloatArray:
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
    return _mean(sample_f1_scores(gold, pred) == 1.0)


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
    return _mean(f1[n_gold > 0]) if n_gold.any() else 0.0


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
    return _mean(taxonomy.is_path_consistent(pred))


# ---------------------------------------------------------------------- rankings


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
        # A stable sort of the negated scores leaves equal ones in class order.
        order = np.argsort(-block, axis=1, kind="stable")
        ranking[start : start + block_size] = order[:, :k]
    return ranking


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
    return _mean(_hits(gold, ranking[:, :k]).sum(axis=1) / k)


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
        return _mean(np.where(hits.any(axis=1), 1.0 / (1 + hits.argmax(axis=1)), 0.0))
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
    return _mean(reciprocal)


# ---------------------------------------------------------------------- intervals


def bootstrap_interval(
    scores: AnyArray, n_resamples: int = 2000, *, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean (Efron & Tibshirani 1993, ch. 13).

    Args:
        scores: shape (n,), n >= 1.
        n_resamples: resampled means.
        seed: of the generator; equal seeds give equal intervals.
        level: share of the resampled means inside the interval.

    Returns:
        (low, high), in units of the scores.

    Raises:
        ValueError: no score, a score that is not finite, no resample, or a level outside (0, 1).
    """
    return stratified_bootstrap([scores], n_resamples, seed=seed, level=level)


def stratified_bootstrap(
    strata: Sequence[AnyArray], n_resamples: int = 2000, *, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean over strata of their means.

    Every stratum, such as a dataset, counts alike and is resampled by itself: documents are drawn within a dataset,
    and which datasets there are is no matter of chance.

    Args:
        strata: scores of each, shapes (n_i,), n_i >= 1; at least one stratum.
        n_resamples: resampled means.
        seed: of the generator; equal seeds give equal intervals.
        level: share of the resampled means inside the interval.

    Returns:
        (low, high), in units of the scores.

    Raises:
        ValueError: no stratum, or as `bootstrap_interval`.
    """
    if not len(strata):
        raise ValueError("a bootstrap needs at least one stratum")
    if n_resamples < 1 or not 0 < level < 1:
        raise ValueError(f"a bootstrap of {n_resamples} resamples at level {level}; give >= 1 and 0..1")
    generator = np.random.default_rng(seed)
    means = np.mean([_resample_means(scores, n_resamples, generator) for scores in strata], axis=0)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _resample_means(scores: AnyArray, n_resamples: int, generator: np.random.Generator) -> FloatArray:
    """Return the means of resamples, shape (n_resamples,).

    A resample is n draws with replacement; its mean depends only on how often each distinct value
    was drawn, and these counts are multinomial. Drawing the counts gives the same distribution as
    drawing documents, at a cost of the distinct values (a few dozen for sample-F1) in place of n.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
        raise ValueError("a bootstrap needs a vector of at least one score, all of them finite")
    values, counts = np.unique(scores, return_counts=True)
    step = max(1, MAX_DRAWS // len(values))
    means = np.empty(n_resamples)
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        draws = generator.multinomial(len(scores), counts / len(scores), size=size)
        means[start : start + size] = draws @ values / len(scores)
    return means


def paired_bootstrap(
    a: AnyArray, b: AnyArray, n_resamples: int = 2000, *, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of mean(a) - mean(b), documents resampled in pairs.

    An interval that leaves out 0 says that the systems differ. Arguments as in
    `bootstrap_interval`.

    Args:
        a: scores of one system, shape (n,).
        b: scores of the other on the same documents, shape (n,).
        n_resamples: resampled differences.
        seed: of the generator.
        level: share of the resampled differences inside the interval.

    Returns:
        (low, high), in units of the scores.

    Raises:
        ValueError: the shapes differ, or as `bootstrap_interval`.
    """
    if np.shape(a) != np.shape(b):
        raise ValueError(f"paired scores of shapes {np.shape(a)} and {np.shape(b)}")
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    return bootstrap_interval(difference, n_resamples, seed=seed, level=level)


# ---------------------------------------------------------------------- everything at once


def evaluate(
    gold: sparse.csr_array,
    pred: sparse.csr_array,
    probabilities: AnyArray,
    taxonomy: Taxonomy,
    seed: int,
) -> dict[str, Any]:
    """Return every metric of this module in a form `json.dump` takes.

    Args:
        gold: label sets, shape (n, C); n = 0 says that there is no gold, and then `pred` is not
            looked at.
        pred: label sets, shape (n, C).
        probabilities: any float dtype, shape (n, C); the ranking behind precision_at_1, _3 and mrr.
        taxonomy: of C classes.
        seed: of the bootstrap.

    Returns:
        n_docs, sample_f1, sample_f1_interval [low, high] at 95 %, exact_match, macro_f1, micro_f1,
        mean_labels (mean |P|), precision_at_1, precision_at_3, mrr, path_consistency, per_level (by
        "1", "2", ...). With n = 0 each value is None, per_level {} and n_docs 0.

    Raises:
        ValueError: shapes that do not fit each other or the taxonomy.
    """
    if gold.shape[0] == 0:
        return {
            "n_docs": 0,
            **dict.fromkeys(
                (
                    *("sample_f1", "sample_f1_interval", "exact_match", "macro_f1", "micro_f1"),
                    *("mean_labels", "precision_at_1", "precision_at_3", "mrr", "path_consistency"),
                )
            ),
            "per_level": {},
        }
    if probabilities.shape != gold.shape:
        raise ValueError(f"probabilities of shape {probabilities.shape} for gold labels of shape {gold.shape}")
    ranking = rank_classes(probabilities, 3)
    return {
        **evaluate_sets(gold, pred, seed),
        "precision_at_1": precision_at_k(gold, ranking, 1),
        "precision_at_3": precision_at_k(gold, ranking, 3),
        "mrr": mean_reciprocal_rank(gold, probabilities),
        **_evaluate_hierarchy(gold, pred, taxonomy),
    }


def evaluate_sets(gold: sparse.csr_array, pred: sparse.csr_array, seed: int) -> dict[str, Any]:
    """Return the metrics that need label sets alone."""
    scores = sample_f1_scores(gold, pred)
    return {
        "n_docs": len(scores),
        "sample_f1": _mean(scores),
        "sample_f1_interval": list(bootstrap_interval(scores, seed=seed)),
        "exact_match": exact_match(gold, pred),
        "macro_f1": macro_f1(gold, pred),
        "micro_f1": micro_f1(gold, pred),
        "mean_labels": _mean(_sums(_binary(pred), 1)),
    }


def _evaluate_hierarchy(gold: sparse.csr_array, pred: sparse.csr_array, taxonomy: Taxonomy) -> dict[str, Any]:
    """Return the metrics that need the taxonomy as well."""
    return {
        "path_consistency": path_consistency(pred, taxonomy),
        "per_level": {str(k): v for k, v in per_level(gold, pred, taxonomy).items()},
    }


# ---------------------------------------------------------------------- small parts


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
    """Return both as `_binary` after checking that their shapes fit."""
    if gold.shape != pred.shape:
        raise ValueError(f"gold labels have shape {gold.shape}, predicted labels {pred.shape}")
    if taxonomy is not None and gold.shape[1] != len(taxonomy):
        raise ValueError(f"labels of {gold.shape[1]} classes, a taxonomy of {len(taxonomy)}")
    return _binary(gold), _binary(pred)


def _sums(labels: sparse.csr_array, axis: int) -> IntArray:
    return np.asarray(labels.sum(axis=axis), dtype=np.int64).ravel()


def _f1(both: IntArray, n_gold: IntArray, n_pred: IntArray, empty: float) -> FloatArray:
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


def _mean(values: AnyArray) -> float:
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


# ---------------------------------------------------------------------- from files


def read_label_file(path: Path) -> dict[str, frozenset[str]]:
    """Return {doc_id: class ids} of a label file in either of its two forms.

    - `<doc_id>TAB<id>,<id>,...` lines, as the gold file;
    - CSV with a header `id,labels` (the paper's submission; `doc_id` and `label` are understood as
      well), the labels quoted and separated by commas.

    Blank lines are passed over; a document may have no label.

    Raises:
        InputError: with file and line: the file cannot be read, has no document, neither form, or a
            document twice.
    """
    try:
        with path.open("rb") as handle:
            first = next((line for line in handle if line.strip()), b"")
        rows = _read_tab_rows(path) if b"\t" in first else _read_csv_rows(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a label file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    labels: dict[str, frozenset[str]] = {}
    for line, doc_id, value in rows:
        if not doc_id:
            raise InputError(f"{path}:{line}: no document id; write <doc_id>TAB<id>,<id>,...")
        if doc_id in labels:
            raise InputError(f"{path}:{line}: document {doc_id!r} occurs above; join the lines")
        labels[doc_id] = frozenset(i.strip() for i in value.split(",") if i.strip())
    if not first:
        raise InputError(f"{path}: the file is empty; write <doc_id>TAB<id>,<id>,... lines")
    return labels


def _read_tab_rows(path: Path) -> list[tuple[int, str, str]]:
    """Return (line, key, value) of a `<key>TAB<value>` file; refuse it for its first bad line."""
    rows = read_text_table(path, "\t").rows
    bad = rows[rows["problem"].notna()]
    if len(bad):
        line, problem = int(bad["line"].iloc[0]), bad["problem"].iloc[0]
        more = f" ({len(bad)} lines are wrong)" if len(bad) > 1 else ""
        raise InputError(f"{path}:{line}: {problem}{more}")
    return list(zip(rows["line"].tolist(), rows["key"], rows["value"], strict=True))


def _read_csv_rows(path: Path) -> list[tuple[int, str, str]]:
    """Return (line, id, labels) of a submission file; refuse it for its first bad line."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.reader(handle, strict=True)
        try:
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
        except csv.Error as error:
            raise InputError(f"{path}:{reader.line_num}: {error}; quote the labels") from error
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if not rows:
        return []
    line, header = rows[0]
    if tuple(cell.lower() for cell in header) not in CSV_HEADERS:
        raise InputError(f"{path}:{line}: neither <doc_id>TAB<id>,<id>,... lines nor a CSV headed id,labels")
    for line, cells in rows:
        if len(cells) != 2:
            raise InputError(f"{path}:{line}: {len(cells)} columns, not 2; put a document's labels in quotes")
    return [(line, cells[0], cells[1]) for line, cells in rows[1:]]


def evaluate_files(
    gold_path: Path, pred_path: Path, hierarchy_path: Path | None = None, seed: int = 42
) -> dict[str, Any]:
    """Return the metrics that label files alone give; see `evaluate` for the keys.

    The documents are those of the gold file: others in the prediction are left out, and those
    without a prediction have an empty one and are counted as `missing`. Without a hierarchy there
    is no path_consistency and no per_level.

    Args:
        gold_path: as `read_label_file`.
        pred_path: as `read_label_file`.
        hierarchy_path: `<parent_id>TAB<child_id>` lines; classes that are not there count as roots.
        seed: of the bootstrap.

    Raises:
        InputError: a file that cannot be used, or a gold file without a document.
    """
    gold, pred = read_label_file(gold_path), read_label_file(pred_path)
    if not gold:
        raise InputError(f"{gold_path}: no document; write <doc_id>TAB<id>,<id>,... lines")
    edges = _read_hierarchy(hierarchy_path) if hierarchy_path else []
    label_sets = [pred.get(doc_id, frozenset()) for doc_id in gold]
    taxonomy = _bare_taxonomy([*gold.values(), *label_sets], edges, hierarchy_path)
    gold_matrix, pred_matrix = taxonomy.to_matrix(gold.values()), taxonomy.to_matrix(label_sets)
    return {
        **evaluate_sets(gold_matrix, pred_matrix, seed),
        "missing": sum(doc_id not in pred for doc_id in gold),
        **(_evaluate_hierarchy(gold_matrix, pred_matrix, taxonomy) if hierarchy_path else {}),
    }


def _read_hierarchy(path: Path) -> list[tuple[str, str]]:
    try:
        return [(parent, child) for _, parent, child in _read_tab_rows(path)]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a class hierarchy") from error


def _bare_taxonomy(label_sets: Iterable[Iterable[str]], edges: list[tuple[str, str]], path: Path | None) -> Taxonomy:
    """Return a taxonomy of every class id that occurs; ids stand in for names."""
    ids = {i for labels in label_sets for i in labels} | {i for edge in edges for i in edge}
    if not ids:
        ids = {"none"}  # nothing predicted, nothing gold: still a matrix needs a column
    try:
        return Taxonomy.from_edges([(i, i) for i in sorted(ids)], edges)
    except InputError as error:
        raise InputError(f"{path}: {str(error).splitlines()[0]}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the metrics of two label files as JSON; return 0, or 1 if a file cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m hmltc_kedro.metrics",
        description="Score predicted label sets against gold. "
        "Files: <doc_id>TAB<id>,<id>,... lines, or CSV with the header id,labels.",
    )
    parser.add_argument("gold", type=Path, metavar="GOLD")
    parser.add_argument("pred", type=Path, metavar="PRED")
    parser.add_argument("--hierarchy", type=Path, metavar="H", help="<parent_id>TAB<child_id> lines")
    parser.add_argument("--seed", type=int, default=42, help="of the interval (default 42)")
    options = parser.parse_args(arguments)
    try:
        metrics = evaluate_files(options.gold, options.pred, options.hierarchy, options.seed)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(metrics, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
