"""Case studies: for each document, where the search left the right branch and by how much (paper: section 5.4).

A level here is a place on a path: 1 for its root. A document's gold and predicted label sets are unions of
root-to-node paths, and one pair of them is traced, a gold path and a predicted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hmltc_kedro.arrays import IntArray
from hmltc_kedro.evaluation.metrics import sample_f1_scores
from hmltc_kedro.taxonomy import Taxonomy

Path = tuple[int, ...]


RIGHT, WRONG_BRANCH, STOPPED_EARLY, WENT_TOO_FAR, MISSED_PATH, EXTRA_PATH = KINDS = (
    *("right", "wrong branch", "stopped early", "went too far"),
    *("missed path", "extra path"),
)
"""What became of a document: see `compare_paths`."""


COLUMNS = {
    "doc_id": "str",
    "text": "str",
    "kind": "str",
    "first_wrong_level": "int64",
    "margin": "float64",
    "sample_f1": "float64",
    "gold_paths": "object",
    "predicted_paths": "object",
    "gold_steps": "object",
    "predicted_steps": "object",
}


@dataclass(frozen=True, eq=False)
class Traces:
    """The pair of paths traced in each of n documents, and how they compare.

    Attributes:
        gold: number of the gold path among the document's, shape (n,).
        predicted: number of the predicted path, shape (n,).
        kind: one of `KINDS`, shape (n,), object.
        first_wrong_level: the level at which the two part, shape (n,); 0 where nothing is wrong.
    """

    gold: IntArray
    predicted: IntArray
    kind: npt.NDArray[np.object_]
    first_wrong_level: IntArray


def compare_paths(gold: Sequence[Sequence[Path]], predicted: Sequence[Sequence[Path]]) -> Traces:
    """Compare the gold and predicted paths of n documents and choose a pair to trace in each.

    The predicted path is the first (best) one that is not gold, the gold path that one of those not predicted
    which shares the longest beginning with it. Where there is none of one kind, all paths of that kind may stand
    for it. With l_g and l_p the lengths of the pair and k that of their common beginning:

    - `right`: the same paths on both sides;
    - `wrong branch`: k < min(l_g, l_p), both go on, each its own way;
    - `stopped early`: k = l_p < l_g; `went too far`: k = l_g < l_p;
    - `missed path`: every predicted path is gold, but a gold one is not predicted;
    - `extra path`: every gold path is predicted, and another one as well.

    The first wrong level is k + 1.

    Args:
        gold: the paths of each document, as class positions, root first; at least one a document.
        predicted: likewise, best first; no path at all counts as one that stops before its root.

    Raises:
        ValueError: the lengths differ.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"gold paths of {len(gold)} documents, predicted paths of {len(predicted)}")
    g, p = _stack(gold), _stack(predicted)
    width = max(g.nodes.shape[1], p.nodes.shape[1])
    # Every pair of a gold and a predicted path of the same document, by position in the two stacks.
    count = p.count[g.document]
    i = np.repeat(np.arange(len(g.nodes)), count)
    j = np.arange(len(i)) - np.repeat(np.cumsum(count) - count - p.start[g.document], count)
    document = g.document[i]
    left, right = _widen(g.nodes, width)[i], _widen(p.nodes, width)[j]
    shared = ((left == right) & (left >= 0)).cumprod(axis=1).sum(axis=1)
    same = (left == right).all(axis=1)
    missed, wrong = np.ones(len(g.nodes), dtype=bool), np.ones(len(p.nodes), dtype=bool)
    missed[i[same]] = wrong[j[same]] = False
    has_missed = np.bincount(g.document[missed], minlength=len(gold)) > 0
    has_wrong = np.bincount(p.document[wrong], minlength=len(gold)) > 0
    fits = (missed[i] | ~has_missed[document]) & (wrong[j] | ~has_wrong[document])
    # Where a gold path is missed and no predicted one is wrong, the rank of the predicted path says nothing.
    rank = np.where(has_missed[document] & ~has_wrong[document], 0, j)
    order = np.lexsort((i, j, -shared, rank, ~fits, document))
    first = order[np.unique(document[order], return_index=True)[1]]
    i, j, k = i[first], j[first], shared[first]
    length_g, length_p = (g.nodes[i] >= 0).sum(axis=1), (p.nodes[j] >= 0).sum(axis=1)
    kind = np.select(
        [~has_missed & ~has_wrong, ~has_wrong, ~has_missed, k == length_p, k == length_g],
        [RIGHT, MISSED_PATH, EXTRA_PATH, STOPPED_EARLY, WENT_TOO_FAR],
        WRONG_BRANCH,
    ).astype(object)
    return Traces(i - g.start, j - p.start, kind, np.where(kind == RIGHT, 0, k + 1))


