"""What the page says of documents: predictions with a search, doubtful ones first, and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hmltc_kedro.corpus.raw_documents import select_split
from hmltc_kedro.evaluation import error_analysis
from hmltc_kedro.report.class_summaries import MAX_PER_CLASS, count_predictions
from hmltc_kedro.report.entries import RunEntries
from hmltc_kedro.report.summaries import read_rows, shorten

MAX_DOCUMENTS = 3000
"""Predictions on the page, those of `MAX_DOUBTFUL` left aside."""


MAX_DOUBTFUL = 200
"""Predictions that are called doubtful: the tenth with the most doubt, at most so many."""


MAX_CASES = 20
"""Wrong and rejected documents that are listed."""


def count_by_expected_f1(documents: pd.DataFrame, n_bins: int = 20) -> tuple[list[str], dict[str, list[int]]]:
    """Return the histogram of expected F1: lower edges of the bins, and the documents in each by their silver label.

    `confirmed` are those predicted to have just their silver label set, `changed` those with another one, `new` those
    without.
    """
    edges = np.linspace(0, 1, n_bins + 1)
    agreement = documents["teacher_agreement"].to_numpy(np.float64)
    expected = documents["expected_f1"].to_numpy(np.float64)
    parts = {"confirmed": agreement == 1, "changed": agreement < 1, "new": np.isnan(agreement)}
    counts = {name: np.histogram(expected[part], edges)[0].tolist() for name, part in parts.items() if part.any()}
    return [f"{edge:.1f}" if k % 2 == 0 else "" for k, edge in enumerate(edges[:-1])], counts


def choose_documents(predictions: pd.DataFrame, documents: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions that the page holds, the most doubtful first: their diagnostics, position, doubtful.

    On the page are the doubtful ones (`MAX_DOUBTFUL`); and of those with the same best class up to `MAX_PER_CLASS`,
    evenly spread over the doubt, with the largest such number for which at most `MAX_DOCUMENTS` are chosen so.

    Args:
        predictions: of all test documents.
        documents: their diagnostics, the most doubtful first.
    """
    order = pd.Index(predictions["doc_id"]).get_indexer(documents["doc_id"])
    best = [paths[0][-1] if len(paths) else "" for paths in predictions["paths"]]
    classes = pd.Series(best, dtype="str").iloc[order].reset_index(drop=True)
    rank, size = classes.groupby(classes).cumcount(), classes.groupby(classes).transform("size")
    sizes = classes.value_counts().to_numpy()
    quota = next((q for q in range(MAX_PER_CLASS, 1, -1) if np.minimum(sizes, q).sum() <= MAX_DOCUMENTS), 1)
    spread = (rank * quota // size) != ((rank - 1) * quota // size)
    spread &= spread.cumsum() <= MAX_DOCUMENTS  # more classes than that
    doubtful = np.arange(len(order)) < min(MAX_DOUBTFUL, -(-len(order) // 10))
    chosen: pd.DataFrame = documents.assign(position=order, doubtful=doubtful)[doubtful | spread.to_numpy()]
    return chosen.reset_index(drop=True)


def pack_documents(run: RunEntries, chosen: pd.DataFrame) -> dict[str, Any]:
    """Return what the page's script searches: names of the classes, and the documents, most doubtful first.

    A document is [id, text, classes, paths, scores, doubtful, expected F1, agreement of the views or None]; a class is
    its position in the taxonomy.
    """
    index = run.taxonomy.index
    rows = run.predictions.iloc[chosen["position"]]
    texts = _find_texts(select_split(run.documents, "test"), rows["doc_id"])
    documents = [
        [
            row["doc_id"],
            shorten(text),
            [index[i] for i in row["class_ids"]],
            [[index[i] for i in path] for path in row["paths"]],
            [round(float(score), 3) for score in row["scores"]],
            int(facts["doubtful"]),
            round(facts["expected_f1"], 3),
            None if np.isnan(facts["view_agreement"]) else round(facts["view_agreement"], 3),
        ]
        for row, text, facts in zip(read_rows(rows), texts, read_rows(chosen), strict=True)
    ]
    names = [run.taxonomy.spoken_name(c) for c in range(len(run.taxonomy))]
    return {"names": names, "documents": documents}


def list_predicted_classes(run: RunEntries) -> list[tuple[int, str, int]]:
    """Return the classes that were predicted, by path: (position, path, documents)."""
    counts, taxonomy = count_predictions(run.predictions), run.taxonomy
    rows = [(taxonomy.index[i], taxonomy.labels[taxonomy.index[i]], n) for i, n in counts.items()]
    return sorted(rows, key=_read_path)


def _read_path(row: tuple[int, str, int]) -> list[str]:
    return row[1].split(" > ")


def _find_texts(documents: pd.DataFrame, doc_ids: pd.Series) -> list[str]:
    """Return texts by id; an empty one for a document that is not there any more."""
    return list(documents.set_index("doc_id")["text"].reindex(list(doc_ids)).fillna(""))


def summarise_errors(case_studies: pd.DataFrame) -> dict[str, list[tuple[str, int, float]]]:
    """Return rows (what, documents, share of the lost sample-F1) by first wrong level and by kind."""
    levels = case_studies["first_wrong_level"].to_numpy(np.int64)
    f1 = case_studies["sample_f1"].to_numpy(np.float64)
    shares = error_analysis.summarise_errors(levels, f1)
    kinds = case_studies["kind"].to_numpy()
    lost = float((1.0 - f1).sum()) or 1.0
    return {
        "levels": [(f"level {k}", int((levels == k).sum()), share) for k, share in shares.items()],
        "kinds": [
            (kind, int((kinds == kind).sum()), float((1.0 - f1)[kinds == kind].sum()) / lost)
            for kind in error_analysis.KINDS
            if kind in kinds
        ],
    }


def list_cases(case_studies: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the `MAX_CASES` worst documents that are not right."""
    wrong = case_studies[case_studies["sample_f1"] < 1].head(MAX_CASES)
    return read_rows(wrong.assign(text=wrong["text"].map(shorten)))
