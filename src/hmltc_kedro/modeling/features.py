"""Document vectors by row number: frozen ones, or such that the encoder computes with gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch.nn.functional import normalize

from hmltc_kedro.arrays import FloatArray, IntArray
from hmltc_kedro.text.features import Windows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class Features(Protocol):
    """Document vectors by row number."""

    def __call__(self, rows: IntArray) -> torch.Tensor:
        """Return the vectors of `rows`, shape (len(rows), d)."""
        ...


class FrozenFeatures:
    """Vectors that are there already."""

    def __init__(self, vectors: FloatArray, device: torch.device) -> None:
        """Put the (n, d) vectors on the device."""
        self._vectors = torch.from_numpy(np.array(vectors)).to(device)

    def __call__(self, rows: IntArray) -> torch.Tensor:
        """Return the vectors of `rows`."""
        return self._vectors[torch.from_numpy(rows).to(self._vectors.device)]


class EncodedFeatures:
    """Vectors that the encoder computes, with gradients, each batch padded to its longest window."""

    def __init__(self, encoder: SentenceTransformer, windows: Windows, precision: torch.dtype) -> None:
        """Keep the windows; they are encoded when they are asked for."""
        self._encoder, self._windows, self._precision = encoder, windows, precision

    def __call__(self, rows: IntArray) -> torch.Tensor:
        """Return the vectors of `rows`, unit length: the mean over the windows of each."""
        device = torch.device(self._encoder.device)
        starts = self._windows.starts
        counts = starts[rows + 1] - starts[rows]
        owners = np.repeat(np.arange(len(rows)), counts)
        chosen = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts) + starts[rows][owners]
        tokens = self._encoder.preprocess([self._windows.texts[window] for window in chosen])
        tokens = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in tokens.items()}
        with torch.autocast(device.type, dtype=self._precision, enabled=self._precision != torch.float32):
            vectors = self._encoder(tokens)["sentence_embedding"]
        windows = normalize(vectors.float(), dim=-1)
        if len(windows) == len(rows):
            return windows
        summed = torch.zeros(len(rows), windows.shape[1], device=device)
        return normalize(summed.index_add(0, torch.from_numpy(owners).to(device), windows), dim=-1)
