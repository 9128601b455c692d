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

SAME = 1e-5
"""Difference that there may be between vectors of the same outputs, with the frozen layers there and without."""

ALIKE = 0.9999
"""Least cosine of a vector from what is kept and the one from the text: half precision has 0.999995 in bfloat16."""

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

    What they give is kept when it is first computed, in memory, up to `HELD` bytes; where that is not enough nothing is
    kept and every epoch computes it again. So does a model that does not go on from there as it would with all its
    layers: T5, whose first layer gives the others the bias of positions, or one whose layers differ by their number.
    """

    def __init__(self, encoder: SentenceTransformer, m: int) -> None:
        """Look which layers of the encoder are frozen."""
        self._encoder, self._layers = encoder, find_layers(encoder)
        trained = [_count_trained(layer) for layer in self._layers]
        self._n_frozen = next((i for i, count in enumerate(trained) if count), len(trained))
        self._is_split = sum(trained) == _count_trained(encoder)  # nothing is trained but whole upper layers
        self._keeps = self._is_split and 0 < self._n_frozen < len(trained)
        self._entry = self._layers[self._n_frozen] if self._keeps else None
        self._tried = 0
        self._starts, self._counts = np.full(m, -1, dtype=np.int64), np.zeros(m, dtype=np.int64)
        self._outputs: torch.Tensor | None = None
        self._used = 0

    def encode(self, tokens: Tokens, windows: IntArray) -> torch.Tensor:
        """Return the vectors of some windows, shape (k, d).

        Args:
            tokens: the k windows as the encoder reads them.
            windows: which of the m they are, shape (k,), each once.
        """
        if not self._keeps or "attention_mask" not in tokens:
            with self._frozen_at_rest():
                return self._run(tokens)
        mask = tokens["attention_mask"].bool()
        if (self._starts[windows] < 0).any():
            with self._frozen_at_rest():
                return self._run(tokens, lambda hidden: self._keep(hidden, windows, mask))
        if mask.shape[1] > self._tried:  # a model may treat long texts in another way than short ones
            self._try(tokens, windows, mask)
        with self._frozen_at_rest():
            return self._go_on(tokens, windows, mask) if self._keeps else self._run(tokens)

    @contextmanager
    def _frozen_at_rest(self) -> Iterator[None]:
        """Leave no dropout on but in the layers that are trained."""
        training = self._encoder.training
        if self._is_split:
            self._encoder.eval()
            for layer in self._layers[self._n_frozen :]:
                layer.train(training)
        try:
            yield
        finally:
            self._encoder.train(training)

    def _run(self, tokens: Tokens, change: Callable[[torch.Tensor], torch.Tensor] | None = None) -> torch.Tensor:
        """Run the encoder; `change` is given what enters the first layer that is trained and says what does."""
        if change is None:
            # copies: some poolings leave a prompt out by writing into the mask
            copies = {name: each.clone() if isinstance(each, torch.Tensor) else each for name, each in tokens.items()}
            return cast(torch.Tensor, self._encoder(copies)["sentence_embedding"])
        assert self._entry is not None
        hook = self._entry.register_forward_pre_hook(
            lambda _, given: (change(given[0]), *given[1:]) if given else None  # None where a model names what it gives
        )
        try:
            return self._run(tokens)
        finally:
            hook.remove()

    def _keep(self, hidden: torch.Tensor, windows: IntArray, mask: torch.Tensor) -> torch.Tensor:
        """Keep the outputs (k, length, d) of windows that are new; return them as precise as they will come back."""
        rounded = hidden.detach().half()
        if hidden.shape[:2] != mask.shape or not bool(rounded.isfinite().all()):
            self._keep_nothing("what its lower layers give is not kept")
            return hidden
        if self._outputs is None:
            self._outputs = self._make_room(hidden.shape[-1])
        new = self._starts[windows] < 0
        counts = mask.sum(dim=1).cpu().numpy()[new]
        used = self._used + int(counts.sum())
        if used > len(self._outputs):
            self._keep_nothing("what its lower layers give takes too much memory")
            return hidden
        chosen = mask & torch.from_numpy(new).to(mask.device)[:, None]
        self._outputs[self._used : used] = rounded[chosen].cpu()
        self._starts[windows[new]] = self._used + np.cumsum(counts) - counts
        self._counts[windows[new]] = counts
        self._used = used
        return rounded.to(hidden.dtype)

    def _make_room(self, d: int) -> torch.Tensor:
        """Set addresses aside for all that may come; they take memory as they are written to."""
        longest = self._encoder.max_seq_length or HELD
        rows = min(len(self._starts) * longest, HELD // (d * torch.float16.itemsize))
        try:
            return torch.empty(rows, d, dtype=torch.float16)
        except RuntimeError:  # there are not even addresses
            return torch.empty(0, d, dtype=torch.float16)

    def _go_on(self, tokens: Tokens, windows: IntArray, mask: torch.Tensor, *, whole: bool = False) -> torch.Tensor:
        """Return the vectors of windows that are kept: the embeddings are looked up, the frozen layers left out.

        Where the encoder is to be `whole` they compute, and what is kept takes the place of what they give.
        """
        assert self._outputs is not None
        kept = self._outputs[torch.from_numpy(join_ranges(self._starts[windows], self._counts[windows]))]

        def put(hidden: torch.Tensor) -> torch.Tensor:
            placed = torch.zeros(*mask.shape, kept.shape[1], dtype=hidden.dtype, device=hidden.device)
            placed[mask] = kept.to(hidden.device, hidden.dtype)
            return placed

        if whole:
            return self._run(tokens, put)
        with self._left_out():
            return self._run(tokens, put)

    @contextmanager
    def _left_out(self) -> Iterator[None]:
        """Take the frozen layers out of the encoder for as long as the block runs."""
        layers = self._layers._modules
        self._layers._modules = {str(i): layer for i, layer in enumerate(self._layers[self._n_frozen :])}
        try:
            yield
        finally:
            self._layers._modules = layers

    def _try(self, tokens: Tokens, windows: IntArray, mask: torch.Tensor) -> None:
        """Compute a batch from the text, and from what is kept with the frozen layers there and without.

        Keep nothing any more if these differ: the model goes by the number of a layer, or by what is around a text.
        """
        training = self._encoder.training
        self._encoder.eval()
        with torch.no_grad():
            read, expected = self._run(tokens), self._go_on(tokens, windows, mask, whole=True)
            try:
                alike = torch.allclose(self._go_on(tokens, windows, mask), expected, rtol=0, atol=SAME)
            except FAILURES:
                alike = False
            alike = alike and bool((cosine_similarity(read.float(), expected.float(), dim=-1) >= ALIKE).all())
        torch.clear_autocast_cache()  # casts made without gradients are not for what follows
        self._encoder.train(training)
        self._tried = mask.shape[1]
        if not alike:
            self._keep_nothing("its lower layers cannot be left out")

    def _keep_nothing(self, reason: str) -> None:
        logger.info("The encoder reads the texts anew in every epoch: %s", reason)
        self._keeps, self._outputs = False, None


def join_ranges(starts: IntArray, counts: IntArray) -> IntArray:
    """Return start, start + 1, ... of each range, one range after the other, shape (sum of counts,)."""
    return np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)


def _count_trained(module: nn.Module) -> int:
    return sum(parameter.requires_grad for parameter in module.parameters())
