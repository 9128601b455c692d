"""Nodes of the stage `train`."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.decoding.decode import DecodingSettings
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.modeling.abstention import write_null_documents
from hmltc_kedro.pipelines.train.params import TrainParams
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.features import TextFeatures, read_features
from hmltc_kedro.text.lexical_view import LexicalView

if TYPE_CHECKING:
    from hmltc_kedro.modeling.examples import WeightedMultiLabelDataset


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
) -> tuple[HierarchicalClassifier, pd.DataFrame, TensorTable]:
    """Train head and encoder on the examples; return classifier, history, probabilities of texts about nothing."""
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
    classifier = HierarchicalClassifier(
        model, head, taxonomy, description=description, lexical=lexical, max_windows=encoder.max_windows, frozen=frozen
    )
    return classifier, pd.DataFrame(history), _show_nulls(classifier, documents, encoder)


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


def _show_nulls(classifier: HierarchicalClassifier, documents: pd.DataFrame, encoder: TextEncoder) -> TensorTable:
    """Give the classifier, and return, what it makes of texts about nothing."""
    classifier.nulls = classifier.predict_probabilities(write_null_documents(list(documents["text"])), cache=encoder)
    rows = [str(number) for number in range(len(classifier.nulls))]
    return TensorTable(rows, {"probabilities": classifier.nulls}, columns=classifier.taxonomy.class_ids)


def package_classifier(
    trained_classifier: HierarchicalClassifier, decoding: DecodingSettings
) -> HierarchicalClassifier:
    """Put the settings of decoding beside what was trained: the directory that people take elsewhere."""
    return trained_classifier.with_decoding(decoding)
