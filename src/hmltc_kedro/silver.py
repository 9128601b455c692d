"""Silver labels: which of the candidates a document is trusted with, and which classes they leave starved."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from hmltc_kedro.encoding import FloatArray
from hmltc_kedro.taxonomy import IntArray, Taxonomy

Selection = Literal["threshold", "largest_gap"]
GapMethod = Literal["fixed", "quantile", "level_quantile"]
Rivals = Literal["unrelated", "all"]


def measure_gaps(classes: IntArray, scores: FloatArray, taxonomy: Taxonomy, rivals: Rivals = "unrelated") -> FloatArray:
    """Return the gap s(c1) - s(c2) of eq. 2 for each document, shape (n,), float32.

    c1 is the best candidate. With `rivals` "unrelated", c2 is the best one that is neither an ancestor nor a
    descendant of c1: `dogs` does not contend with `dogs > beds`. Where all K candidates are related, the gap to the
    last one is a lower bound. With "all", c2 is the second best class whatever its place, as the paper has it.

    Args:
        classes: candidate positions of shape (n, K), best first.
        scores: their scores, shape (n, K).
        taxonomy: says what is related.
        rivals: see above.
    """
    if rivals == "all":
        return measure_gaps_after(np.ones(len(scores), dtype=np.int64), scores)
    first = classes[:, [0]]
    related = taxonomy.ancestors[first, classes] | taxonomy.ancestors[classes, first]
    rival = ~related
    rival[:, 0] = False
    position = np.where(rival.any(axis=1), rival.argmax(axis=1), classes.shape[1] - 1)
    second = np.take_along_axis(scores, position[:, None], axis=1)[:, 0]
    return np.asarray(scores[:, 0] - second, dtype=np.float32)


def count_by_largest_gap(scores: FloatArray) -> IntArray:
    """Return how many labels come before the largest of the first three gaps: (n,), 1 to 3.

    With s1 >= s2 >= ... the gaps are s1 - s2, s2 - s3 and s3 - s4; of equal gaps the first counts. With fewer than
    four scores there are fewer gaps; a single score is one label. The rule of TELEClass (Zhang et al., WWW 2025).

    Args:
        scores: shape (n, K), best first; only the first four matter.
    """
    if scores.shape[1] == 1:
        return np.ones(len(scores), dtype=np.int64)
    return np.asarray(1 + (scores[:, :-1] - scores[:, 1:])[:, :3].argmax(axis=1), dtype=np.int64)


def measure_gaps_after(counts: IntArray, scores: FloatArray) -> FloatArray:
    """Return the gap between the last of the first `counts` scores and the next one: (n,), float32; 0 without a next.

    Args:
        counts: labels taken, shape (n,), at least 1.
        scores: shape (n, K), best first.
    """
    last = np.minimum(np.stack([counts - 1, counts], axis=1), scores.shape[1] - 1)
    pair = np.take_along_axis(scores, last, axis=1)
    return np.asarray(pair[:, 0] - pair[:, 1], dtype=np.float32)


def choose_threshold(gaps: FloatArray, levels: IntArray, *, method: GapMethod, value: float) -> FloatArray:
    """Return delta of eq. 2 for each document: (n,), float32. A label is kept if its gap exceeds delta.

    The paper: take c1 if s(c1) - s(c2) > delta, with a "dynamic" delta, and no word on how it is set. Here:

    - `fixed`: delta is `value`, in units of the score. Dynamic in nothing, but comparable between runs.
    - `quantile`: delta is the `value`-quantile of all observed gaps. It follows the scores' scale, and the share of
      labels that is not trusted is known beforehand.
    - `level_quantile`: the same among the documents whose best class lies on the same one of `Taxonomy.levels`:
      deep classes have near neighbours and so small gaps; one delta for all would drop them first.

    The quantile 0 means that every label is trusted: delta is -infinity.

    Args:
        gaps: of n documents.
        levels: level of each document's best class, shape (n,).
        method: see above.
        value: the threshold, or the quantile in [0, 1).
    """
    deltas = np.full(len(gaps), value if method == "fixed" else -np.inf, dtype=np.float32)
    if method == "fixed" or value == 0:
        return deltas
    groups = levels if method == "level_quantile" else np.zeros(len(gaps), dtype=np.int64)
    for group in np.unique(groups):
        members = groups == group
        deltas[members] = np.quantile(gaps[members], value)
    return deltas


def assign_labels(
    candidates: pd.DataFrame,
    taxonomy: Taxonomy,
    *,
    selection: Selection,
    rivals: Rivals,
    gap_method: GapMethod,
    gap_value: float,
) -> pd.DataFrame:
    """Return the silver labels: split, doc_id, class_ids (parents first), confidence (the gap), kept.

    - `threshold` is the paper's eq. 2: the label set is the path to the best candidate, its confidence is the gap
      of `measure_gaps`.
    - `largest_gap` is what the paper's published code does instead: the paths of the candidates before the largest
      of the first three gaps, so one to three labels a document; the confidence is that gap. That code has no
      delta: set `gap_value` to 0 with a quantile.

    In both, a label set is kept if its confidence exceeds delta, see `choose_threshold`.

    Args:
        candidates: columns split, doc_id, rank, class_id, path, score_fused; the same K rows for each document.
        taxonomy: the classes.
        selection: see above.
        rivals: for `threshold`, what the best candidate has to stand out from; see `measure_gaps`.
        gap_method: what delta is.
        gap_value: the threshold or the quantile.
    """
    k = int(candidates["rank"].max())
    best = candidates.iloc[::k].reset_index(drop=True)
    positions = candidates["class_id"].map(taxonomy.index).to_numpy().astype(np.int64).reshape(-1, k)
    scores = candidates["score_fused"].to_numpy(np.float32).reshape(-1, k)
    if selection == "largest_gap":
        counts = count_by_largest_gap(scores)
        gaps = measure_gaps_after(counts, scores)
    else:
        counts = np.ones(len(best), dtype=np.int64)
        gaps = measure_gaps(positions, scores, taxonomy, rivals)
    deltas = choose_threshold(gaps, taxonomy.levels[positions[:, 0]], method=gap_method, value=gap_value)
    return pd.DataFrame(
        {
            "split": best["split"],
            "doc_id": best["doc_id"],
            "class_ids": _join_paths(candidates["path"], counts, k, taxonomy),
            "confidence": gaps,
            "kept": gaps > deltas,
        }
    )


def _join_paths(paths: pd.Series, counts: IntArray, k: int, taxonomy: Taxonomy) -> list[list[str]]:
    """Return the union of each document's first `counts` of its `k` paths, parents before children."""
    chosen = np.flatnonzero(np.arange(k) < counts[:, None])
    nodes = paths.reset_index(drop=True).iloc[chosen].explode()
    where = (nodes.index.to_numpy() // k, nodes.map(taxonomy.index).to_numpy().astype(np.int64))
    values = np.ones(len(nodes), dtype=np.int32)
    labels = sparse.csr_array((values, where), shape=(len(counts), len(taxonomy)))
    labels.sum_duplicates()  # a class on two of the paths
    return taxonomy.to_label_sets(labels)


def measure_agreement(labels: sparse.csr_array, neighbours: sparse.csr_array) -> FloatArray:
    """Return how far a document's labels are those of its neighbours: (n,), float32, 0 to 1.

    The cosine of a document's 0/1 label vector and the mean of its neighbours': 1 where all have the same labels,
    falling with each neighbour that has others.

    Args:
        labels: sparse (N, C).
        neighbours: W of `scoring.average_neighbours`, sparse (N, N).
    """
    own = sparse.csr_array(labels, dtype=np.float32)
    theirs = sparse.csr_array(neighbours @ own)
    common = own.multiply(theirs).sum(axis=1)
    size = np.sqrt(own.multiply(own).sum(axis=1) * theirs.multiply(theirs).sum(axis=1))
    return np.asarray(common / np.maximum(size, 1e-12), dtype=np.float32).ravel().clip(0, 1)


def find_changed_labels(before: pd.DataFrame, after: pd.DataFrame, taxonomy: Taxonomy) -> pd.DataFrame:
    """Return the documents whose silver labels an edit changed: split, doc_id, what was before and is after.

    Columns `path_*` hold the path to the last class, as people read it, `confidence_*` the gaps, `kept_*` whether
    training sees them. A row changed if its label set did, or whether it is kept.

    Args:
        before: silver labels.
        after: those of the same documents in the same order.
        taxonomy: of the classes of both.

    Raises:
        ValueError: the documents differ.
    """
    keys = ["split", "doc_id"]
    if not before[keys].reset_index(drop=True).equals(after[keys].reset_index(drop=True)):
        raise ValueError("the silver labels are not of the same documents")
    sets = abs(taxonomy.to_matrix(before["class_ids"]) - taxonomy.to_matrix(after["class_ids"])).sum(axis=1)
    changed = (np.asarray(sets) > 0) | (before["kept"].to_numpy() != after["kept"].to_numpy())
    columns = {}
    for name, labels in (("before", before), ("after", after)):
        rows = labels[changed]
        columns[f"path_{name}"] = [taxonomy.labels[taxonomy.index[ids[-1]]] for ids in rows["class_ids"]]
        columns[f"confidence_{name}"] = rows["confidence"].tolist()
        columns[f"kept_{name}"] = rows["kept"].tolist()
    found: pd.DataFrame = before.loc[changed, keys].reset_index(drop=True)
    return found.assign(**columns)


def count_silver_labels(labels: pd.DataFrame, taxonomy: Taxonomy) -> npt.NDArray[np.int64]:
    """Return for each class the number of kept documents whose label set contains it, shape (C,)."""
    kept = taxonomy.to_matrix(labels.loc[labels["kept"], "class_ids"])
    return np.asarray(kept.sum(axis=0), dtype=np.int64).ravel()


def summarise_classes(labels: pd.DataFrame, taxonomy: Taxonomy, starved: Collection[str]) -> pd.DataFrame:
    """Return one row a class: class_id, path, level, n_documents, starved, empty, mean_confidence.

    Args:
        labels: silver labels; those kept count, as in `count_silver_labels`.
        taxonomy: the classes.
        starved: ids of the starved classes.

    Returns:
        C rows in the order of the taxonomy; mean_confidence (float64) over the class's documents, NaN without any.
    """
    kept = labels[labels["kept"]]
    counts = count_silver_labels(labels, taxonomy)
    total = taxonomy.to_matrix(kept["class_ids"]).T @ kept["confidence"].to_numpy(np.float64)
    return pd.DataFrame(
        {
            "class_id": pd.Series(taxonomy.class_ids, dtype="str"),
            "path": pd.Series(taxonomy.labels, dtype="str"),
            "level": taxonomy.levels,
            "n_documents": counts,
            "starved": [i in set(starved) for i in taxonomy.class_ids],
            "empty": counts == 0,
            "mean_confidence": np.where(counts > 0, total / np.maximum(counts, 1), np.nan),
        }
    )


def find_starved_classes(
    labels: pd.DataFrame,
    taxonomy: Taxonomy,
    unit: Literal["documents", "share_of_mean"],
    threshold: float,
) -> pd.DataFrame:
    """Return the starved classes: class_id, n_documents, threshold (in documents).

    A class counts every document whose path runs through it, so a root is starved only if all below it is.

    Args:
        labels: silver labels.
        taxonomy: the classes.
        unit: whether `threshold` is a number of documents (the paper: 15) or a share of the mean class size.
        threshold: classes below it are starved.
    """
    counts = count_silver_labels(labels, taxonomy)
    limit = threshold if unit == "documents" else threshold * counts.mean()
    starved = np.flatnonzero(counts < limit)
    return pd.DataFrame(
        {
            "class_id": pd.Series([taxonomy.class_ids[c] for c in starved], dtype="str"),
            "n_documents": counts[starved],
            "threshold": np.full(len(starved), limit, dtype=np.float64),
        }
    )
