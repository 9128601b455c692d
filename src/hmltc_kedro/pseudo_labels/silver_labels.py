"""Silver labels: which of its candidates a document is trusted with."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from hmltc_kedro.arrays import FloatArray, IntArray
from hmltc_kedro.pseudo_labels.gaps import (
    GapMethod,
    Rivals,
    Selection,
    choose_threshold,
    count_by_largest_gap,
    measure_gaps,
    measure_gaps_after,
)
from hmltc_kedro.taxonomy import Taxonomy


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
        neighbours: W of `neighbourhood.average_neighbours`, sparse (N, N).
    """
    own = sparse.csr_array(labels, dtype=np.float32)
    theirs = sparse.csr_array(neighbours @ own)
    common = own.multiply(theirs).sum(axis=1)
    size = np.sqrt(own.multiply(own).sum(axis=1) * theirs.multiply(theirs).sum(axis=1))
    return np.asarray(common / np.maximum(size, 1e-12), dtype=np.float32).ravel().clip(0, 1)
