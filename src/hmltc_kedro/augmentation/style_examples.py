"""Texts shown to a model as examples of style, and the duplicates among those it writes."""

from __future__ import annotations

import hashlib
import heapq
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from hmltc_kedro.display import shorten
from hmltc_kedro.llm.text import clean_text

SHINGLE = 3
"""Words a shingle: the unit in which two texts are compared."""


def draw_pool(texts: Iterable[str], size: int = 200, seed: int = 42) -> list[str]:
    """Return `size` texts that stand for the collection, the same while it hardly changes.

    Each text is ranked by a hash of itself, so that 100 new documents move few places in the pool,
    and few prompts with it: a prompt that changes is paid for again.
    """
    return heapq.nsmallest(size, dict.fromkeys(texts), key=lambda text: _rank(seed, "", text))


def draw_examples(
    pool: Sequence[str], class_id: str, count: int, seed: int = 42, max_characters: int = 400
) -> list[str]:
    """Return `count` texts of the pool for a class, shortest first, each cut at a word."""
    chosen = heapq.nsmallest(count, pool, key=lambda text: _rank(seed, class_id, text))
    return sorted((shorten(clean_text(text), max_characters) for text in chosen), key=len)


def normalise_text(text: str) -> str:
    """Return a text without what does not count: case, encoding, punctuation, spacing."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", folded))


def distinct_texts(texts: Sequence[str], known: Iterable[str] = (), threshold: float = 0.6) -> list[str]:
    """Return `texts` without those that repeat an earlier one or a `known` one, exactly or nearly.

    Two texts are nearly the same if their sets of word triples A and B have |A∩B| / |A∪B| ≥
    `threshold` after normalisation. A text without a word counts as a repetition.
    """
    index: dict[str, list[int]] = {}
    sizes: list[int] = []
    for text in known:
        _add(_shingles(text), index, sizes)
    kept = []
    for text in texts:
        shingles = _shingles(text)
        shared = Counter(i for shingle in shingles for i in index.get(shingle, ()))
        near = any(n >= threshold * (len(shingles) + sizes[i] - n) for i, n in shared.items())
        if shingles and not near:
            _add(shingles, index, sizes)
            kept.append(text)
    return kept


def _add(shingles: set[str], index: dict[str, list[int]], sizes: list[int]) -> None:
    for shingle in shingles:
        index.setdefault(shingle, []).append(len(sizes))
    sizes.append(len(shingles))


def _shingles(text: str) -> set[str]:
    """Return the word triples of a text; of a shorter one all its words as one."""
    words = normalise_text(text).split()
    if not words:
        return set()
    last = max(1, len(words) - SHINGLE + 1)
    return {" ".join(words[i : i + SHINGLE]) for i in range(last)}


def _rank(seed: int, class_id: str, text: str) -> bytes:
    key = f"{seed}\0{class_id}\0{text}".encode("utf-8", errors="replace")
    return hashlib.blake2b(key, digest_size=16).digest()
