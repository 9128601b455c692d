"""The table that compares variants of the method: scores over seeds, intervals over documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hmltc_kedro.arrays import DoubleArray
from hmltc_kedro.corpus.gold_labels import GoldSets
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.evaluation import diagnostics, intervals, metrics
from hmltc_kedro.evaluation.scores import evaluate_ranking
from hmltc_kedro.taxonomy import Taxonomy

REFERENCE = "final"
"""The variant that the others are compared with."""


SCORES = ["sample_f1", "exact_match", "macro_f1", "precision_at_1", "precision_at_3", "mrr", "path_consistency"]


def score_seeds(
    gold: GoldSets,
    predictions: pd.DataFrame,
    probabilities: TensorTable,
    taxonomy: Taxonomy,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores of a variant: (one row a seed, one row a document).

    Args:
        gold: label sets of the n documents that have gold labels; those without a prediction score 0.
        predictions: columns seed, class_ids; the N documents of one seed, then of the next.
        probabilities: one array of shape (N, C) a seed.
        taxonomy: of C classes.

    Returns:
        seed, n_docs, the columns SCORES (NaN where n = 0) and stability (over all N documents, see
        `diagnostics.measure_stability`); doc_id and sample_f1, its mean over the seeds.
    """
    names = list(probabilities.arrays)
    label_sets = taxonomy.to_matrix(predictions["class_ids"])
    n = len(probabilities)
    stability = diagnostics.measure_stability([label_sets[k * n : (k + 1) * n] for k in range(len(names))])
    records, by_seed = [], []
    for position, name in enumerate(names):
        chosen = gold.fill(label_sets[position * n + gold.rows])
        by_seed.append(metrics.sample_f1_scores(gold.labels, chosen))
        seed = int(name.removeprefix("seed_"))
        measured: dict[str, float] = {"seed": seed, "n_docs": len(gold), "stability": stability[position]}
        if len(gold):
            measured |= {
                "sample_f1": float(by_seed[-1].mean()),
                "exact_match": metrics.exact_match(gold.labels, chosen),
                "macro_f1": metrics.macro_f1(gold.labels, chosen),
                **evaluate_ranking(gold.labels, np.asarray(probabilities[name])[gold.rows], gold.labelled),
                "path_consistency": metrics.path_consistency(chosen, taxonomy),
            }
        records.append(measured)
    documents = pd.Series(gold.doc_ids, dtype="str")
    by_document = pd.DataFrame({"doc_id": documents, "sample_f1": np.mean(by_seed, axis=0)})
    return pd.DataFrame(records, columns=["seed", "n_docs", *SCORES, "stability"]), by_document


def tabulate(
    variants: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    titles: Mapping[str, str],
    sources: Mapping[str, str],
    seed: int,
) -> pd.DataFrame:
    """Return one row a variant: means over seeds, bootstrap intervals over documents.

    Args:
        variants: by name, what `score_seeds` returned, the first with a column `seconds` as well.
        titles: of the rows, by name.
        sources: where a variant comes from, by name.
        seed: of the bootstrap.

    Returns:
        variant, title; the mean of each column of SCORES; sample_f1_std over the seeds (NaN for one); sample_f1_low,
        _high: 95 % interval over documents of the mean over seeds; difference to the variant `final` with its paired
        interval difference_low, _high (NaN for `final` itself); stability, the mean sample-F1 of the label sets
        of two seeds (NaN for one); seconds of training and inference a seed; n_docs; seeds; source.
    """
    rows = []
    for name, (scores, documents) in variants.items():
        row: dict[str, Any] = {
            "variant": name,
            "title": titles[name],
            **dict(zip(SCORES, scores[SCORES].mean(), strict=True)),
        }
        row["sample_f1_std"] = scores["sample_f1"].std()
        f1 = documents["sample_f1"].to_numpy(np.float64)
        low, high = intervals.bootstrap_interval(f1, seed=seed) if len(f1) else (np.nan, np.nan)
        row |= {"sample_f1_low": low, "sample_f1_high": high}
        row |= _compare(f1, variants[REFERENCE][1]["sample_f1"].to_numpy(np.float64), name == REFERENCE, seed)
        row |= {
            "stability": scores["stability"].mean(),
            "seconds": scores["seconds"].mean(),
            "n_docs": int(scores["n_docs"].iloc[0]),
        }
        rows.append(row | {"seeds": [int(s) for s in scores["seed"]], "source": sources[name]})
    columns = ["variant", "title", "sample_f1", "sample_f1_std", "sample_f1_low", "sample_f1_high"]
    columns += ["difference", "difference_low", "difference_high", *SCORES[1:]]
    columns += ["stability", "seconds", "n_docs", "seeds", "source"]
    return pd.DataFrame(rows)[columns]


def _compare(f1: DoubleArray, reference: DoubleArray, same: bool, seed: int) -> dict[str, float]:
    low, high = (np.nan, np.nan) if same or not len(f1) else intervals.paired_bootstrap(f1, reference, seed=seed)
    difference = np.nan if same or not len(f1) else float((f1 - reference).mean())
    return {"difference": difference, "difference_low": low, "difference_high": high}
