"""The head of a trained classifier: what `head.CosineHead` has learned, as arrays, for a process without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.text.windows import normalise

MAX_SCALE = 100.0
"""Largest 1/tau."""

LEXICAL_TERM = "lexical scores go with a head that has the lexical term, and only with such a head"


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """logit = cos(x, w_c) / tau + v s(x, c) + b, see `head.CosineHead`.

    Attributes:
        class_vectors: w, shape (C, d), float32; only their directions count.
        log_scale: ln(1/tau); 1/tau is at most `MAX_SCALE`.
        bias: b.
        log_lexical: ln(v), None for a head without the lexical term.
    """

    class_vectors: FloatArray
    log_scale: float
    bias: float = 0.0
    log_lexical: float | None = None

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.class_vectors)

    @cached_property
    def _directions(self) -> FloatArray:
        return np.ascontiguousarray(normalise(self.class_vectors).T)

    def score(self, documents: FloatArray, lexical: FloatArray | None = None) -> FloatArray:
        """Return logits, shape (n, C), float32.

        Args:
            documents: vectors of shape (n, d).
            lexical: scores of the lexical view, shape (n, C); given exactly if the head has the lexical term.

        Raises:
            ValueError: scores without the term, or the term without scores.
        """
        if (lexical is None) != (self.log_lexical is None):
            raise ValueError(LEXICAL_TERM)
        scale = np.float32(min(np.exp(self.log_scale), MAX_SCALE))
        logits = normalise(documents) @ self._directions * scale + np.float32(self.bias)
        if lexical is not None and self.log_lexical is not None:
            logits += np.float32(np.exp(self.log_lexical)) * lexical
        return np.asarray(logits, dtype=np.float32)

    # ------------------------------------------------------------------ files

    def to_tensors(self) -> dict[str, FloatArray]:
        """Return the parameters by the names that `CosineHead` has for them; a number is an array without axes."""
        numbers = {"log_scale": self.log_scale, "bias": self.bias, "log_lexical": self.log_lexical}
        arrays = {name: np.array(value, dtype=np.float32) for name, value in numbers.items() if value is not None}
        return {"class_vectors": np.ascontiguousarray(self.class_vectors, dtype=np.float32), **arrays}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, FloatArray]) -> TrainedHead:
        """Return the head of such parameters.

        Raises:
            ValueError: others than these, or vectors that are no matrix.
        """
        numbers = {name: float(value) for name, value in tensors.items() if name != "class_vectors"}
        if tensors["class_vectors"].ndim != 2 or not {"log_scale", "bias"} <= numbers.keys():
            raise ValueError("head.safetensors is not that of a head")
        return cls(tensors["class_vectors"], **numbers)
