"""What a classifier is punished for."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits


def focal_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    mask: torch.Tensor,
    weights: torch.Tensor,
    *,
    gamma: float = 2.0,
    alpha: float = 1.0,
    positive_weight: float = 1.0,
) -> torch.Tensor:
    """Return the mean focal loss of a batch, a scalar.

    FL = alpha (1 - p_t)^gamma BCE(p, y), with p = sigmoid(logit) and p_t = y p + (1 - y)(1 - p), which for hard
    targets is the probability of the truth (Lin et al. 2017, eq. 4). Targets may be soft (the paper: 0.9 for
    a positive). With gamma 0 and alpha 1 it is binary cross-entropy.

    Args:
        logits: shape (n, C).
        targets: shape (n, C), in [0, 1].
        mask: shape (n, C), 1 where the class counts for the document, 0 where nothing is known.
        weights: shape (n,), weight of each document.
        gamma: how much easy cases are played down.
        alpha: factor of the whole loss.
        positive_weight: factor of the cases with a target above one half.
    """
    loss = binary_cross_entropy_with_logits(logits, targets, reduction="none")
    probabilities = logits.sigmoid()
    miss = targets * (1 - probabilities) + (1 - targets) * probabilities  # 1 - p_t
    loss = alpha * miss.pow(gamma) * loss
    loss = torch.where(targets > 0.5, positive_weight * loss, loss) * mask
    per_document = loss.sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    return (weights * per_document).sum() / weights.sum().clamp(min=1e-12)
