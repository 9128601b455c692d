"""Training: first the head on frozen vectors, then head and upper encoder layers together, then on own predictions.

The first phase costs seconds, since the vectors are cached; it moves the head to where the silver labels want it
before any gradient reaches the encoder, so that fine-tuning does not have to distort good features for
it (linear probing, then fine-tuning: Kumar et al., ICLR 2022). Each phase can be left out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.modeling.examples import WeightedMultiLabelDataset, split_rows
from hmltc_kedro.modeling.gcn import GraphConvolution
from hmltc_kedro.modeling.head import CosineHead, GraphHead
from hmltc_kedro.modeling.loop import History, Run, describe_epoch
from hmltc_kedro.modeling.phases import Phase, fine_tuning_phase, head_phase
from hmltc_kedro.modeling.self_training import SelfLabelledDataset
from hmltc_kedro.modeling.settings import HeadSettings, LossSettings, SelfTrainingSettings, TrainingSettings
from hmltc_kedro.modeling.trained_head import TrainedHead
from hmltc_kedro.pseudo_labels.moments import measure_spread
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.device import bound_threads, choose_device, one_thread
from hmltc_kedro.text.features import TextFeatures
from hmltc_kedro.text.lexical_view import LexicalView

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

CROSS_ENTROPY = LossSettings(gamma=0.0, alpha=1.0, positive_weight=1.0, soft_target=1.0)


def train_classifier(
    encoder: SentenceTransformer | None,
    features: TextFeatures,
    examples: WeightedMultiLabelDataset,
    class_vectors: FloatArray,
    taxonomy: Taxonomy,
    settings: TrainingSettings,
    seed: int,
    *,
    lexical: LexicalView | None = None,
    lexical_weight: float = 1.0,
    corpus: TextFeatures | None = None,
    device: str = "auto",
) -> tuple[TrainedHead, History]:
    """Train and return (head, history); the encoder is changed in place if it is fine-tuned.

    After the first two phases the state with the lowest loss on held-out silver labels is kept; gold plays no part.
    Self-training is there to leave the silver labels behind: their loss is in its history and decides nothing.

    Args:
        encoder: a copy that may be changed; None where no phase tunes it.
        features: of the n examples; with windows for fine-tuning.
        examples: their n silver label sets.
        class_vectors: start of the head, shape (C, d); only their directions count.
        taxonomy: of C classes.
        settings: see `TrainingSettings`.
        seed: for the split, the order of the batches and dropout.
        lexical: the words' view of C classes for a head with the lexical term; None for one without.
        lexical_weight: weight of that view beside the dense one, both in units of their spread, to start from.
        corpus: features of the N texts, labelled or not, that self-training is on; unused without it.
        device: `auto` or a torch device name, where no encoder says it.

    Raises:
        ValueError: self-training on no text, or fine-tuning without windows or without an encoder.
    """
    tunes = settings.fine_tuning.epochs > 0
    _check_features(features, corpus, settings)
    if tunes and encoder is None:
        raise ValueError("fine-tuning needs an encoder that may be changed")
    torch.manual_seed(seed)
    start = _scale_weight(lexical_weight, features.vectors, class_vectors, settings.head) if lexical else None
    bound_threads()
    place = encoder.device if encoder is not None else choose_device(device)
    head = _build_head(class_vectors, taxonomy, settings.head, start).to(place)
    rows, held_out = split_rows(len(examples), settings.validation_share, seed)
    run = Run(head, examples, settings.loss, rows, held_out, seed, features, lexical)
    phase = head_phase("head", head, features.vectors, settings.head, settings.head.epochs)
    with one_thread():
        history = run.train(phase)
    if encoder is not None and tunes:
        epochs = settings.fine_tuning.epochs
        phase = fine_tuning_phase("fine_tuning", encoder, head, features, settings.fine_tuning, epochs, len(rows))
        history += run.train(phase)
    if settings.self_training.rounds and corpus is not None:
        validate = partial(run.validate, phase)
        rounds, n = settings.self_training.rounds, len(corpus)
        if encoder is not None and tunes:
            phase = fine_tuning_phase("self_training", encoder, head, corpus, settings.fine_tuning, rounds, n)
        else:
            phase = head_phase("self_training", head, corpus.vectors, settings.head, rounds)
        history += _self_train(phase, head, corpus, settings.self_training, seed, lexical, validate)
    return head.freeze(), history


def _scale_weight(weight: float, documents: FloatArray, classes: FloatArray, settings: HeadSettings) -> float:
    """Return the lexical weight in logits: the untrained head weighs both views as the scores of the labels do."""
    return weight * measure_spread(documents, classes) / settings.temperature


def _build_head(
    class_vectors: FloatArray, taxonomy: Taxonomy, settings: HeadSettings, lexical_weight: float | None
) -> CosineHead:
    vectors = torch.from_numpy(np.array(class_vectors))
    options = settings.model_dump(include={"temperature", "bias", "learn_temperature"})
    options["lexical_weight"] = lexical_weight
    if settings.gcn_layers:
        return GraphHead(vectors, GraphConvolution(taxonomy, vectors.shape[1], settings.gcn_layers), **options)
    return CosineHead(vectors, **options)


def _check_features(features: TextFeatures, corpus: TextFeatures | None, settings: TrainingSettings) -> None:
    if settings.self_training.rounds and not corpus:
        raise ValueError("self-training needs the texts of a corpus")
    if settings.fine_tuning.epochs and any(part is not None and part.windows is None for part in (features, corpus)):
        raise ValueError("fine-tuning needs the texts in windows: vectors change with the encoder")


def _self_train(
    phase: Phase,
    head: CosineHead,
    corpus: TextFeatures,
    settings: SelfTrainingSettings,
    seed: int,
    lexical: LexicalView | None,
    validate: Callable[[], float],
) -> History:
    """Train for an epoch towards the sharpened predictions of the classifier so far, several times over.

    Cross-entropy with q for a target is KL(q || p), the loss of TaxoClass, up to a constant.
    """
    examples = SelfLabelledDataset(len(corpus))
    run = Run(head, examples, CROSS_ENTROPY, np.arange(len(corpus)), np.arange(0), seed, corpus, lexical)
    history: History = [describe_epoch(phase.name, 0, float("nan"), validate(), 0.0)]
    with run.show_steps(phase) as bar:
        for number in range(1, settings.rounds + 1):
            started = time.perf_counter()
            changed = examples.update(run.estimate(phase))
            if changed < settings.tolerance:
                logger.info("%s: %.3f%% of the documents changed their best class, done", phase.name, 100 * changed)
                break
            loss = run.train_epoch(phase, bar)
            seconds = time.perf_counter() - started
            history.append(describe_epoch(phase.name, number, loss, validate(), seconds))
    return history
