"""What is said of documents: a label set each, and tables of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hmltc_kedro.arrays import AnyArray, split_rows
from hmltc_kedro.corpus.labels import ClassReader
from hmltc_kedro.decoding.paths import DecodedPaths, union_paths
from hmltc_kedro.taxonomy import Taxonomy

ACCEPT, REVIEW = "accept", "review"
"""Decisions on a label set."""

DIGITS = 6
"""Of scores and probabilities in tables."""

BETWEEN = "; "
"""Between the parts of a cell."""


@dataclass(frozen=True)
class Prediction:
    """The label set of one document: a union of root-to-node paths.

    Attributes:
        class_ids: the ids, parents before children.
        names: their names.
        paths: the paths the set is the union of, as ids, best first.
        scores: a score between 0 and 1 for each path.
        probabilities: a probability for each class of `class_ids`, in their order.
        decision: `accept` or `review`, at the precision that the classifier was calibrated to; empty without one.
        fits: False if words in no order would do as well, see `abstention`: the text may be about none of the classes.
    """

    class_ids: list[str]
    names: list[str]
    paths: list[list[str]]
    scores: list[float]
    probabilities: list[float]
    fits: bool
    decision: str


class Predictions(list[Prediction]):
    """The label sets of some documents, in their order.

    Args:
        frame: from `HierarchicalClassifier.predict_frame`.
        taxonomy: the classes.
    """

    def __init__(self, frame: pd.DataFrame, taxonomy: Taxonomy) -> None:
        """Make a `Prediction` of each row."""
        super().__init__(Prediction(*row) for row in frame.itertuples(index=False, name=None))
        self._frame, self._taxonomy = frame, taxonomy

    def to_frame(self) -> pd.DataFrame:
        """Return one row a document, see `write_cells`; those of a Series of texts have its labels."""
        return write_cells(self._frame, self._taxonomy)


def write_cells(frame: pd.DataFrame, taxonomy: Taxonomy) -> pd.DataFrame:
    """Return predictions as people and spreadsheets read them: one row a document, every cell one value.

    Args:
        frame: the fields of `Prediction`, a row a document.
        taxonomy: the classes.

    Returns:
        names, and probabilities, one for each of them; paths, as labels.csv takes them, and scores, one for each;
        fits and decision. Several values of a cell have `; ` between them, in one order.
    """
    reader = ClassReader(taxonomy)
    written: dict[tuple[str, ...], str] = {}

    def write(path: Iterable[str]) -> str:
        ids = tuple(path)
        if ids not in written:
            written[ids] = reader.write([[taxonomy.index[i] for i in ids]])
        return written[ids]

    cells = {
        "names": (BETWEEN.join(names) for names in frame["names"]),
        "probabilities": _join_numbers(frame["probabilities"]),
        "paths": (BETWEEN.join(map(write, paths)) for paths in frame["paths"]),
        "scores": _join_numbers(frame["scores"]),
    }
    table = pd.DataFrame({name: pd.Series(list(cell), dtype="str", index=frame.index) for name, cell in cells.items()})
    return table.assign(fits=frame["fits"], decision=frame["decision"].astype("str"))


def _join_numbers(rows: Iterable[Iterable[float]]) -> Iterator[str]:
    return (BETWEEN.join(f"{number:.3f}" for number in row) for row in rows)


def name_columns(taxonomy: Taxonomy) -> list[str]:
    """Return for each class what no other is called: its name, else its path, else its id."""
    forms = (taxonomy.names, taxonomy.labels, taxonomy.class_ids)
    counts = [Counter(form) for form in forms]
    kinds = zip(*forms, strict=True)
    return [next(name for name, n in zip(kind, counts, strict=True) if n[name] == 1) for kind in kinds]


def predictions_to_frame(decoded: DecodedPaths, probabilities: AnyArray, taxonomy: Taxonomy) -> pd.DataFrame:
    """Return one row a document: class_ids, names, paths (lists of ids), scores (one a path), probabilities.

    Args:
        decoded: paths of n documents.
        probabilities: any float dtype, shape (n, C).
        taxonomy: of C classes.
    """
    ids, names = np.array(taxonomy.class_ids, dtype=object), np.array(taxonomy.names, dtype=object)
    rows, classes, starts = taxonomy.order_labels(union_paths(decoded, taxonomy))
    values = np.asarray(probabilities[rows, classes], dtype=np.float64).round(DIGITS)
    return pd.DataFrame(
        {
            "class_ids": [list(part) for part in split_rows(ids[classes], starts)],
            "names": [list(part) for part in split_rows(names[classes], starts)],
            "paths": [[list(ids[path[path >= 0]]) for path in paths if path[0] >= 0] for paths in decoded.paths],
            "scores": [[round(float(score), DIGITS) for score in row if score > -np.inf] for row in decoded.scores],
            "probabilities": [part.tolist() for part in split_rows(values, starts)],
        }
    )


def decide(
    probabilities: AnyArray,
    label_sets: Iterable[Sequence[str]],
    fits: Iterable[bool],
    taxonomy: Taxonomy,
    accept: float | None,
) -> list[str]:
    """Return `accept` or `review` for each label set, by its expected precision, the mean probability of its classes.

    A document that may be about none of the classes is never accepted: its probabilities say which class is the
    nearest, and not that it is near.

    Args:
        probabilities: of n documents, any float dtype, shape (n, C).
        label_sets: class ids of each.
        fits: of each, see `find_fitting`.
        taxonomy: of C classes.
        accept: expected precision from which on a set is accepted; None decides nothing: n empty texts.
    """
    labels = taxonomy.to_matrix(label_sets)
    if accept is None:
        return [""] * labels.shape[0]
    pairs = labels.tocoo()
    values = np.asarray(probabilities[pairs.row, pairs.col], dtype=np.float64)
    total = np.bincount(pairs.row, weights=values, minlength=labels.shape[0])
    expected = total / np.maximum(np.diff(labels.indptr), 1)
    return [ACCEPT if value >= accept and fit else REVIEW for value, fit in zip(expected, fits, strict=True)]
