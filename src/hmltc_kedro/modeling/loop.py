"""The loop that all phases of training share: batches, loss, validation on silver labels, the best state."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterator
from typing import NoReturn, cast

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from hmltc_kedro.arrays import HalfArray, IntArray
from hmltc_kedro.display import show_progress
from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling.examples import Examples
from hmltc_kedro.modeling.features import Features, WordScores
from hmltc_kedro.modeling.head import CosineHead
from hmltc_kedro.modeling.losses import focal_loss
from hmltc_kedro.modeling.phases import Phase
from hmltc_kedro.modeling.settings import LossSettings
from hmltc_kedro.text.features import TextFeatures
from hmltc_kedro.text.lexical_view import LexicalView

logger = logging.getLogger(__name__)

History = list[dict[str, float | int | str]]

PREDICTED = 64
"""Documents a batch at least where nothing is trained."""


class Run:
    """The loop all phases share: batches, loss, validation on silver labels, the best state."""

    def __init__(
        self,
        head: CosineHead,
        examples: Examples,
        loss: LossSettings,
        rows: IntArray,
        held_out: IntArray,
        seed: int,
        features: TextFeatures,
        lexical: LexicalView | None,
    ) -> None:
        """Begin with the head as it is."""
        self.head, self.examples, self.loss_settings = head, examples, loss
        self.rows, self.held_out = rows, held_out
        self.rng = np.random.default_rng(seed)
        self.lengths = features.lengths
        self.word_scores: WordScores | None = None
        if lexical is not None and features.words is not None:
            self.word_scores = WordScores(lexical, features.words, head.class_vectors.device)

    def train(self, phase: Phase) -> History:
        """Run a phase and leave its best state in the modules.

        Raises:
            InputError: the loss is no number any more; what is trained would be nothing.
        """
        best_loss, best_state = self.validate(phase), _copy_states(phase.modules)
        _check_loss(phase.name, 0, best_loss)
        history: History = [describe_epoch(phase.name, 0, float("nan"), best_loss, 0.0)]
        with self.show_steps(phase) as bar:
            for epoch in range(1, phase.epochs + 1):
                started = time.perf_counter()
                training_loss = self.train_epoch(phase, bar)
                loss = self.validate(phase)
                _check_loss(phase.name, epoch, training_loss, loss)
                seconds = time.perf_counter() - started
                history.append(describe_epoch(phase.name, epoch, training_loss, loss, seconds))
                if loss <= best_loss:
                    best_loss, best_state = loss, _copy_states(phase.modules)
        for module, state in zip(phase.modules, best_state, strict=True):
            module.load_state_dict(state)
            module.eval()
        logger.info("%s: best held-out silver loss %.5f", phase.name, best_loss)
        return history

    def show_steps(self, phase: Phase) -> tqdm[NoReturn]:
        """Return a progress bar over the batches of a phase."""
        steps = phase.epochs * -(-len(self.rows) // phase.batch_size)
        return tqdm(total=steps, desc=phase.name, unit="batch", disable=not show_progress())

    def train_epoch(self, phase: Phase, bar: tqdm[NoReturn]) -> float:
        """Go through the rows once; return the mean loss of the batches."""
        losses = []
        for rows in self._batches(self.rows, phase.batch_size):
            losses.append(self._step(phase, rows))
            bar.update()
        return float(np.mean(losses))

    def estimate(self, phase: Phase) -> HalfArray:
        """Return the probabilities of all rows, shape (n, C), float16."""
        for module in phase.modules:
            module.eval()
        probabilities = np.empty((len(self.examples), len(self.head.class_vectors)), dtype=np.float16)
        order = np.argsort(self.lengths, kind="stable")
        size = max(PREDICTED, phase.batch_size)
        blocks = range(0, len(order), size)
        with torch.no_grad():
            for start in tqdm(blocks, desc="predict", unit="batch", leave=False, disable=not show_progress()):
                rows = order[start : start + size]
                probabilities[rows] = self._compute_logits(phase.features, rows).sigmoid().half().cpu().numpy()
        return probabilities

    def _step(self, phase: Phase, rows: IntArray) -> float:
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

    def _compute_logits(self, features: Features, rows: IntArray) -> torch.Tensor:
        vectors = features(rows)
        scores = self.word_scores(rows) if self.word_scores is not None else None
        return cast(torch.Tensor, self.head(vectors, scores))

    def _loss(self, features: Features, rows: IntArray) -> torch.Tensor:
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

    def validate(self, phase: Phase) -> float:
        """Return the mean loss on the held-out silver labels; on the training rows if none are held out."""
        rows = self.held_out if len(self.held_out) else self.rows
        for module in phase.modules:
            module.eval()
        with torch.no_grad():
            size = max(PREDICTED, phase.batch_size)
            batches = [rows[i : i + size] for i in range(0, len(rows), size)]
            losses = [float(self._loss(phase.features, batch)) * len(batch) for batch in batches]
        return sum(losses) / len(rows)

    def _batches(self, rows: IntArray, size: int) -> Iterator[IntArray]:
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


def _check_loss(phase: str, epoch: int, *losses: float) -> None:
    if not np.isfinite(losses).all():
        raise InputError(
            f"{phase}, epoch {epoch}: the loss is not a finite number; a lower learning rate may help, and "
            "`kedro refresh` makes stale inputs again"
        )


def _copy_states(modules: list[nn.Module]) -> list[dict[str, torch.Tensor]]:
    return [copy.deepcopy(module.state_dict()) for module in modules]


def describe_epoch(
    phase: str, epoch: int, loss: float, validation_loss: float, seconds: float
) -> dict[str, float | int | str]:
    """Return one row of the training history."""
    return {
        "phase": phase,
        "epoch": epoch,
        "loss": loss,
        "validation_loss": validation_loss,
        "seconds": round(seconds, 3),
    }
