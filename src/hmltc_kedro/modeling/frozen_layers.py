"""The layers of an encoder below those that are trained: what they make of a text is computed once and kept.

Where the upper third of a transformer is trained, the lower two thirds take two fifths of a step and give the same in
every epoch. They are frozen altogether, dropout too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from hmltc_kedro.arrays import IntArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

HELD = 2**32
"""Bytes of outputs that are kept, in half precision: those of 56,000 windows of 100 word pieces with MiniLM."""

ALIKE = 0.9999
"""Least cosine of a vector from what is kept and the one from the text: 0.999995 in bfloat16."""

FAILURES = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)
"""What a model that counts its layers raises where some are missing."""

Tokens = Mapping[str, Any]


def find_layers(encoder: nn.Module) -> nn.ModuleList:
    """Return the transformer blocks of an encoder, whatever they are called: its longest list of modules."""
    return max((module for module in encoder.modules() if isinstance(module, nn.ModuleList)), key=len)


def freeze_lower_layers(encoder: nn.Module, trainable_share: float) -> int:
    """Let gradients reach the upper `trainable_share` of the transformer layers only; return how many.

    The paper's code freezes the embeddings and the lower two thirds.
    """
    encoder.requires_grad_(False)
    layers = find_layers(encoder)
    moving = round(len(layers) * trainable_share)
    for layer in layers[len(layers) - moving :]:
        layer.requires_grad_(True)
    return moving


class FrozenLayers:
    """An encoder whose frozen layers read each of m windows once.

    What they give is kept when it is first computed, up to `HELD` bytes; above that nothing is kept and every epoch
    computes it again. A model that does not go on from there as it would from the text, which the first batch tells,
    computes it again too.
    """

    def __init__(self, encoder: SentenceTransformer, m: int) -> None:
        """Look which layers of the encoder are frozen."""
        self._encoder, self._layers = encoder, find_layers(encoder)
        self._still = list(_list_frozen(encoder))
        self._n_frozen = next((i for i, layer in enumerate(self._layers) if _is_trained(layer)), 0)
        self._entry = self._layers[self._n_frozen]
        above = sum(_count_trained(layer) for layer in self._layers[self._n_frozen :])
        self._keeps = self._n_frozen > 0 and above == _count_trained(encoder)
        self._tried = False
        self._starts, self._counts = np.full(m, -1, dtype=np.int64), np.zeros(m, dtype=np.int64)
        self._outputs, self._used = torch.empty(0, 0, dtype=torch.float16), 0

    def encode(self, tokens: Tokens, windows: IntArray) -> torch.Tensor:
        """Return the vectors of some windows, shape (k, d).

        Args:
            tokens: the k windows as the encoder reads them.
            windows: which of the m they are, shape (k,), each once.
        """
        for part in self._still:
            part.eval()
        if not self._keeps:
            return self._run(tokens)
        mask = tokens["attention_mask"].bool()
        if (self._starts[windows] < 0).any():
            return self._run(tokens, lambda hidden: self._keep(hidden, windows, mask))
        self._tried = self._tried or self._try(tokens, windows, mask)
        return self._go_on(tokens, windows, mask) if self._keeps else self._run(tokens)

    def _run(self, tokens: Tokens, change: Callable[[torch.Tensor], torch.Tensor] | None = None) -> torch.Tensor:
        """Run the encoder; `change` is given what enters the first layer that is trained and says what does."""
        if change is None:
            return cast(torch.Tensor, self._encoder(dict(tokens))["sentence_embedding"])
        hook = self._entry.register_forward_pre_hook(
            lambda _, given: (change(given[0]), *given[1:]) if given else None  # None where a model names what it gives
        )
        try:
            return self._run(tokens)
        finally:
            hook.remove()

    def _keep(self, hidden: torch.Tensor, windows: IntArray, mask: torch.Tensor) -> torch.Tensor:
        """Keep the outputs (k, length, d) of windows that are new; return them as precise as they will come back."""
        rounded = hidden.half()
        new = self._starts[windows] < 0
        counts = mask.sum(dim=1).cpu().numpy()[new]
        used = self._used + int(counts.sum())
        fits = hidden.shape[:2] == mask.shape and used * hidden.shape[-1] * rounded.element_size() <= HELD
        if not fits or not bool(rounded.isfinite().all()):
            self._keep_nothing()
            return hidden
        if used > len(self._outputs):
            grown = torch.empty(max(used, 2 * len(self._outputs)), hidden.shape[-1], dtype=torch.float16)
            grown[: self._used] = self._outputs[: self._used].view(self._used, grown.shape[1])
            self._outputs = grown
        chosen = mask & torch.from_numpy(new).to(mask.device)[:, None]
        self._outputs[self._used : used] = rounded[chosen].cpu()
        self._starts[windows[new]] = self._used + np.cumsum(counts) - counts
        self._counts[windows[new]] = counts
        self._used = used
        return rounded.to(hidden.dtype)

    def _go_on(self, tokens: Tokens, windows: IntArray, mask: torch.Tensor) -> torch.Tensor:
        """Return the vectors of windows that are kept: the embeddings are looked up, the frozen layers left out."""
        kept = self._outputs[torch.from_numpy(join_ranges(self._starts[windows], self._counts[windows]))]

        def put(hidden: torch.Tensor) -> torch.Tensor:
            placed = torch.zeros(*mask.shape, kept.shape[1], dtype=hidden.dtype, device=hidden.device)
            placed[mask] = kept.to(hidden.device, hidden.dtype)
            return placed

        with self._left_out():
            return self._run(tokens, put)

    @contextmanager
    def _left_out(self) -> Iterator[None]:
        """Take the frozen layers out of the encoder for as long as the block runs."""
        frozen = list(self._layers[: self._n_frozen])
        del self._layers[: self._n_frozen]
        try:
            yield
        finally:
            for position, layer in enumerate(frozen):
                self._layers.insert(position, layer)

    def _try(self, tokens: Tokens, windows: IntArray, mask: torch.Tensor) -> bool:
        """Compute a batch both ways, and keep nothing any more if the vectors differ; return True."""
        training = self._encoder.training
        self._encoder.eval()
        with torch.no_grad():
            expected = self._run(tokens)
            try:
                alike = cosine_similarity(self._go_on(tokens, windows, mask).float(), expected.float(), dim=-1)
            except FAILURES:
                alike = torch.zeros(1)
        self._encoder.train(training)
        for part in self._still:
            part.eval()
        if not bool((alike >= ALIKE).all()):
            logger.info("This encoder reads a text anew in every epoch: its lower layers cannot be left out")
            self._keep_nothing()
        return True

    def _keep_nothing(self) -> None:
        self._keeps, self._outputs = False, self._outputs[:0].clone()


def join_ranges(starts: IntArray, counts: IntArray) -> IntArray:
    """Return start, start + 1, ... of each range, one range after the other, shape (sum of counts,)."""
    return np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)


def _list_frozen(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the largest parts that have parameters and train none of them."""
    if not _is_trained(module):
        yield from [module] if any(True for _ in module.parameters()) else []
        return
    for child in module.children():
        yield from _list_frozen(child)


def _is_trained(module: nn.Module) -> bool:
    return _count_trained(module) > 0


def _count_trained(module: nn.Module) -> int:
    return sum(parameter.requires_grad for parameter in module.parameters())
