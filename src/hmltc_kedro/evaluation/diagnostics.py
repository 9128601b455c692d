"""How far to trust a run, from what is known without a gold label.

None of this is a score. Classifier, silver labels and views all come from the same class names and descriptions: an
error that they share is seen by none of them. `benchmarks/diagnostics.py` measures what each number is worth where
there are gold labels. What a judge said of documents drawn at random is evidence from outside, but a model's word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from hmltc_kedro.arrays import DoubleArray, IntArray
from hmltc_kedro.evaluation.metrics import sample_f1_scores
from hmltc_kedro.taxonomy import Taxonomy

LEXICAL = "score_lexical"
"""The column of the candidates that is no dense view; `score_fused` is no view at all."""

AGAINST = "the judgements of a language model on documents drawn at random, not the truth"
"""What the numbers of a calibration compare with; stands beside them wherever they are read."""


def diagnose_documents(
    predictions: pd.DataFrame,
    probabilities: npt.NDArray[Any],
    candidates: pd.DataFrame,
    silver_labels: pd.DataFrame,
    taxonomy: Taxonomy,
) -> pd.DataFrame:
    """Return one row a document: doc_id, expected_f1, view_agreement, teacher_agreement, doubt; largest doubt first.

    The teacher is what wrote the silver labels, the classifier's only lesson: where the prediction is not the silver
    label, the classifier has overruled it. Documents of equal doubt stay in the order of the predictions.

    Args:
        predictions: columns doc_id and class_ids, n rows.
        probabilities: of the same documents, any float dtype, shape (n, C).
        candidates: columns doc_id, path, score_fused and a score a view; the documents may be others.
        silver_labels: columns doc_id and class_ids, likewise.
        taxonomy: of C classes.

    Returns:
        n rows, float64 but for doc_id. view_agreement and teacher_agreement (sample-F1 of the prediction and the
        silver label set) are NaN for a document without candidates or silver labels.
    """
    predicted = taxonomy.to_matrix(predictions["class_ids"])
    known, silver = _find_silver(predictions["doc_id"], silver_labels, taxonomy)
    teacher_agreement = np.full(len(predictions), np.nan)
    teacher_agreement[known] = sample_f1_scores(silver, predicted[known])
    frame = pd.DataFrame(
        {
            "doc_id": predictions["doc_id"].reset_index(drop=True),
            "expected_f1": estimate_f1(predicted, probabilities),
            "view_agreement": measure_view_agreement(predictions["doc_id"], predicted, candidates, taxonomy),
            "teacher_agreement": teacher_agreement,
        }
    )
    frame["doubt"] = rank_doubt(frame)
    return frame.sort_values("doubt", ascending=False, kind="stable", ignore_index=True)


def estimate_f1(predicted: sparse.csr_array, probabilities: npt.NDArray[Any]) -> DoubleArray:
    """Return the sample-F1 that the classifier expects of each label set P: the mean of p_c over c in P, shape (n,).

    The expectation of 2|G n P| / (|G| + |P|) over gold sets G as large as P. It assumes that p_c is the probability
    that c is right, which is the classifier's own opinion, learned from silver labels and not calibrated: take it for
    an order of the documents and not for a level.

    The plug-in estimate 2 sum_P p / (|P| + sum_C p) needs no guess at |G|. But it adds up what a sigmoid leaves to
    every class that is out of the question, and so falls as the taxonomy grows, whatever the label set is worth.

    Args:
        predicted: label sets, shape (n, C); an empty one is expected to be wrong, 0.
        probabilities: any float dtype, shape (n, C); may be a memory map, of which only predicted classes are read.
    """
    pairs = predicted.tocoo()
    values = np.asarray(probabilities[pairs.row, pairs.col], dtype=np.float64)
    size = np.bincount(pairs.row, minlength=predicted.shape[0])
    return np.bincount(pairs.row, weights=values, minlength=predicted.shape[0]) / np.maximum(size, 1)


def measure_view_agreement(
    doc_ids: pd.Series, predicted: sparse.csr_array, candidates: pd.DataFrame, taxonomy: Taxonomy
) -> DoubleArray:
    """Return how far the views, each on its own, agree with each prediction: (n,), 0 to 1.

    The mean over the views of the sample-F1 of the predicted label set and the path to the view's best candidate. The
    views are the mean of the dense scores, and the lexical one; a lexical view that shares no word with any candidate
    has nothing to say and does not count. NaN for a document without candidates.

    Args:
        doc_ids: of the n documents.
        predicted: their label sets, shape (n, C).
        candidates: columns doc_id, path and the scores of the views; of equal scores the first row counts.
        taxonomy: of C classes.
    """
    scores = candidates.filter(regex=r"^score_(?!fused$)")
    dense = scores.columns.difference([LEXICAL])
    views = [scores[dense].mean(axis=1)] if len(dense) else []
    views += [scores[LEXICAL].where(scores[LEXICAL] > 0)] if LEXICAL in scores else []
    agreement = [_compare_view(view, doc_ids, predicted, candidates, taxonomy) for view in views]
    return pd.DataFrame(dict(enumerate(agreement)), index=range(len(doc_ids))).mean(axis=1).to_numpy(np.float64)


def _compare_view(
    view: pd.Series, doc_ids: pd.Series, predicted: sparse.csr_array, candidates: pd.DataFrame, taxonomy: Taxonomy
) -> DoubleArray:
    """Return the sample-F1 of each prediction and the path to the candidate that one view likes best, NaN for none."""
    said = view.notna()
    best = view[said].groupby(candidates.loc[said, "doc_id"], sort=False).idxmax()
    rows = best.reindex(doc_ids)
    known = rows.notna().to_numpy()
    paths = candidates["path"].loc[rows[known].astype(np.int64)]
    agreement = np.full(len(doc_ids), np.nan)
    agreement[known] = sample_f1_scores(taxonomy.to_matrix(paths), predicted[np.flatnonzero(known)])
    return agreement


def rank_doubt(diagnostics: pd.DataFrame) -> pd.Series:
    """Return the doubt in each document: the mean of its ranks by expected_f1 and by view_agreement, 0 to 1.

    A rank is a share of the n documents, 1 for the lowest value, and equal values share the mean of their ranks. A
    value that is missing is left out of the mean. The agreement with the teacher has no say: on data with gold labels
    it made the order worse (a prediction that overrules the silver label is as often a correction as an error).

    Args:
        diagnostics: columns expected_f1 and view_agreement, n rows.
    """
    ranks = diagnostics[["expected_f1", "view_agreement"]].rank(ascending=False, pct=True)
    return ranks.mean(axis=1)


def _find_silver(
    doc_ids: pd.Series, silver_labels: pd.DataFrame, taxonomy: Taxonomy
) -> tuple[IntArray, sparse.csr_array]:
    """Return which of the documents have a silver label set, and these sets."""
    position = pd.Index(silver_labels["doc_id"]).get_indexer(doc_ids)
    known = np.flatnonzero(position >= 0)
    return known, taxonomy.to_matrix(silver_labels["class_ids"].iloc[position[known]])


def diagnose_classes(
    predictions: pd.DataFrame, silver_labels: pd.DataFrame, documents: pd.DataFrame, taxonomy: Taxonomy
) -> pd.DataFrame:
    """Return one row a class: what the silver labels gave it, what the classifier made of it, and where that came from.

    One class takes a document from another if the document's silver label set has the other and not the one, its
    prediction the one and not the other, both lie on one of `Taxonomy.levels`, and neither is above the other.

    Args:
        predictions: columns doc_id and class_ids, n rows.
        silver_labels: columns doc_id and class_ids, of documents that may be fewer, or others.
        documents: columns doc_id and expected_f1, of the n documents in any order.
        taxonomy: of C classes.

    Returns:
        C rows: class_id, path, level; n_silver and n_predicted (documents, int64); expected_f1 (mean over the documents
        predicted to have it, NaN without one); n_taken (documents that it took, counted once for each class that lost
        them); taken_from, n_taken_from (the class that it took most from, and how many), lost_to, n_lost_to (the class
        that took most from it; "" and 0 for none).
    """
    known, silver = _find_silver(predictions["doc_id"], silver_labels, taxonomy)
    predicted = taxonomy.to_matrix(predictions["class_ids"])
    n_predicted, n_silver = (np.asarray(m.sum(axis=0), dtype=np.int64).ravel() for m in (predicted, silver))
    expected = documents.set_index("doc_id")["expected_f1"].loc[predictions["doc_id"]].to_numpy()
    taken = count_taken(silver, predicted[known], taxonomy)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (predicted.T @ expected) / n_predicted
    ids = pd.Series([*taxonomy.class_ids, ""], dtype="str")
    columns: dict[str, Any] = {
        "class_id": ids.iloc[:-1],
        "path": pd.Series(taxonomy.labels, dtype="str"),
        "level": taxonomy.levels,
        "n_silver": n_silver,
        "n_predicted": n_predicted,
        "expected_f1": np.where(n_predicted > 0, mean, np.nan),
        "n_taken": np.asarray(taken.sum(axis=0), dtype=np.int64).ravel(),
    }
    for name, counts in (("taken_from", taken.T), ("lost_to", taken)):
        other, number = _find_largest(counts)
        columns |= {name: ids.iloc[other].reset_index(drop=True), f"n_{name}": number}
    return pd.DataFrame(columns)


def count_taken(silver: sparse.csr_array, predicted: sparse.csr_array, taxonomy: Taxonomy) -> sparse.csr_array:
    """Return how many documents class j (column) took from class i (row), as in `diagnose_classes`: (C, C), int64."""
    both = silver.multiply(predicted)
    taken = sparse.coo_array((silver - both).T @ (predicted - both))
    i, j = taken.row, taken.col
    rivals = (taxonomy.levels[i] == taxonomy.levels[j]) & ~taxonomy.is_above(i, j) & ~taxonomy.is_above(j, i)
    kept = rivals & (taken.data > 0)
    return sparse.csr_array((taken.data[kept].astype(np.int64), (i[kept], j[kept])), shape=taken.shape)


def _find_largest(counts: sparse.csr_array) -> tuple[IntArray, IntArray]:
    """Return the column of the largest count of each row, the first of equals and -1 without one, and that count."""
    pairs = sparse.coo_array(counts)
    order = np.lexsort((pairs.col, -pairs.data, pairs.row))
    rows, first = np.unique(pairs.row[order], return_index=True)
    column, number = np.full(counts.shape[0], -1, dtype=np.int64), np.zeros(counts.shape[0], dtype=np.int64)
    column[rows], number[rows] = pairs.col[order][first], pairs.data[order][first]
    return column, number


def diagnose_run(
    documents: pd.DataFrame,
    predictions: pd.DataFrame,
    silver_labels: pd.DataFrame,
    calibration: Mapping[str, Any],
    taxonomy: Taxonomy,
) -> dict[str, Any]:
    """Return the numbers of the whole run in a form `json.dump` takes.

    Args:
        documents: of `diagnose_documents`.
        predictions: columns class_ids and paths.
        silver_labels: column class_ids, of the documents that are compared.
        calibration: see `annotation.calibration`; empty where nothing was judged.
        taxonomy: the classes.

    Returns:
        n_docs; n_compared, those with a silver label; the means expected_f1, view_agreement and teacher_agreement, None
        without a value; fits_none, the share of documents that may fit no class; several_paths, the share predicted
        with more than one; effective_classes of the predictions and effective_silver_classes, see
        `count_effective_classes`; never_predicted, classes. Then what `describe_calibration` returns.
    """
    means = documents[["expected_f1", "view_agreement", "teacher_agreement"]].mean()
    predicted = taxonomy.to_matrix(predictions["class_ids"])
    return {
        "n_docs": len(documents),
        "n_compared": int(documents["teacher_agreement"].notna().sum()),
        **{str(name): None if np.isnan(value) else float(value) for name, value in means.items()},
        "fits_none": float((~predictions["fits"].astype(bool)).mean()) if len(predictions) else None,
        "several_paths": float((predictions["paths"].map(len) > 1).mean()) if len(predictions) else None,
        "effective_classes": count_effective_classes(predicted, taxonomy),
        "effective_silver_classes": count_effective_classes(taxonomy.to_matrix(silver_labels["class_ids"]), taxonomy),
        "never_predicted": int((np.asarray(predicted.sum(axis=0)).ravel() == 0).sum()),
        **describe_calibration(calibration),
    }


def describe_calibration(calibration: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a judge's word on the audit part says of the run, with names that say whose word it is.

    Args:
        calibration: see `annotation.calibration`; empty where nothing was judged.

    Returns:
        n_audit, judged documents drawn at random; judge_agreement, judge_agreement_interval; wished_precision,
        share_accepted, accepted_precision, accepted_precision_interval; None where it is not known. measured_against
        says in words what they compare with, None if there is nothing to compare with.
    """
    names = {
        "judge_agreement": "agreement",
        "judge_agreement_interval": "agreement_interval",
        "wished_precision": "wished_precision",
        "share_accepted": "share_accepted",
        "accepted_precision": "precision",
        "accepted_precision_interval": "precision_interval",
    }
    known: dict[str, Any] = {name: calibration.get(key) for name, key in names.items()}
    said = known["judge_agreement"] is not None
    return {"n_audit": calibration.get("n_audit", 0), **known, "measured_against": AGAINST if said else None}


def count_effective_classes(labels: sparse.csr_array, taxonomy: Taxonomy) -> float:
    """Return exp(entropy) of the most specific classes: so many equally large ones would be as diverse (Hill 1973).

    Args:
        labels: label sets, shape (n, C); 0 if there is no label.
        taxonomy: of C classes.
    """
    counts = np.asarray(taxonomy.most_specific(labels).sum(axis=0), dtype=np.float64).ravel()
    shares = counts[counts > 0] / max(counts.sum(), 1.0)
    return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0


def measure_stability(label_sets: list[sparse.csr_array]) -> DoubleArray:
    """Return for each training its mean sample-F1 with the label sets of each other one, NaN for a single one.

    The mean over the trainings is the mean over all pairs: what is left to chance when nothing but the seed differs.
    High stability says nothing of the errors that all trainings make.

    Args:
        label_sets: of the same documents, one matrix of shape (n, C) a training.
    """
    n = len(label_sets)
    if n < 2 or not label_sets[0].shape[0]:
        return np.full(n, np.nan)
    pairs = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1, n):
            pairs[i, j] = pairs[j, i] = sample_f1_scores(label_sets[i], label_sets[j]).mean()
    return np.asarray(pairs.sum(axis=1) / (n - 1), dtype=np.float64)
