"""All scores of a set of predictions at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from hmltc_kedro.arrays import AnyArray, BoolArray
from hmltc_kedro.evaluation.intervals import bootstrap_interval
from hmltc_kedro.evaluation.metrics import (
    average,
    exact_match,
    macro_f1,
    mean_labels,
    mean_reciprocal_rank,
    micro_f1,
    path_consistency,
    per_level,
    precision_at_k,
    rank_classes,
    sample_f1_scores,
)
from hmltc_kedro.taxonomy import Taxonomy


def evaluate(
    gold: sparse.csr_array,
    pred: sparse.csr_array,
    probabilities: AnyArray,
    taxonomy: Taxonomy,
    seed: int,
    labelled: BoolArray | None = None,
) -> dict[str, Any]:
    """Return every metric of this module in a form `json.dump` takes.

    Args:
        gold: label sets, shape (n, C); n = 0 says that there is no gold, and then `pred` is not
            looked at.
        pred: label sets, shape (n, C).
        probabilities: any float dtype, shape (m, C); the ranking behind precision_at_1, _3 and mrr.
        taxonomy: of C classes.
        seed: of the bootstrap.
        labelled: which m of the n documents were labelled, shape (n,); all by default. The others score 0 by an empty
            label set in `pred` and no ranking.

    Returns:
        n_docs, missing (documents that were not labelled), sample_f1, sample_f1_interval [low, high] at 95 %,
        exact_match, macro_f1, micro_f1, mean_labels (mean |P|), precision_at_1, precision_at_3, mrr, path_consistency,
        loose_gold_sets (that are no unions of paths), per_level (by "1", "2", ...). With n = 0 each value is None,
        per_level {} and n_docs 0.

    Raises:
        ValueError: shapes that do not fit each other or the taxonomy.
    """
    if gold.shape[0] == 0:
        return {
            "n_docs": 0,
            **dict.fromkeys(
                (
                    *("sample_f1", "sample_f1_interval", "exact_match", "macro_f1", "micro_f1"),
                    *("mean_labels", "missing", "precision_at_1", "precision_at_3", "mrr", "path_consistency"),
                    "loose_gold_sets",
                )
            ),
            "per_level": {},
        }
    labelled = np.ones(gold.shape[0], dtype=bool) if labelled is None else labelled
    return {
        **evaluate_sets(gold, pred, seed),
        "missing": int((~labelled).sum()),
        **evaluate_ranking(gold, probabilities, labelled),
        **evaluate_hierarchy(gold, pred, taxonomy),
    }


def evaluate_ranking(gold: sparse.csr_array, probabilities: AnyArray, labelled: BoolArray) -> dict[str, float]:
    """Return the metrics that need a ranking of the classes; see `evaluate`."""
    found, share = gold[labelled], float(labelled.mean())
    if probabilities.shape != found.shape:
        raise ValueError(f"probabilities of shape {probabilities.shape} for gold labels of shape {found.shape}")
    if not share:
        return dict.fromkeys(("precision_at_1", "precision_at_3", "mrr"), 0.0)
    ranking = rank_classes(probabilities, 3)
    return {
        "precision_at_1": precision_at_k(found, ranking, 1) * share,
        "precision_at_3": precision_at_k(found, ranking, 3) * share,
        "mrr": mean_reciprocal_rank(found, probabilities) * share,
    }


def evaluate_sets(gold: sparse.csr_array, pred: sparse.csr_array, seed: int) -> dict[str, Any]:
    """Return the metrics that need label sets alone."""
    scores = sample_f1_scores(gold, pred)
    return {
        "n_docs": len(scores),
        "sample_f1": average(scores),
        "sample_f1_interval": list(bootstrap_interval(scores, seed=seed)),
        "exact_match": exact_match(gold, pred),
        "macro_f1": macro_f1(gold, pred),
        "micro_f1": micro_f1(gold, pred),
        "mean_labels": mean_labels(pred),
    }


def evaluate_hierarchy(gold: sparse.csr_array, pred: sparse.csr_array, taxonomy: Taxonomy) -> dict[str, Any]:
    """Return the metrics that need the taxonomy as well."""
    return {
        "path_consistency": path_consistency(pred, taxonomy),
        "loose_gold_sets": int((~taxonomy.is_path_consistent(gold)).sum()),
        "per_level": {str(k): v for k, v in per_level(gold, pred, taxonomy).items()},
    }
