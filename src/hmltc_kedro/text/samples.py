"""Samples of texts that stay as they are, but for the share of the new ones, when texts are added.

A text's place in the draw comes from what it says and not from where it stands: the k that hash lowest are the sample,
and of n texts that come to N some k n / (N + n) take a place. Drawn by row numbers all of it would be another.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hmltc_kedro.arrays import DoubleArray, IntArray

Keys = NDArray[np.uint64]
"""One number a text, as good as random."""


def key_texts(texts: Sequence[str]) -> Keys:
    """Return a key for each of n texts, shape (n,): by content, and for copies of one text by their number."""
    copies: Counter[str] = Counter()
    keys = np.empty(len(texts), dtype=np.uint64)
    for row, text in enumerate(texts):
        digest = hashlib.blake2b(f"{copies[text]}\0{text}".encode(), digest_size=8)
        keys[row] = int.from_bytes(digest.digest(), "little")
        copies[text] += 1
    return keys


def draw_rows(keys: Keys, size: int, seed: int, weights: DoubleArray | None = None) -> IntArray:
    """Return the rows of a sample of at most `size`, in an order that is as random: lowest hash first.

    Args:
        keys: of n texts, shape (n,).
        size: of the sample.
        seed: another one draws another sample.
        weights: how likely each text is to come first, positive, shape (n,); None for all alike. A hash u becomes
            -log(u) / weight (Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006).
    """
    mixed = mix(keys ^ mix(np.array([seed], dtype=np.uint64)))
    order = mixed if weights is None else -np.log((mixed.astype(np.float64) + 0.5) / 2.0**64) / weights
    size = min(size, len(order))
    lowest = np.argpartition(order, size - 1)[:size] if size else np.zeros(0, dtype=np.int64)
    return lowest[np.lexsort((mixed[lowest], order[lowest]))]


def mix(keys: Keys) -> Keys:
    """Return keys whose every bit depends on all bits of the old ones (the finalizer of SplitMix64)."""
    keys = keys + np.uint64(0x9E3779B97F4A7C15)  # arrays wrap round, as they should
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(keys ^ (keys >> np.uint64(31)))
