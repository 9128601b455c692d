"""Documents that fit no class: flagged, where a label set must be given all the same.

Every document gets its best path, also one about something the taxonomy does not know. How good a path looks by chance
is measured on documents about nothing: words of the corpus in no order, from no one document.
"""

from __future__ import annotations

import re

import numpy as np

from hmltc_kedro.arrays import BoolArray, FloatArray
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.decoding.paths import DecodedPaths
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.samples import Keys, draw_rows, key_texts
from hmltc_kedro.text.texts import Texts, read_texts
from hmltc_kedro.text.words import UNSPACED

N_NULLS = 200
"""Documents about nothing, enough for a median."""

N_SOURCES = 8
"""Documents that the words of a null document come from: enough for no topic, and few that a new one may replace."""

SEED = 0

_WORD = re.compile(rf"[{UNSPACED}]{{1,2}}|[^\s{UNSPACED}]{{1,64}}")
"""A word, or two characters of a script that does not set words apart: its texts would stay whole by their spaces.

What is longer than any word, such as an attachment in base64, is cut: drawn whole a few times it would fill the memory.
"""


def write_null_documents(texts: Texts, count: int = N_NULLS) -> list[str]:
    """Return texts about nothing: each as long as some document, its words in turn from `N_SOURCES` others.

    They are the same each time, and most of them stay when documents are added, see `samples`: what is encoded again is
    that one in N / (n `N_SOURCES`) which has one of n new documents among the N as a source.

    Args:
        texts: of the corpus.
        count: texts to write; fewer documents give as many.
    """
    texts = read_texts(texts)
    keys = key_texts(texts)
    return [_write_null_document(texts, keys, row) for row in draw_rows(keys, count, SEED)]


def _write_null_document(texts: list[str], keys: Keys, row: int) -> str:
    """Return one null document, as long as the document `row` and drawn by its key."""
    length, seed = max(len(_WORD.findall(texts[row])), 1), int(keys[row])
    sources = [_WORD.findall(texts[source]) for source in draw_rows(keys, min(length, N_SOURCES), seed)]
    sources = [words for words in sources if words] or [[""]]
    places = np.random.default_rng(seed).random(length)
    turns = (sources[turn % len(sources)] for turn in range(length))
    return " ".join(words[int(place * len(words))] for words, place in zip(turns, places, strict=True))


def find_fitting(decoded: DecodedPaths, nulls: FloatArray, taxonomy: Taxonomy, settings: DecodingSettings) -> BoolArray:
    """Return which documents fit a class, shape (n,): those that score at least as `score_nulls` says.

    Args:
        decoded: paths of n documents; one without a path never fits.
        nulls: probabilities of m null documents, shape (m, C), which are decoded alike.
        taxonomy: of C classes.
        settings: that the documents were decoded with.
    """
    return np.asarray(decoded.scores[:, 0] >= score_nulls(nulls, taxonomy, settings))


def score_nulls(nulls: FloatArray, taxonomy: Taxonomy, settings: DecodingSettings) -> float:
    """Return the median score of the null documents' best paths.

    Below it, words in no order would more likely than not have done better. Without null documents it is 0: all fit.
    """
    # A threshold that is a quantile cannot be taken of no document.
    return float(np.median(decode(nulls, taxonomy, settings).scores[:, 0])) if len(nulls) else 0.0
