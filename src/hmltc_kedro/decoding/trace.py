"""How one document came to its label set, step by step, for people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hmltc_kedro.arrays import AnyArray
from hmltc_kedro.decoding.beam import Search
from hmltc_kedro.decoding.blocks import read_blocks
from hmltc_kedro.decoding.decode import DecodingSettings, choose_thresholds
from hmltc_kedro.decoding.expected_f1 import find_best_parents, rank_classes, trace_upwards
from hmltc_kedro.decoding.paths import DecodedPaths, choose_paths
from hmltc_kedro.taxonomy import Taxonomy

GOES_ON, ENDS_HERE = "goes on", "ends here"


OUTSIDE_BEAM, BELOW_THRESHOLD, OTHER_WAY = "outside the beam", "below the threshold", "a better way leads there"


def trace_document(probabilities: AnyArray, row: int, taxonomy: Taxonomy, settings: DecodingSettings) -> pd.DataFrame:
    """Return what the method of the settings looks at in one document: see `trace_beam` and `trace_expected_f1`.

    Columns of both: length, path, class_id, probability, chosen.

    Args:
        probabilities: of all documents, shape (n, C).
        row: the document.
        taxonomy: of C classes.
        settings: of the method `top_down` or `expected_f1`.

    Raises:
        ValueError: another method, which has no steps.
    """
    if settings.method == "expected_f1":
        return trace_expected_f1(probabilities, row, taxonomy)
    return trace_beam(probabilities, row, taxonomy, settings)


def trace_expected_f1(probabilities: AnyArray, row: int, taxonomy: Taxonomy) -> pd.DataFrame:
    """Return the most probable classes of one document, of which the first so many are its label set.

    Columns: length, path (along the most probable parents, as people read it), class_id (its last), probability (of
    that class), expected_f1 (of the label set that ends with this row; the largest wins) and chosen.

    Args:
        probabilities: of all documents, shape (n, C), bounded, see `bound_by_parents`.
        row: the document.
        taxonomy: of C classes.
    """
    q = np.asarray(probabilities[[row]], dtype=np.float32)
    order, expected = (values[0] for values in rank_classes(q, taxonomy))
    ways = trace_upwards(np.zeros_like(order), order, find_best_parents(q, taxonomy), taxonomy.depth)
    paths = [way[way >= 0].tolist() for way in ways]
    return pd.DataFrame(
        {
            "length": [len(path) for path in paths],
            "path": [" > ".join(map(taxonomy.spoken_name, path)) for path in paths],
            "class_id": [taxonomy.class_ids[c] for c in order],
            "probability": q[0, order].astype(np.float64),
            "expected_f1": expected,
            "chosen": np.arange(len(order)) <= expected.argmax(),
        }
    )


def trace_beam(probabilities: AnyArray, row: int, taxonomy: Taxonomy, settings: DecodingSettings) -> pd.DataFrame:
    """Return every path that the beam search looks at in one document, from the roots down.

    Columns: length, path (as people read it), class_id (its last), probability (of that class), threshold (that
    it has to reach; NaN for a root), score (of the path so far; NaN below the threshold, where there is none),
    outcome and chosen (whether the label set holds the path). The outcomes:

    - `goes on`: the path is in the beam and has a child to enter;
    - `ends here`: it is complete;
    - `a better way leads there`: another path of its length, through another parent, ends in the same class;
    - `outside the beam`: it has a child to enter, but `beam_width` better paths of its length have too;
    - `below the threshold`: it is not entered, from a parent that was.

    Args:
        probabilities: of all documents, shape (n, C); a threshold that is a quantile depends on all of them.
        row: the document.
        taxonomy: of C classes.
        settings: of the method `top_down`.

    Returns:
        Rows by length; of one length the best first, those not entered last.

    Raises:
        ValueError: another method, which has no beam; or as `beam_search`.
    """
    if settings.method != "top_down":
        raise ValueError(f"the method {settings.method!r} has no steps to trace; use top_down or expected_f1")
    thresholds = choose_thresholds(probabilities, taxonomy, settings)
    search = Search(
        taxonomy,
        thresholds.astype(probabilities.dtype),
        beam_width=max(settings.beam_width, settings.max_paths),
        length_power=settings.length_power,
        min_length=settings.min_length,
        max_length=settings.max_length or taxonomy.depth,
    )
    _, block = next(read_blocks(probabilities[[row]], 1, progress=False))
    seen = _list_paths(search, block, taxonomy)
    chosen = _find_chosen(search, block, taxonomy, settings)
    last = np.array([path[-1] for path in seen])
    frame = pd.DataFrame(
        {
            "length": [len(path) for path in seen],
            "path": [" > ".join(map(taxonomy.spoken_name, path)) for path in seen],
            "class_id": [taxonomy.class_ids[c] for c in last],
            "probability": block[0, last].astype(np.float64),
            "threshold": np.where(taxonomy.is_root, np.nan, thresholds)[last].astype(np.float64),
            "score": [score for score, _ in seen.values()],
            "outcome": [outcome for _, outcome in seen.values()],
            "chosen": [path in chosen for path in seen],
        }
    )
    order = ["length", "score", "probability"]
    return frame.sort_values(order, ascending=[True, False, False], kind="stable", ignore_index=True)


def _list_paths(search: Search, block: AnyArray, taxonomy: Taxonomy) -> dict[tuple[int, ...], tuple[float, str]]:
    """Return score and outcome of every path looked at in `block`, which is one document."""
    seen: dict[tuple[int, ...], tuple[float, str]] = {}
    for paths, best, unfinished, kept in search.iterate_steps(block):
        scores = np.exp(search.log_scores(paths)).tolist()
        outcomes = np.select([kept, ~best, ~unfinished], [GOES_ON, OTHER_WAY, ENDS_HERE], OUTSIDE_BEAM).tolist()
        seen |= {tuple(p): (s, o) for p, s, o in zip(paths.nodes.tolist(), scores, outcomes, strict=True)}
    for path, (_, outcome) in list(seen.items()):
        if outcome in (GOES_ON, ENDS_HERE) and len(path) < search.max_length:
            for child in taxonomy.children[path[-1]]:
                seen.setdefault((*path, child), (np.nan, BELOW_THRESHOLD))
    return seen


def _find_chosen(
    search: Search, block: AnyArray, taxonomy: Taxonomy, settings: DecodingSettings
) -> set[tuple[int, ...]]:
    """Return the paths of the label set of `block`, which is one document."""
    paths = np.full((1, search.beam_width, taxonomy.depth), -1, dtype=np.int32)
    scores = np.full((1, search.beam_width), -np.inf, dtype=np.float32)
    search.run(block, paths, scores)
    best = choose_paths(DecodedPaths(paths, scores), max_paths=settings.max_paths, path_ratio=settings.path_ratio)
    return {tuple(path[path >= 0].tolist()) for path in best.paths[0]}
