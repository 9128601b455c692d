"""The student taught by annotations, and what it says of each annotated document without having seen what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hmltc_kedro.annotation.rounds import MIN_JUDGED, draw_others, find_rows, read_targets, select_teaching
from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.decoding.expected_f1 import choose_labels
from hmltc_kedro.decoding.paths import union_paths
from hmltc_kedro.evaluation.metrics import sample_f1_scores
from hmltc_kedro.modeling.classifier import HierarchicalClassifier, squash
from hmltc_kedro.modeling.path_ranking import PathTable
from hmltc_kedro.modeling.student import DenseView, LatentWords, Student, fit_student
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.lexical_view import LexicalView

if TYPE_CHECKING:
    from hmltc_kedro.text.encoder import TextEncoder

PRESENT = DecodingSettings.model_validate({"child_threshold": 0.2, "max_paths": 3, "path_ratio": 0.8})
"""How the label sets are decoded that speak for the classifier; a constant, so that no setting of decoding trains."""

SAID = ["split", "doc_id", "source", "confidence", "reason"]
COLUMNS = [*SAID, "expected_f1", "expected_precision", "f1", "precision"]
"""Of what the student says of annotated documents."""


def teach_student(
    annotations: pd.DataFrame,
    documents: pd.DataFrame,
    classifier: HierarchicalClassifier,
    dense: DenseView,
    encoder: TextEncoder,
    seed: int,
) -> tuple[Student, pd.DataFrame]:
    """Return the student, untaught where too little was said, and one row an annotated document with COLUMNS.

    Args:
        annotations: of people and models.
        documents: split, doc_id, text of the whole corpus.
        classifier: that saw silver labels alone.
        dense: the view of the class texts.
        encoder: gives the vectors, from its cache where it can.
        seed: of draws and folds.
    """
    taxonomy, taught = classifier.taxonomy, select_teaching(annotations)
    if len(taught) < MIN_JUDGED:
        nothing = {name: pd.Series([], dtype="str" if name in SAID else "float64") for name in COLUMNS}
        return Student.untaught(taxonomy), pd.DataFrame(nothing)
    rows = find_rows(documents, taught)
    others = draw_others(len(documents), rows, seed)
    both = classifier.gather_evidence(list(documents["text"].iloc[np.append(rows, others)]), encoder)
    judged, rest = both[: len(rows)], both[len(rows) :]  # the rest may be none, of the same width
    present = union_paths(decode(squash(rest.logits), taxonomy, PRESENT), taxonomy)
    labels, trust = read_targets(taught, taxonomy)
    lexical = classifier.lexical or LexicalView.empty(len(taxonomy))
    latent = LatentWords.fit(lexical.represent(list(documents["text"])), seed)
    student, unseen = fit_student(judged, labels, trust, rest, present, latent, dense, PathTable.list(taxonomy), seed)
    return student, score_unseen(taught, unseen, taxonomy)


def score_unseen(taught: pd.DataFrame, unseen: FloatArray, taxonomy: Taxonomy) -> pd.DataFrame:
    """Return what the student expects of its label sets out of fold, and what they are worth by the annotations.

    Args:
        taught: n annotations.
        unseen: probabilities out of fold, (n, C).
        taxonomy: of C classes.
    """
    given = taxonomy.to_matrix(taught["class_ids"])
    chosen, expected = choose_labels(unseen, taxonomy)
    sizes = np.maximum(np.asarray(chosen.sum(axis=1)).ravel(), 1)
    scores = {
        "expected_f1": expected,
        "expected_precision": np.asarray(chosen.multiply(unseen).sum(axis=1)).ravel() / sizes,
        "f1": sample_f1_scores(given, chosen),
        "precision": np.asarray(chosen.multiply(given).sum(axis=1)).ravel() / sizes,
    }
    return taught.assign(**scores)[COLUMNS]
