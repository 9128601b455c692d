"""Training: first the head on frozen vectors, then head and upper encoder layers together, then on own predictions.

The first phase costs seconds, since the vectors are cached; it moves the head to where the silver labels want it
before any gradient reaches the encoder, so that fine-tuning does not have to distort good features for
it (linear probing, then fine-tuning: Kumar et al., ICLR 2022). Each phase can be left out.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import normalize
from tqdm import tqdm

from hmltc_kedro.device import choose_precision
from hmltc_kedro.encoding import FloatArray, cut_windows, show_progress
from hmltc_kedro.lexical import LexicalView
from hmltc_kedro.modeling.examples import Examples, WeightedMultiLabelDataset, split_rows
from hmltc_kedro.modeling.gcn import GraphConvolution
from hmltc_kedro.modeling.head import CosineHead, GraphHead
from hmltc_kedro.modeling.losses import focal_loss
from hmltc_kedro.modeling.self_training import HalfArray, SelfLabelledDataset
from hmltc_kedro.modeling.settings import (
    FineTuningSettings,
    HeadSettings,
    LossSettings,
    SelfTrainingSettings,
    TrainingSettings,
)
from hmltc_kedro.scoring import measure_spread
from hmltc_kedro.taxonomy import Taxonomy

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

History = list[dict[str, float | int | str]]
Rows = npt.NDArray[np.int64]

PREDICTED = 64
"""Documents a batch where nothing is trained."""

CROSS_ENTROPY = LossSettings(gamma=0.0, alpha=1.0, positive_weight=1.0, soft_target=1.0)


def train_classifier(
    encoder: SentenceTransformer,
    document_vectors: FloatArray,
    class_vectors: FloatArray,
    examples: WeightedMultiLabelDataset,
    taxonomy: Taxonomy,
    settings: TrainingSettings,
    seed: int,
    *,
    lexical: LexicalView | None = None,
    lexical_weight: float = 1.0,
    max_windows: int = 1,
    corpus: Sequence[str] = (),
    corpus_vectors: FloatArray | None = None,
) -> tuple[CosineHead, History]:
    """Train and return (head, history); the encoder is changed in place.

    After the first two phases the state with the lowest loss on held-out silver labels is kept; gold plays no part.
    Self-training is there to leave the silver labels behind: their loss is in its history and decides nothing.

    Args:
        encoder: a copy that may be changed.
        document_vectors: frozen vectors of the examples, shape (n, d), unit length.
        class_vectors: start of the head, shape (C, d), unit length.
        examples: n texts with silver labels.
        taxonomy: of C classes.
        settings: see `TrainingSettings`.
        seed: for the split, the order of the batches and dropout.
        lexical: the words' view of C classes for a head with the lexical term; None for one without.
        lexical_weight: weight of that view beside the dense one, both in units of their spread, to start from.
        max_windows: that a long text is read in, see `encoding.cut_windows`.
        corpus: N texts for self-training, labelled or not; unused without it.
        corpus_vectors: frozen vectors of the corpus, shape (N, d), unit length, for self-training without
            fine-tuning; None with it.

    Raises:
        ValueError: self-training on no text, or vectors where there should be none, or the other way round.
    """
    if settings.self_training.rounds:
        _check_corpus(corpus, corpus_vectors, tunes=settings.fine_tuning.epochs > 0)
    torch.manual_seed(seed)
    device = torch.device(encoder.device)
    start = _scale_weight(lexical_weight, document_vectors, class_vectors, settings.head) if lexical else None
    head = _build_head(class_vectors, taxonomy, settings.head, start).to(device)
    rows, held_out = split_rows(len(examples), settings.validation_share, seed)
    run = _Run(head, examples, settings.loss, rows, held_out, seed, lexical)
    phase = _head_phase("head", head, document_vectors, settings.head, settings.head.epochs)
    history = run.train(phase)
    if settings.fine_tuning.epochs:
        epochs = settings.fine_tuning.epochs
        features = EncodedFeatures(encoder, examples.texts, _choose_precision(encoder, settings), max_windows)
        phase = _fine_tuning_phase("fine_tuning", encoder, head, features, settings.fine_tuning, epochs, len(rows))
        history += run.train(phase)
    if settings.self_training.rounds:
        validate = partial(run._validate, phase)
        if corpus_vectors is None:
            features = EncodedFeatures(encoder, corpus, _choose_precision(encoder, settings), max_windows)
            rounds = settings.self_training.rounds
            phase = _fine_tuning_phase(
                "self_training", encoder, head, features, settings.fine_tuning, rounds, len(corpus)
            )
        else:
            phase = _head_phase("self_training", head, corpus_vectors, settings.head, settings.self_training.rounds)
        history += _self_train(phase, head, corpus, settings.self_training, seed, lexical, validate)
    return head.materialise(), history


def _choose_precision(encoder: SentenceTransformer, settings: TrainingSettings) -> torch.dtype:
    return choose_precision(settings.fine_tuning.precision, torch.device(encoder.device))


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


def _check_corpus(corpus: Sequence[str], vectors: FloatArray | None, tunes: bool) -> None:
    if not len(corpus):
        raise ValueError("self-training needs the texts of a corpus")
    if tunes and vectors is not None:
        raise ValueError("fine-tuning changes the vectors of the corpus; self-training after it takes none")
    if not tunes and (vectors is None or len(vectors) != len(corpus)):
        raise ValueError("self-training without fine-tuning needs one frozen vector a text of the corpus")


def _self_train(
    phase: _Phase,
    head: CosineHead,
    corpus: Sequence[str],
    settings: SelfTrainingSettings,
    seed: int,
    lexical: LexicalView | None,
    validate: Callable[[], float],
) -> History:
    """Train for an epoch towards the sharpened predictions of the classifier so far, several times over.

    Cross-entropy with q for a target is KL(q || p), the loss of TaxoClass, up to a constant.
    """
    examples = SelfLabelledDataset(corpus)
    run = _Run(head, examples, CROSS_ENTROPY, np.arange(len(corpus)), np.arange(0), seed, lexical)
    history: History = [_row(phase.name, 0, float("nan"), validate(), 0.0)]
    with run.show_steps(phase) as bar:
        for number in range(1, settings.rounds + 1):
            started = time.perf_counter()
            changed = examples.update(run.estimate(phase))
            if changed < settings.tolerance:
                logger.info("%s: %.3f%% of the documents changed their best class, done", phase.name, 100 * changed)
                break
            loss = run.train_epoch(phase, bar)
            seconds = time.perf_counter() - started
            history.append(_row(phase.name, number, loss, validate(), seconds))
    return history


# ---------------------------------------------------------------------- features: from rows to vectors


class Features(Protocol):
    """Document vectors by row number."""

    def __call__(self, rows: Rows) -> torch.Tensor:
        """Return the vectors of `rows`, shape (len(rows), d)."""
        ...


class FrozenFeatures:
    """Vectors that are there already."""

    def __init__(self, vectors: FloatArray, device: torch.device) -> None:
        """Put the (n, d) vectors on the device."""
        self._vectors = torch.from_numpy(np.array(vectors)).to(device)

    def __call__(self, rows: Rows) -> torch.Tensor:
        """Return the vectors of `rows`."""
        return self._vectors[torch.from_numpy(rows).to(self._vectors.device)]


class EncodedFeatures:
    """Vectors that the encoder computes, with gradients, each batch padded to its longest window."""

    def __init__(
        self, encoder: SentenceTransformer, texts: Sequence[str], precision: torch.dtype, max_windows: int = 1
    ) -> None:
        """Cut long texts into windows."""
        self._encoder, self._precision = encoder, precision
        self._windows, owners = cut_windows(encoder, texts, max_windows)
        self._starts = np.searchsorted(owners, np.arange(len(texts) + 1))

    def __call__(self, rows: Rows) -> torch.Tensor:
        """Return the vectors of `rows`, unit length: the mean over the windows of each."""
        device = torch.device(self._encoder.device)
        counts = self._starts[rows + 1] - self._starts[rows]
        owners = np.repeat(np.arange(len(rows)), counts)
        chosen = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts) + self._starts[rows][owners]
        tokens = self._encoder.preprocess([self._windows[window] for window in chosen])
        tokens = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in tokens.items()}
        with torch.autocast(device.type, dtype=self._precision, enabled=self._precision != torch.float32):
            vectors = self._encoder(tokens)["sentence_embedding"]
        windows = normalize(vectors.float(), dim=-1)
        if len(windows) == len(rows):
            return windows
        summed = torch.zeros(len(rows), windows.shape[1], device=device)
        return normalize(summed.index_add(0, torch.from_numpy(owners).to(device), windows), dim=-1)


# ---------------------------------------------------------------------- phases


@dataclass(eq=False)
class _Phase:
    name: str
    features: Features
    modules: list[nn.Module]
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler | None
    epochs: int
    batch_size: int
    clip_norm: float


def _head_phase(name: str, head: CosineHead, vectors: FloatArray, settings: HeadSettings, epochs: int) -> _Phase:
    optimizer = torch.optim.AdamW(head.parameters(), lr=settings.learning_rate, weight_decay=0.0)
    return _Phase(
        name,
        FrozenFeatures(vectors, head.class_vectors.device),
        [head],
        optimizer,
        None,
        epochs,
        settings.batch_size,
        clip_norm=1.0,
    )


def _fine_tuning_phase(
    name: str,
    encoder: SentenceTransformer,
    head: CosineHead,
    features: EncodedFeatures,
    settings: FineTuningSettings,
    epochs: int,
    n_train: int,
) -> _Phase:
    freeze_lower_layers(encoder, settings.trainable_layers)
    groups = decay_groups(encoder, settings.learning_rate, settings.weight_decay)
    groups.append({"params": list(head.parameters()), "lr": settings.head_learning_rate, "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups, eps=1e-8)
    return _Phase(
        name,
        features,
        [encoder, head],
        optimizer,
        cosine_schedule(optimizer, epochs * -(-n_train // settings.batch_size), settings.warmup_share),
        epochs,
        settings.batch_size,
        settings.clip_norm,
    )


def freeze_lower_layers(encoder: SentenceTransformer, trainable_share: float) -> int:
    """Let gradients reach the upper `trainable_share` of the transformer layers only; return how many.

    The paper's code freezes the embeddings and the lower two thirds.
    """
    for parameter in encoder.parameters():
        parameter.requires_grad = False
    stacks = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    layers = max(stacks, key=len)  # the transformer blocks, whatever the architecture calls them
    moving = round(len(layers) * trainable_share)
    for layer in layers[len(layers) - moving :]:
        for parameter in layer.parameters():
            parameter.requires_grad = True
    return moving


def decay_groups(module: nn.Module, learning_rate: float, weight_decay: float) -> list[dict[str, object]]:
    """Return optimizer groups of the trainable parameters: no decay on biases and LayerNorm (1-d)."""
    trainable = [p for p in module.parameters() if p.requires_grad]
    decayed = [p for p in trainable if p.ndim > 1]
    others = [p for p in trainable if p.ndim <= 1]
    return [
        {"params": params, "lr": learning_rate, "weight_decay": decay}
        for params, decay in ((decayed, weight_decay), (others, 0.0))
    ]


def cosine_schedule(
    optimizer: torch.optim.Optimizer, steps: int, warmup_share: float
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return a linear warm-up over the first `warmup_share` of the steps, then a cosine to zero."""
    from transformers import get_cosine_schedule_with_warmup

    schedule: torch.optim.lr_scheduler.LRScheduler
    schedule = get_cosine_schedule_with_warmup(optimizer, round(steps * warmup_share), steps)
    return schedule


