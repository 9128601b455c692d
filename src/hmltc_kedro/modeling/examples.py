"""Training examples: weighted, partly known label sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling.settings import MaskRule
from hmltc_kedro.taxonomy import Taxonomy


@dataclass(frozen=True, eq=False)
class LabelBatch:
    """Targets, mask and weights of some examples, as `losses.focal_loss` takes them."""

    targets: torch.Tensor
    mask: torch.Tensor
    weights: torch.Tensor


class Examples(Protocol):
    """Targets by row number."""

    def __len__(self) -> int: ...

    def batch(self, rows: npt.NDArray[np.int64], device: torch.device) -> LabelBatch:
        """Return the dense labels of `rows` on `device`."""
        ...


class WeightedMultiLabelDataset:
    """Silver label sets, a weight each, and a mask of what is unknown.

    An unlabelled class is a negative unless it is unknown, by one of two rules:

    - `below_most_specific`: descendants of a *most specific* label are unknown. A document labelled `dogs` may well
      be about `dogs > beds`, one labelled `dogs > beds` is not about `cats`.
    - `below_any_label`: descendants of every label are, roots too (the paper's published code). That leaves no
      negative inside a labelled root, so nothing teaches `cats` apart from `dogs`.

    Args:
        labels: sparse (n, C) 0/1 matrix of positives.
        weights: shape (n,), float32.
        taxonomy: the classes.
        soft_target: target of a positive; the paper's code has 0.9.
        mask: the rule of what is unknown.
    """

    def __init__(
        self,
        labels: sparse.csr_array,
        weights: npt.NDArray[np.float32],
        taxonomy: Taxonomy,
        soft_target: float = 1.0,
        mask: MaskRule = "below_most_specific",
    ) -> None:
        """Keep the labels sparse; batches are made dense one at a time.

        Raises:
            InputError: a weight that is not finite or below 0.
        """
        self.labels = sparse.csr_array(labels, dtype=np.float32)
        self.weights = np.asarray(weights, dtype=np.float32)
        wrong = np.flatnonzero(~(np.isfinite(self.weights) & (self.weights >= 0)))
        if len(wrong):
            raise InputError(
                f"entry `training_examples`, row {wrong[0]}: its weight is {self.weights[wrong[0]]} "
                f"({len(wrong)} such rows); run `kedro refresh`, which makes what is stale again"
            )
        self.soft_target = soft_target
        open_labels = taxonomy.most_specific(labels) if mask == "below_most_specific" else self.labels
        # What lies below each open class, and not below each document's: below a root there may be thousands.
        present = np.unique(open_labels.indices)
        ones = (np.ones(len(present), dtype=np.int32), (np.arange(len(present)), present))
        alone = sparse.csr_array(ones, shape=(len(present), len(taxonomy)))
        self.open = sparse.csr_array(open_labels[:, present], dtype=np.float32)
        self.below = sparse.csr_array(taxonomy.close_descendants(alone) - alone, dtype=np.float32)

    def __len__(self) -> int:
        return len(self.weights)

    def batch(self, rows: npt.NDArray[np.int64], device: torch.device) -> LabelBatch:
        """Return the dense labels of `rows` on `device`."""
        positives = torch.from_numpy(self.labels[rows].toarray())
        below = torch.from_numpy((self.open[rows] @ self.below).toarray())
        unknown = ((below > 0) & (positives == 0)).float()
        return LabelBatch(
            targets=(positives * self.soft_target).to(device),
            mask=(1 - unknown).to(device),
            weights=torch.from_numpy(self.weights[rows]).to(device),
        )


def split_rows(n: int, validation_share: float, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return shuffled (training, validation) row numbers; validation has at least one row if n > 1."""
    order = np.random.default_rng(seed).permutation(n)
    held_out = min(max(1, round(n * validation_share)), n - 1) if validation_share > 0 else 0
    return order[held_out:], order[:held_out]