def trace_cases(
    documents: pd.DataFrame,
    gold_sets: Sequence[Sequence[str]],
    predictions: pd.DataFrame,
    probabilities: npt.NDArray[Any],
    taxonomy: Taxonomy,
) -> pd.DataFrame:
    """Return one row a document, the worst first: by sample-F1, then by margin.

    Columns: doc_id, text; kind and first_wrong_level (`compare_paths`; `right` and 0 as well where the label sets
    are equal); margin, the probability of the predicted class at the first wrong level minus that of the gold class
    there (NaN where either path has ended; below 0 where the search was led astray by what came after); sample_f1;
    gold_paths and predicted_paths as people read them, the traced one first; gold_steps and predicted_steps, the
    probabilities along the traced ones.

    Args:
        documents: doc_id and text of n documents.
        gold_sets: their gold class ids.
        predictions: class_ids and paths (lists of class ids, best first) of the same documents.
        probabilities: of every class, shape (n, C), any float dtype.
        taxonomy: of C classes.
    """
    index = taxonomy.index
    within = {key: taxonomy.paths_within([index[i] for i in key]) for key in {tuple(s) for s in gold_sets}}
    gold = [within[tuple(s)] for s in gold_sets]
    predicted = [[tuple(index[i] for i in path) for path in paths] for paths in predictions["paths"]]
    traces = compare_paths(gold, predicted)
    f1 = sample_f1_scores(taxonomy.to_matrix(gold_sets), taxonomy.to_matrix(predictions["class_ids"]))
    gold = [_put_first(paths, n) for paths, n in zip(gold, traces.gold, strict=True)]
    predicted = [_put_first(paths, n) for paths, n in zip(predicted, traces.predicted, strict=True)]
    gold_steps = _read_steps(probabilities, gold, taxonomy.depth)
    predicted_steps = _read_steps(probabilities, predicted, taxonomy.depth)
    level = np.where(f1 == 1.0, 0, traces.first_wrong_level)
    fork = np.clip(level - 1, 0, taxonomy.depth - 1)[:, None]
    margin = np.take_along_axis(predicted_steps - gold_steps, fork, axis=1)[:, 0]
    names = {path: " > ".join(map(taxonomy.spoken_name, path)) for paths in (*gold, *predicted) for path in paths}
    cases = pd.DataFrame(
        {
            "doc_id": documents["doc_id"].to_numpy(),
            "text": documents["text"].to_numpy(),
            "kind": np.where(level == 0, RIGHT, traces.kind),
            "first_wrong_level": level,
            "margin": np.where(level == 0, np.nan, margin),
            "sample_f1": f1,
            "gold_paths": pd.Series([[names[p] for p in paths] for paths in gold], dtype=object),
            "predicted_paths": pd.Series([[names[p] for p in paths] for paths in predicted], dtype=object),
            "gold_steps": pd.Series(_drop_padding(gold_steps), dtype=object),
            "predicted_steps": pd.Series(_drop_padding(predicted_steps), dtype=object),
        }
    ).astype(COLUMNS)
    order = np.lexsort((-np.nan_to_num(cases["margin"], nan=-1.0), cases["sample_f1"]))
    return cases.iloc[order].reset_index(drop=True)


def summarise_errors(first_wrong_level: npt.NDArray[Any], sample_f1: npt.NDArray[Any]) -> dict[int, float]:
    """Return the share of the lost sample-F1 by first wrong level: sum of 1 - F1 there / sum of 1 - F1.

    Args:
        first_wrong_level: shape (n,), 0 where nothing is wrong.
        sample_f1: of the same documents, shape (n,).

    Returns:
        By level, rising; the shares add up to 1. Level 0 has a share only if a gold label set leaves out ancestors
        of its own classes. Empty if nothing is lost.
    """
    level = np.asarray(first_wrong_level, dtype=np.int64)
    lost = np.bincount(level, weights=1.0 - np.asarray(sample_f1, dtype=np.float64))
    return {int(k): float(lost[k] / lost.sum()) for k in np.flatnonzero(lost)}


@dataclass(frozen=True, eq=False)
class _Stack:
    """Paths of all documents one below the other: their document, their nodes padded with -1."""

    document: IntArray
    nodes: IntArray
    count: IntArray
    start: IntArray


def _stack(paths: Sequence[Sequence[Path]]) -> _Stack:
    """Stack the paths; a document without any gets an empty one."""
    filled = [own if len(own) else [()] for own in paths]
    count = np.array([len(own) for own in filled], dtype=np.int64)
    nodes = _pad([path for own in filled for path in own])
    return _Stack(np.repeat(np.arange(len(count)), count), nodes, count, np.cumsum(count) - count)


def _pad(paths: Sequence[Path]) -> IntArray:
    """Return paths as one array, padded with -1 at the end."""
    length = np.array([len(path) for path in paths], dtype=np.int64)
    padded = np.full((len(paths), int(length.max(initial=1))), -1, dtype=np.int64)
    padded[np.arange(padded.shape[1]) < length[:, None]] = [c for path in paths for c in path]
    return padded


def _widen(nodes: IntArray, width: int) -> IntArray:
    return np.pad(nodes, ((0, 0), (0, width - nodes.shape[1])), constant_values=-1)


def _put_first(paths: Sequence[Path], n: int) -> list[Path]:
    return [*paths[n : n + 1], *paths[:n], *paths[n + 1 :]]


def _read_steps(
    probabilities: npt.NDArray[Any], paths: Sequence[Sequence[Path]], depth: int
) -> npt.NDArray[np.float64]:
    """Return the probabilities along the first path of each document, (n, depth), NaN after its end."""
    nodes = _widen(_pad([own[0] if own else () for own in paths]), depth)
    steps = np.asarray(probabilities[np.arange(len(nodes))[:, None], np.maximum(nodes, 0)])
    return np.where(nodes >= 0, np.round(steps.astype(np.float64), 4), np.nan)


def _drop_padding(steps: npt.NDArray[np.float64]) -> list[list[float]]:
    return [[value for value in row if value == value] for row in steps.tolist()]
