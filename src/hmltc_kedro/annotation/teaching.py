"""The student taught by annotations, and what it says of each annotated document without having seen what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hmltc_kedro.annotation.rounds import MIN_JUDGED, draw_others, find_rows, read_targets, select_teaching
from hmltc_kedro.arrays import AnyArray, FloatArray
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.decoding.expected_f1 import choose_labels
from hmltc_kedro.evaluation.metrics import sample_f1_scores
from hmltc_kedro.modeling.abstention import find_fitting
from hmltc_kedro.modeling.belief import find_present
from hmltc_kedro.modeling.classifier import HierarchicalClassifier
from hmltc_kedro.modeling.path_ranking import PathTable
from hmltc_kedro.modeling.student import DenseView, Student, fit_student
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.latent_words import LatentWords
from hmltc_kedro.text.lexical_view import LexicalView

if TYPE_CHECKING:
    from hmltc_kedro.text.encoder import TextEncoder

SAID = ["split", "doc_id", "source", "confidence", "reason"]
COLUMNS = [*SAID, "none", "expected_f1", "expected_precision", "f1", "precision"]
"""Of what the student says of annotated documents."""

DECODING = DecodingSettings(method="expected_f1")
"""How the student's label sets are decoded."""


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
        return Student.untaught(taxonomy), _score_nothing()
    rows = find_rows(documents, taught)
    others = draw_others(len(documents), rows, seed)
    both = classifier.gather_evidence(list(documents["text"].iloc[np.append(rows, others)]), encoder)
    judged, rest = both[: len(rows)], both[len(rows) :]  # the rest may be none, of the same width
    labels, trust = read_targets(taught, taxonomy)
    lexical = classifier.lexical or LexicalView.empty(len(taxonomy))
    latent = LatentWords.fit(lexical.represent(list(documents["text"])), seed)
    present = find_present(rest.logits, taxonomy)
    student, unseen = fit_student(judged, labels, trust, rest, present, latent, dense, PathTable.list(taxonomy), seed)
    return student, score_unseen(taught, unseen, taxonomy)


def score_refused(
    annotations: pd.DataFrame,
    documents: pd.DataFrame,
    classifier: HierarchicalClassifier,
    nulls: FloatArray,
    encoder: TextEncoder,
) -> pd.DataFrame:
    """Return one row, with COLUMNS, for each document that no class is right for, as was said of it.

    No student learns from these documents, so that its label sets are of documents it has not seen. Such a set is
    wrong, and precision and f1 are 0; f1 is 1 where the run would say as well that the document may fit no class.

    Args:
        annotations: of people and models.
        documents: split, doc_id, text of the whole corpus.
        classifier: with its student; an untaught one says nothing.
        nulls: probabilities of texts about nothing, see `abstention.find_fitting`.
        encoder: gives the vectors, from its cache where it can.
    """
    refused = annotations[(annotations["class_ids"].map(len) == 0) & (annotations["error"] == "")]
    if not classifier.student or not len(refused):
        return _score_nothing()
    texts = list(documents["text"].iloc[find_rows(documents, refused)])
    probabilities = classifier.predict_probabilities(texts, cache=encoder)
    decoded = decode(probabilities, classifier.taxonomy, DECODING)
    scores = score_unseen(refused, probabilities, classifier.taxonomy)
    return scores.assign(f1=1.0 - find_fitting(decoded, nulls, classifier.taxonomy, DECODING))


def _score_nothing() -> pd.DataFrame:
    kinds = {**dict.fromkeys(COLUMNS, "float64"), **dict.fromkeys(SAID, "str"), "none": "bool"}
    return pd.DataFrame({name: pd.Series([], dtype=kinds[name]) for name in COLUMNS})


def score_unseen(annotations: pd.DataFrame, unseen: AnyArray, taxonomy: Taxonomy) -> pd.DataFrame:
    """Return what the student expects of its label sets out of fold, and what they are worth by the annotations.

    Args:
        annotations: n of them.
        unseen: probabilities by a student that has not seen the annotation, any float dtype, (n, C).
        taxonomy: of C classes.
    """
    given = taxonomy.to_matrix(annotations["class_ids"])
    chosen, expected = choose_labels(unseen, taxonomy)
    sizes = np.maximum(np.asarray(chosen.sum(axis=1)).ravel(), 1)
    scores = {
        "none": annotations["class_ids"].map(len) == 0,
        "expected_f1": expected,
        "expected_precision": np.asarray(chosen.multiply(unseen).sum(axis=1)).ravel() / sizes,
        "f1": sample_f1_scores(given, chosen),
        "precision": np.asarray(chosen.multiply(given).sum(axis=1)).ravel() / sizes,
    }
    return annotations.assign(**scores)[COLUMNS].reset_index(drop=True)
