"""How silver labels are spread over the classes, and which classes they leave starved."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hmltc_kedro.taxonomy import Taxonomy


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
    known = set(starved)
    return pd.DataFrame(
        {
            "class_id": pd.Series(taxonomy.class_ids, dtype="str"),
            "path": pd.Series(taxonomy.labels, dtype="str"),
            "level": taxonomy.levels,
            "n_documents": counts,
            "starved": [i in known for i in taxonomy.class_ids],
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
