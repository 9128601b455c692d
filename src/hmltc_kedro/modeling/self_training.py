"""Self-training: a classifier's predictions on unlabelled documents, sharpened, are its next targets.

Multi-label self-training of TaxoClass (Shen et al., NAACL 2021), after deep embedded clustering (Xie et al., ICML
2016): what the classifier is surer of than usual it is to become surer of, a class at a time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from hmltc_kedro.arrays import FloatArray, HalfArray
from hmltc_kedro.modeling.examples import LabelBatch

BLOCK = 4096
"""Documents at a time in sums over the corpus."""


def mean_probabilities(probabilities: HalfArray) -> FloatArray:
    """Return the mean probability of each class, shape (C,), float32, for probabilities of shape (n, C), n > 0."""
    total = np.zeros(probabilities.shape[1], dtype=np.float64)
    for start in range(0, len(probabilities), BLOCK):
        total += probabilities[start : start + BLOCK].sum(axis=0, dtype=np.float64)
    return np.asarray(total / len(probabilities), dtype=np.float32)


def sharpen_targets(probabilities: HalfArray | FloatArray, mean: FloatArray) -> FloatArray:
    """Return self-training targets q, shape (n, C), float32.

    q_ic = (p_ic^2 / f_c) / (p_ic^2 / f_c + (1 - p_ic)^2 / g_c), with f_c = sum_i p_ic and g_c = sum_i (1 - p_ic)
    over the whole corpus. Only f_c / g_c counts, so the mean of the class is enough; in logits,
    logit q = 2 logit p - logit mean: a probability above its class's mean rises, one below it falls.

    Args:
        probabilities: p of some documents, shape (n, C).
        mean: f / N over the corpus, shape (C,), from `mean_probabilities`.
    """
    p = probabilities.astype(np.float32)
    # Multiplied out: p = 0 throughout (f = 0) or p = 1 throughout (g = 0) is no division by zero but stays as it is.
    tiny = np.finfo(np.float32).tiny
    positive = p**2 * np.maximum(1 - mean, tiny)
    negative = (1 - p) ** 2 * np.maximum(mean, tiny)
    return np.asarray(positive / (positive + negative), dtype=np.float32)


class SelfLabelledDataset:
    """The sharpened predictions of a classifier on unlabelled texts as targets; every class counts, weights are 1.

    Memory: 2 bytes a document and class. The targets are sharpened batch by batch.

    Args:
        n: number of texts.
    """

    def __init__(self, n: int) -> None:
        """Begin without targets; `update` brings them."""
        self._best_classes = np.full(n, -1, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._best_classes)

    def update(self, probabilities: HalfArray) -> float:
        """Take new predictions, shape (n, C); return the share of documents whose best class is another now."""
        before = self._best_classes
        self._probabilities = probabilities
        self._mean = mean_probabilities(probabilities)
        self._best_classes = probabilities.argmax(axis=1)
        return float((self._best_classes != before).mean())

    def batch(self, rows: npt.NDArray[np.int64], device: torch.device) -> LabelBatch:
        """Return the targets of `rows` on `device`."""
        targets = torch.from_numpy(sharpen_targets(self._probabilities[rows], self._mean)).to(device)
        return LabelBatch(targets, torch.ones_like(targets), torch.ones(len(rows), device=device))
