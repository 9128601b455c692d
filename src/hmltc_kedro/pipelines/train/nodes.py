"""Nodes of the stage `train`."""

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.modeling.abstention import write_null_documents
from hmltc_kedro.pipelines.infer.params import InferParams
from hmltc_kedro.pipelines.train.params import TrainParams
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
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
    decoding: InferParams,
    seed: int,
) -> tuple[HierarchicalClassifier, pd.DataFrame]:
    """Train head and encoder on the examples; return the classifier and the training history."""
    from hmltc_kedro.modeling import training  # torch

    lexical = LexicalView.from_frame(lexical_view, taxonomy) if params.head.lexical and len(lexical_view) else None
    examples = _build_dataset(training_examples, taxonomy, params)
    corpus = list(documents["text"]) if params.self_training.rounds else []
    model = encoder.load_model()
    head, history = training.train_classifier(
        model,
        encoder.encode(examples.texts),
        np.asarray(class_embeddings["text"]),
        examples,
        taxonomy,
        params,
        seed,
        lexical=lexical,
        lexical_weight=view_weights["lexical_weight"],
        max_windows=encoder.max_windows,
        corpus=corpus,
        corpus_vectors=None if params.fine_tuning.epochs else encoder.encode(corpus),
    )
    description = {"encoder": encoder.name, "n_examples": len(examples), "seed": seed, **params.model_dump()}
    frozen = None if params.fine_tuning.epochs else encoder.fingerprint
    parts = (model, head, taxonomy, decoding.decoding, description, lexical, encoder.max_windows, frozen)
    return _show_nulls(HierarchicalClassifier(*parts), documents, encoder), pd.DataFrame(history)


def _show_nulls(
    classifier: HierarchicalClassifier, documents: pd.DataFrame, encoder: TextEncoder
) -> HierarchicalClassifier:
    """Return the classifier with what it makes of texts about nothing."""
    classifier.nulls = classifier.predict_probabilities(write_null_documents(list(documents["text"])), cache=encoder)
    return classifier


def _build_dataset(
    training_examples: pd.DataFrame, taxonomy: Taxonomy, params: TrainParams
) -> "WeightedMultiLabelDataset":
    from hmltc_kedro.modeling.examples import WeightedMultiLabelDataset  # torch

    return WeightedMultiLabelDataset(
        list(training_examples["text"]),
        taxonomy.to_matrix(training_examples["class_ids"]),
        training_examples["weight"].to_numpy(np.float32),
        taxonomy,
        params.loss.soft_target,
        params.loss.mask,
    )
