"""What a phase of training moves, and how fast: modules, optimizer, schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.modeling.features import EncodedFeatures, Features, FrozenFeatures
from hmltc_kedro.modeling.frozen_layers import freeze_lower_layers
from hmltc_kedro.modeling.head import CosineHead
from hmltc_kedro.modeling.settings import FineTuningSettings, HeadSettings
from hmltc_kedro.text.device import choose_precision
from hmltc_kedro.text.features import TextFeatures

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(eq=False)
class Phase:
    """What one phase trains, on what, and how.

    Attributes:
        name: in the history.
        features: the documents' vectors.
        modules: that are trained, and whose best state is kept.
        optimizer: of their parameters.
        schedule: of the learning rate; None for a constant one.
        epochs: times through the rows.
        batch_size: documents a step.
        clip_norm: largest norm of the gradient.
    """

    name: str
    features: Features
    modules: list[nn.Module]
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler | None
    epochs: int
    batch_size: int
    clip_norm: float


def head_phase(name: str, head: CosineHead, vectors: FloatArray, settings: HeadSettings, epochs: int) -> Phase:
    """Return the phase that trains the head alone, on frozen vectors."""
    optimizer = torch.optim.AdamW(head.parameters(), lr=settings.learning_rate, weight_decay=0.0, fused=True)
    return Phase(
        name,
        FrozenFeatures(vectors, head.class_vectors.device),
        [head],
        optimizer,
        None,
        epochs,
        settings.batch_size,
        clip_norm=1.0,
    )


def fine_tuning_phase(
    name: str,
    encoder: SentenceTransformer,
    head: CosineHead,
    features: TextFeatures,
    settings: FineTuningSettings,
    epochs: int,
    n_train: int,
) -> Phase:
    """Return the phase that trains the head and the upper layers of the encoder."""
    assert features.windows is not None
    precision = choose_precision(settings.precision, torch.device(encoder.device))
    freeze_lower_layers(encoder, settings.trainable_layers)
    groups = decay_groups(encoder, settings.learning_rate, settings.weight_decay)
    groups.append({"params": list(head.parameters()), "lr": settings.head_learning_rate, "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups, eps=1e-8)
    return Phase(
        name,
        EncodedFeatures(encoder, features.windows, precision),
        [encoder, head],
        optimizer,
        cosine_schedule(optimizer, epochs * -(-n_train // settings.batch_size), settings.warmup_share),
        epochs,
        settings.batch_size,
        settings.clip_norm,
    )


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
