"""Nodes of the stage `train`."""

import logging
from typing import TYPE_CHECKING, Any

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
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.features import TextFeatures, read_features
from hmltc_kedro.text.lexical_view import LexicalView

if TYPE_CHECKING:
    from hmltc_kedro.modeling.examples import WeightedMultiLabelDataset

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
    seed: int,
) -> tuple[HierarchicalClassifier, pd.DataFrame]:
    """Train head and encoder on the examples; return the classifier and the training history."""
    from hmltc_kedro.modeling import training  # torch

    class_embeddings.check_rows(taxonomy.class_ids, "class_embeddings")
    lexical = LexicalView.from_frame(lexical_view, taxonomy) if params.head.lexical and len(lexical_view) else None
    model, tuned = encoder.load_model(), params.fine_tuning.epochs > 0
    head, history = training.train_classifier(
        model,
        read_features(list(training_examples["text"]), encoder, lexical, with_windows=tuned),
        _read_labels(training_examples, taxonomy, params),
        np.asarray(class_embeddings["text"]),
        taxonomy,
        params,
        seed,
        lexical=lexical,
        lexical_weight=view_weights["lexical_weight"],
        corpus=_read_corpus(documents, encoder, lexical, params),
    )
    description = {"encoder": encoder.name, "n_examples": len(training_examples), "seed": seed, **params.model_dump()}
    frozen = None if tuned else encoder.fingerprint
    reading: dict[str, Any] = {"max_windows": encoder.max_windows, "backend": encoder.backend, "frozen": frozen}
    classifier = HierarchicalClassifier(model, head, taxonomy, description=description, lexical=lexical, **reading)
    return classifier, pd.DataFrame(history)


def _read_labels(
    training_examples: pd.DataFrame, taxonomy: Taxonomy, params: TrainParams
) -> "WeightedMultiLabelDataset":
    from hmltc_kedro.modeling.examples import WeightedMultiLabelDataset  # torch

    return WeightedMultiLabelDataset(
        taxonomy.to_matrix(training_examples["class_ids"]),
        training_examples["weight"].to_numpy(np.float32),
        taxonomy,
        params.loss.soft_target,
        params.loss.mask,
    )


def _read_corpus(
    documents: pd.DataFrame, encoder: TextEncoder, lexical: LexicalView | None, params: TrainParams
) -> TextFeatures | None:
    """Return the features of the whole corpus if there is self-training, which is on them."""
    if not params.self_training.rounds:
        return None
    return read_features(list(documents["text"]), encoder, lexical, with_windows=params.fine_tuning.epochs > 0)


def train_student(
    annotations: pd.DataFrame,
    documents: pd.DataFrame,
    document_embeddings: TensorTable,
    class_embeddings: TensorTable,
    trained_classifier: HierarchicalClassifier,
    encoder: TextEncoder,
    hubness_prior: float,
    seed: int,
) -> tuple[Student, pd.DataFrame, TensorTable]:
    """Teach a student what was said of documents; return it, its out-of-fold scores, what it makes of nonsense."""
    class_embeddings.check_rows(trained_classifier.taxonomy.class_ids, "class_embeddings")
    dense = fit_dense_view(document_embeddings["vectors"], np.asarray(class_embeddings["text"]), hubness_prior)
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
