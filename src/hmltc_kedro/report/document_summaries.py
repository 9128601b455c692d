"""What the page says of documents: predictions with a search, doubtful ones first, and errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hmltc_kedro.annotation.pins import MODEL
from hmltc_kedro.corpus.raw_documents import select_split
from hmltc_kedro.evaluation import error_analysis
from hmltc_kedro.modeling.predictions import REVIEW
from hmltc_kedro.report.class_summaries import MAX_PER_CLASS, count_predictions
from hmltc_kedro.report.entries import RunEntries
from hmltc_kedro.report.summaries import read_rows, shorten
from hmltc_kedro.report.worth import name_source
from hmltc_kedro.taxonomy import Taxonomy

MAX_CHARACTERS = 5_000_000
"""Of all texts on the page together: it is to open on a phone, too."""


MAX_WHOLE = 10_000
"""Test documents that are all on the page, if their texts are not too long; of more there is a sample."""


MAX_DOCUMENTS = 3000
"""Predictions in the sample, those of `MAX_DOUBTFUL` left aside."""


MAX_DOUBTFUL = 200
"""Predictions that are called doubtful: the tenth with the most doubt, at most so many."""


MAX_CASES = 20
"""Wrong and rejected documents that are listed."""


RUNNERS_UP = 4
"""Candidates shown beside a label set."""


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


def choose_documents(predictions: pd.DataFrame, documents: pd.DataFrame, characters: int) -> pd.DataFrame:
    """Return the predictions that the page holds, the most doubtful first: their diagnostics, position, doubtful.

    On the page are all, if they are no more than `MAX_WHOLE` and `MAX_CHARACTERS`. Otherwise the doubtful ones
    (`MAX_DOUBTFUL`); and of those with the same best class up to `MAX_PER_CLASS`, evenly spread over the doubt, with
    the largest such number for which at most `MAX_DOCUMENTS` are chosen so. A label set that a person or a judge gave
    stands whatever the classifier makes of the document: unless it is to be reviewed it is not called doubtful and
    comes last.

    Args:
        predictions: of all test documents.
        documents: their diagnostics, the most doubtful first.
        characters: of their texts.
    """
    given = predictions.loc[(predictions["source"] != MODEL) & (predictions["decision"] != REVIEW), "doc_id"]
    settled = documents["doc_id"].isin(given)
    documents = pd.concat([documents[~settled], documents[settled]], ignore_index=True)
    order = pd.Index(predictions["doc_id"]).get_indexer(documents["doc_id"])
    best = [paths[0][-1] if len(paths) else "" for paths in predictions["paths"]]
    classes = pd.Series(best, dtype="str").iloc[order].reset_index(drop=True)
    rank, size = classes.groupby(classes).cumcount(), classes.groupby(classes).transform("size")
    sizes = classes.value_counts().to_numpy()
    quota = next((q for q in range(MAX_PER_CLASS, 1, -1) if np.minimum(sizes, q).sum() <= MAX_DOCUMENTS), 1)
    spread = (rank * quota // size) != ((rank - 1) * quota // size)
    spread &= spread.cumsum() <= MAX_DOCUMENTS  # more classes than that
    doubtful = np.arange(len(order)) < min(MAX_DOUBTFUL, -(-len(order) // 10), int((~settled).sum()))
    whole = len(order) <= MAX_WHOLE and characters <= MAX_CHARACTERS
    chosen: pd.DataFrame = documents.assign(position=order, doubtful=doubtful)[whole | doubtful | spread.to_numpy()]
    return chosen.reset_index(drop=True)


def count_characters(documents: pd.DataFrame) -> int:
    """Return the length of the texts of all test documents."""
    return int(documents.loc[documents["split"] == "test", "text"].str.len().sum())


def find_longest(lengths: Sequence[int], characters: int) -> int:
    """Return after how many characters texts are cut so that they have at most `characters` together.

    The longest are cut and the others left whole; the length of the longest if all of them fit.

    Args:
        lengths: of n texts.
        characters: on the page.
    """
    longest = max(lengths, default=0)
    left = characters
    for k, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - k)
        if length > share:
            return share
        left -= length
    return longest


def pack_documents(run: RunEntries, chosen: pd.DataFrame) -> dict[str, Any]:
    """Return what the page's script searches: names of the classes, and the documents, most doubtful first.

    A document is [id, text, classes, paths, scores, doubtful, expected F1, agreement of the views or None, decision,
    who gave the label set, whether it may fit no class, runners-up as pairs of path and score]; a class is its position
    in the taxonomy. `longest` is after how many characters texts are cut, None if all are whole.
    """
    index = run.taxonomy.index
    rows = run.predictions.iloc[chosen["position"]]
    texts = _find_texts(select_split(run.documents, "test"), rows["doc_id"])
    longest = find_longest([len(text) for text in texts], MAX_CHARACTERS)
    runners = find_runners_up(rows, select_split(run.candidate_scores, "test"), run.taxonomy)
    documents = [
        [
            row["doc_id"],
            text if len(text) <= longest else text[:longest] + "…",
            [index[i] for i in row["class_ids"]],
            [[index[i] for i in path] for path in row["paths"]],
            [round(float(score), 3) for score in row["scores"]],
            int(facts["doubtful"]),
            round(facts["expected_f1"], 3),
            None if np.isnan(facts["view_agreement"]) else round(facts["view_agreement"], 3),
            row["decision"],
            name_source(row["source"]),
            int(not row["fits"]),
            others,
        ]
        for row, text, facts, others in zip(read_rows(rows), texts, read_rows(chosen), runners, strict=True)
    ]
    names = [run.taxonomy.spoken_name(c) for c in range(len(run.taxonomy))]
    cut = longest if any(len(text) > longest for text in texts) else None
    return {"names": names, "documents": documents, "longest": cut}


def find_runners_up(
    predictions: pd.DataFrame, candidates: pd.DataFrame, taxonomy: Taxonomy
) -> list[list[tuple[list[int], float]]]:
    """Return for each prediction the best candidates that it lacks, at most `RUNNERS_UP`: their path and fused score.

    A path that lies in the label set is none, nor one that a better runner-up already passes through.

    Args:
        predictions: columns doc_id and class_ids.
        candidates: columns doc_id, path and score_fused, best first, of documents that may be others.
        taxonomy: that the classes are of.
    """
    wanted = candidates[candidates["doc_id"].isin(set(predictions["doc_id"]))]
    offers: dict[str, list[tuple[list[int], float]]] = {}
    for doc_id, path, score in zip(wanted["doc_id"], wanted["path"], wanted["score_fused"], strict=True):
        offers.setdefault(doc_id, []).append(([taxonomy.index[i] for i in path], round(float(score), 3)))
    return [
        _choose_runners_up(offers.get(doc_id, []), {taxonomy.index[i] for i in class_ids})
        for doc_id, class_ids in zip(predictions["doc_id"], predictions["class_ids"], strict=True)
    ]


def _choose_runners_up(offers: list[tuple[list[int], float]], seen: set[int]) -> list[tuple[list[int], float]]:
    chosen: list[tuple[list[int], float]] = []
    for path, score in offers:
        if len(chosen) < RUNNERS_UP and not seen.issuperset(path):
            chosen.append((path, score))
            seen = seen.union(path)
    return chosen


def list_sources(predictions: pd.DataFrame) -> list[tuple[str, int]]:
    """Return who gave label sets, as people read it, and to how many documents, the most first."""
    return [(name_source(str(source)), int(n)) for source, n in predictions["source"].value_counts().items()]


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
