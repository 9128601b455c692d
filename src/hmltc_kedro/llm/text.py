"""Cleaning of text that comes from outside: names, documents and what a model writes."""

from __future__ import annotations

import unicodedata

STRIPPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories without a place in a line: controls, invisible marks, half characters."""

JOINERS = frozenset("\u200c\u200d")
"""Invisible marks that spell words in Persian and Indic scripts."""


def clean_text(text: str) -> str:
    """Return `text` as one line; controls and runs of white space become one space."""
    kept = (" " if unicodedata.category(ch) in STRIPPED and ch not in JOINERS else ch for ch in text)
    return " ".join("".join(kept).split())
