"""Features by row number: vectors, frozen or such that the encoder computes with gradients, and scores of words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from scipy import sparse
from torch.nn.functional import normalize

from hmltc_kedro.arrays import FloatArray, IntArray
from hmltc_kedro.modeling.frozen_layers import FrozenLayers, join_ranges
from hmltc_kedro.text.features import Windows
from hmltc_kedro.text.windows import choose_prompt

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from hmltc_kedro.text.lexical_view import LexicalView

HELD = 2**28
"""Bytes of word scores that are kept: those of 126,000 documents and 531 classes."""

BLOCK = 4096
"""Documents scored at a time."""


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


class WordScores:
    """Scores of the lexical view by row number, made once where they fit into `HELD` bytes and else at each call."""

    def __init__(self, view: LexicalView, words: sparse.csr_array, device: torch.device) -> None:
        """Score the TF-IDF vectors of n documents, sparse (n, V)."""
        self._view, self._words, self._device = view, words, device
        n, n_classes = words.shape[0], view.classes.shape[0]
        self._scores: torch.Tensor | None = None
        if n * n_classes * np.dtype(np.float32).itemsize <= HELD:
            self._scores = torch.empty(n, n_classes)
            for start in range(0, n, BLOCK):
                self._scores[start : start + BLOCK] = torch.from_numpy(view.score(words[start : start + BLOCK]))

    def __call__(self, rows: IntArray) -> torch.Tensor:
        """Return the scores of `rows`, shape (len(rows), C), float32."""
        if self._scores is None:
            scores = torch.from_numpy(self._view.score(self._words[rows]))
        else:
            scores = self._scores[torch.from_numpy(rows)]
        return scores.to(self._device)


class EncodedFeatures:
    """Vectors that the encoder computes, with gradients, each batch padded to its longest window."""

    def __init__(self, encoder: SentenceTransformer, windows: Windows, precision: torch.dtype) -> None:
        """Keep the windows; they are encoded when they are asked for, see `FrozenLayers`."""
        self._encoder, self._windows, self._precision = encoder, windows, precision
        self._layers = FrozenLayers(encoder, len(windows.texts))

    def __call__(self, rows: IntArray) -> torch.Tensor:
        """Return the vectors of `rows`, unit length: the mean over the windows of each."""
        device = torch.device(self._encoder.device)
        starts = self._windows.starts
        counts = starts[rows + 1] - starts[rows]
        owners = np.repeat(np.arange(len(rows)), counts)
        chosen = join_ranges(starts[rows], counts)
        texts = [self._windows.texts[window] for window in chosen]
        tokens = self._encoder.preprocess(texts, prompt=choose_prompt(self._encoder))
        tokens = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in tokens.items()}
        with torch.autocast(device.type, dtype=self._precision, enabled=self._precision != torch.float32):
            vectors = self._layers.encode(tokens, chosen)
        windows = normalize(vectors.float(), dim=-1)
        if len(windows) == len(rows):
            return windows
        summed = torch.zeros(len(rows), windows.shape[1], device=device)
        return normalize(summed.index_add(0, torch.from_numpy(owners).to(device), windows), dim=-1)
