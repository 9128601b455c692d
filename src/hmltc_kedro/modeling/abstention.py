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
from hmltc_kedro.text.texts import Texts, read_texts
from hmltc_kedro.text.words import UNSPACED

N_NULLS = 200
"""Documents about nothing, enough for a median."""


_WORD = re.compile(rf"[{UNSPACED}]{{1,2}}|[^\s{UNSPACED}]+")
"""A word, or two characters of a script that does not set words apart: its texts would stay whole by their spaces."""


def write_null_documents(texts: Texts, count: int = N_NULLS) -> list[str]:
    """Return texts about nothing: each as long as some document, of words drawn from the whole corpus.

    The draw is the same each time, so that a null document is encoded once however often a classifier is trained.

    Args:
        texts: of the corpus.
        count: texts to write; fewer documents give as many.
    """
    texts, rng = read_texts(texts), np.random.default_rng(0)
    chosen = [_WORD.findall(texts[row]) for row in rng.choice(len(texts), min(count, len(texts)), replace=False)]
    drawn = [texts[row] for row in rng.choice(len(texts), min(10 * count, len(texts)), replace=False)]
    words = [word for text in drawn for word in _WORD.findall(text)]
    # Numbers are drawn and not words: an array of words gives each the room of the longest.
    return [" ".join(words[i] for i in rng.choice(len(words), max(len(text), 1))) for text in chosen]


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