# ---------------------------------------------------------------------- the loop


class _Run:
    """The loop all phases share: batches, loss, validation on silver labels, the best state."""

    def __init__(
        self,
        head: CosineHead,
        examples: Examples,
        loss: LossSettings,
        rows: Rows,
        held_out: Rows,
        seed: int,
        lexical: LexicalView | None,
    ) -> None:
        self.head, self.examples, self.loss_settings = head, examples, loss
        self.rows, self.held_out = rows, held_out
        self.rng = np.random.default_rng(seed)
        self.lengths = np.array([len(text) for text in examples.texts])
        self.lexical = lexical
        self.words = lexical.represent(examples.texts) if lexical else None

    def train(self, phase: _Phase) -> History:
        """Run a phase and leave its best state in the modules."""
        best_loss, best_state = self._validate(phase), _copy_states(phase.modules)
        history: History = [_row(phase.name, 0, float("nan"), best_loss, 0.0)]
        with self.show_steps(phase) as bar:
            for epoch in range(1, phase.epochs + 1):
                started = time.perf_counter()
                training_loss = self.train_epoch(phase, bar)
                loss = self._validate(phase)
                seconds = time.perf_counter() - started
                history.append(_row(phase.name, epoch, training_loss, loss, seconds))
                if loss <= best_loss:
                    best_loss, best_state = loss, _copy_states(phase.modules)
        for module, state in zip(phase.modules, best_state, strict=True):
            module.load_state_dict(state)
            module.eval()
        logger.info("%s: best held-out silver loss %.5f", phase.name, best_loss)
        return history

    def show_steps(self, phase: _Phase) -> tqdm[NoReturn]:
        """Return a progress bar over the batches of a phase."""
        steps = phase.epochs * -(-len(self.rows) // phase.batch_size)
        return tqdm(total=steps, desc=phase.name, unit="batch", disable=not show_progress())

    def train_epoch(self, phase: _Phase, bar: tqdm[NoReturn]) -> float:
        """Go through the rows once; return the mean loss of the batches."""
        losses = []
        for rows in self._batches(self.rows, phase.batch_size):
            losses.append(self._step(phase, rows))
            bar.update()
        return float(np.mean(losses))

    def estimate(self, phase: _Phase) -> HalfArray:
        """Return the probabilities of all rows, shape (n, C), float16."""
        for module in phase.modules:
            module.eval()
        probabilities = np.empty((len(self.examples), len(self.head.class_vectors)), dtype=np.float16)
        order = np.argsort(self.lengths, kind="stable")
        blocks = range(0, len(order), PREDICTED)
        with torch.no_grad():
            for start in tqdm(blocks, desc="predict", unit="batch", leave=False, disable=not show_progress()):
                rows = order[start : start + PREDICTED]
                probabilities[rows] = self._compute_logits(phase.features, rows).sigmoid().half().cpu().numpy()
        return probabilities

    def _step(self, phase: _Phase, rows: Rows) -> float:
        for module in phase.modules:
            module.train()
        phase.optimizer.zero_grad()
        loss = self._loss(phase.features, rows)
        loss.backward()  # type: ignore[no-untyped-call]
        parameters = [p for module in phase.modules for p in module.parameters() if p.requires_grad]
        nn.utils.clip_grad_norm_(parameters, phase.clip_norm)
        phase.optimizer.step()
        if phase.schedule is not None:
            phase.schedule.step()
        return float(loss.detach())

    def _compute_logits(self, features: Features, rows: Rows) -> torch.Tensor:
        vectors = features(rows)
        if self.lexical is None or self.words is None:
            return cast(torch.Tensor, self.head(vectors))
        scores = torch.from_numpy(self.lexical.score(self.words[rows])).to(vectors.device)
        return cast(torch.Tensor, self.head(vectors, scores))

    def _loss(self, features: Features, rows: Rows) -> torch.Tensor:
        logits = self._compute_logits(features, rows)
        labels = self.examples.batch(rows, logits.device)
        return focal_loss(
            logits,
            labels.targets,
            labels.mask,
            labels.weights,
            gamma=self.loss_settings.gamma,
            alpha=self.loss_settings.alpha,
            positive_weight=self.loss_settings.positive_weight,
        )

    def _validate(self, phase: _Phase) -> float:
        """Return the mean loss on the held-out silver labels; on the training rows if none are held out."""
        rows = self.held_out if len(self.held_out) else self.rows
        for module in phase.modules:
            module.eval()
        with torch.no_grad():
            batches = [rows[i : i + PREDICTED] for i in range(0, len(rows), PREDICTED)]
            losses = [float(self._loss(phase.features, batch)) * len(batch) for batch in batches]
        return sum(losses) / len(rows)

    def _batches(self, rows: Rows, size: int) -> Iterator[Rows]:
        """Yield shuffled batches of texts of similar length: less padding, the same expectation."""
        order = self.rng.permutation(rows)
        pools = [order[i : i + 32 * size] for i in range(0, len(order), 32 * size)]
        batches = [
            pool[np.argsort(self.lengths[pool], kind="stable")][i : i + size]
            for pool in pools
            for i in range(0, len(pool), size)
        ]
        for index in self.rng.permutation(len(batches)):
            yield batches[index]


def _copy_states(modules: list[nn.Module]) -> list[dict[str, torch.Tensor]]:
    return [copy.deepcopy(module.state_dict()) for module in modules]


def _row(phase: str, epoch: int, loss: float, validation_loss: float, seconds: float) -> dict[str, float | int | str]:
    return {
        "phase": phase,
        "epoch": epoch,
        "loss": loss,
        "validation_loss": validation_loss,
        "seconds": round(seconds, 3),
    }
