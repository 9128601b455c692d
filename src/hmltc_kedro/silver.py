"""Silver labels: which of the candidates a document is trusted with, and which classes they leave starved."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hmltc_kedro.encoding import FloatArray
from hmltc_kedro.taxonomy import IntArray, Taxonomy


def measure_gaps(classes: IntArray, scores: FloatArray, taxonomy: Taxonomy) -> FloatArray:
    """Return the gap s(c1) - s(c2) of each document, shape (n,), float32.

    c1 is the best candidate and c2 the best one that is neither an ancestor nor a descendant of c1: `dogs` does
    not contend with `dogs > beds`. Where all K candidates are related, the gap to the last one is a lower bound.
    Eq. 2 of the paper, whose c2 is the second best class whatever its place in the taxonomy.

    Args:
        classes: candidate positions of shape (n, K), best first.
        scores: their scores, shape (n, K).
        taxonomy: says what is related.
    """
    first = classes[:, [0]]
    related = taxonomy.ancestors[first, classes] | taxonomy.ancestors[classes, first]
    rival = ~related
    rival[:, 0] = False
    position = np.where(rival.any(axis=1), rival.argmax(axis=1), classes.shape[1] - 1)
    second = np.take_along_axis(scores, position[:, None], axis=1)[:, 0]
    return np.asarray(scores[:, 0] - second, dtype=np.float32)


def choose_threshold(gaps: FloatArray, quantile: float) -> float:
    """Return delta of eq. 2: the `quantile` of the observed gaps (the paper calls it "dynamic")."""
    return float(np.quantile(gaps, quantile)) if len(gaps) else 0.0


def assign_labels(candidates: pd.DataFrame, taxonomy: Taxonomy, quantile: float) -> pd.DataFrame:
    """Return the silver labels: split, doc_id, class_ids (root first), confidence (the gap), kept.

    A document's label set is the path to its best candidate; it is kept if the gap exceeds delta (eq. 2).

    Args:
        candidates: columns split, doc_id, rank, class_id, path, score_fused; the same K rows for each document.
        taxonomy: the classes.
        quantile: share of documents whose label is not trusted.
    """
    k = int(candidates["rank"].max())
    best = candidates.iloc[::k].reset_index(drop=True)
    positions = candidates["class_id"].map(taxonomy.index).to_numpy().astype(np.int64).reshape(-1, k)
    scores = candidates["score_fused"].to_numpy(np.float32).reshape(-1, k)
    gaps = measure_gaps(positions, scores, taxonomy)
    return pd.DataFrame(
        {
            "split": best["split"],
            "doc_id": best["doc_id"],
            "class_ids": [list(path) for path in best["path"]],
            "confidence": gaps,
            "kept": gaps > choose_threshold(gaps, quantile) if quantile > 0 else gaps >= 0,
        }
    )


def count_silver_labels(labels: pd.DataFrame, taxonomy: Taxonomy) -> npt.NDArray[np.int64]:
    """Return for each class the number of kept documents whose label set contains it, shape (C,)."""
    kept = taxonomy.to_matrix(labels.loc[labels["kept"], "class_ids"])
    return np.asarray(kept.sum(axis=0), dtype=np.int64).ravel()


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
