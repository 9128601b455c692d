"""Nodes of the stage `train`."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hmltc_kedro.annotation.calibration import calibrate
from hmltc_kedro.annotation.teaching import score_refused, teach_student
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.decoding.decode import DecodingSettings
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.modeling.abstention import write_null_documents
from hmltc_kedro.modeling.student import Student, fit_dense_view
from hmltc_kedro.pipelines.train.params import TrainParams
from hmltc_kedro.pseudo_labels.reliability import average_views
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.lexical_view import LexicalView

logger = logging.getLogger(__name__)


def train_classifier(
    training_examples: pd.DataFrame,
    documents: pd.DataFrame,
    class_embeddings: TensorTable,
    lexical_view: pd.DataFrame,
    view_weights: dict[str, Any],
    taxonomy: Taxonomy,
    encoder: TextEncoder,
    params: TrainParams,
    views: Sequence[str],
    seed: int,
) -> tuple[HierarchicalClassifier, pd.DataFrame]:
    """Train head and encoder on the examples; return the classifier and the training history."""
    from hmltc_kedro.modeling.fitting import train_parts  # torch

    class_embeddings.check_rows(taxonomy.class_ids, "class_embeddings")
    parts, history = train_parts(
        training_examples,
        documents["text"],
        average_views(class_embeddings.select(views)),
        LexicalView.from_frame(lexical_view, taxonomy),
        view_weights["lexical_weight"],
        taxonomy,
        encoder,
        params,
        seed,
    )
    return HierarchicalClassifier(**parts), pd.DataFrame(history)


def train_student(
    annotations: pd.DataFrame,
    documents: pd.DataFrame,
    document_embeddings: TensorTable,
    class_embeddings: TensorTable,
    trained_classifier: HierarchicalClassifier,
    encoder: TextEncoder,
    views: Sequence[str],
    hubness_prior: float,
    seed: int,
) -> tuple[Student, pd.DataFrame, TensorTable]:
    """Teach a student what was said of documents; return it, its out-of-fold scores, what it makes of nonsense."""
    class_embeddings.check_rows(trained_classifier.taxonomy.class_ids, "class_embeddings")
    class_vectors = average_views(class_embeddings.select(views))
    dense = fit_dense_view(document_embeddings["vectors"], class_vectors, hubness_prior)
    student, scores = teach_student(annotations, documents, trained_classifier, dense, encoder, seed)
    taught = trained_classifier.with_parts(student=student)
    nulls = taught.predict_probabilities(write_null_documents(list(documents["text"])), cache=encoder)
    refused = score_refused(annotations, documents, taught, nulls, encoder)
    scores = pd.concat([scores, refused], ignore_index=True)
    rows = [str(number) for number in range(len(nulls))]
    logger.info("The student knows %d annotated documents", len(student))
    return student, scores, TensorTable(rows, {"probabilities": nulls}, columns=taught.taxonomy.class_ids)


def calibrate_decisions(annotation_scores: pd.DataFrame, precision: float | None, seed: int) -> dict[str, Any]:
    """Say what the run is worth by the audit part, and from where on a label set is accepted without review."""
    return calibrate(annotation_scores, precision, seed)


def package_classifier(
    trained_classifier: HierarchicalClassifier,
    student: Student,
    null_probabilities: TensorTable,
    calibration: dict[str, Any],
    decoding: DecodingSettings,
) -> HierarchicalClassifier:
    """Put together what was trained and how it is decoded: the directory that people take elsewhere."""
    return trained_classifier.with_parts(
        student=student,
        nulls=np.asarray(null_probabilities["probabilities"]),
        accept=calibration["accept"],
        decoding=decoding.for_student() if student else decoding,
    )
