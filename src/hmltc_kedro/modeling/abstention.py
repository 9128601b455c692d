"""Documents that fit no class: flagged, where a label set must be given all the same.

Every document gets its best path, also one about something the taxonomy does not know. How good a path looks by chance
is measured on documents about nothing: words of the corpus in no order, from no one document.
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np

from hmltc_kedro.arrays import BoolArray, FloatArray
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.decoding.paths import DecodedPaths
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.samples import draw_rows, key_texts
from hmltc_kedro.text.texts import Texts, read_texts
from hmltc_kedro.text.words import UNSPACED

N_NULLS = 200
"""Documents about nothing, enough for a median."""

N_SOURCES = 16
"""Documents that the words of a null document come from: enough for no topic, few enough that a new one seldom is one.

On `amazon_toys_uk` the share of documents below the median null is 4 to 5 % with words of the whole corpus, 5 to 7 %
with those of 16 documents and 6 to 10 % with those of 8, over three or four draws.
"""

SEED = 0

_WORD = re.compile(rf"[{UNSPACED}]{{1,2}}|[^\s{UNSPACED}]{{1,64}}")
"""A word, or two characters of a script that does not set words apart: its texts would stay whole by their spaces.

What is longer than any word, such as an attachment in base64, is cut: drawn whole a few times it would fill the memory.
"""


def write_null_documents(texts: Texts, count: int = N_NULLS) -> list[str]:
    """Return texts about nothing: each as long as some document, its words in turn from `N_SOURCES` documents.

    Long documents are drawn more often, so that words are as frequent as in the corpus. The texts are the same each
    time, and most of them stay when documents are added, see `samples`: those are written anew, and encoded, that get a
    new document as a source or for their length.

    Args:
        texts: of the corpus.
        count: texts to write; fewer documents give as many.
    """
    texts = read_texts(texts)
    keys, sizes = key_texts(texts), np.array([max(len(text), 1) for text in texts], dtype=np.float64)

    @cache  # a long document is a source of many
    def split(row: int) -> list[str]:
        return _WORD.findall(texts[row])

    def write(row: int) -> str:
        length, seed = max(len(split(row)), 1), int(keys[row])
        rows = draw_rows(keys, min(length, N_SOURCES), seed, sizes).tolist()
        sources = [words for words in map(split, rows) if words] or [[""]]
        places = np.random.default_rng(seed).random(length)
        turns = (sources[turn % len(sources)] for turn in range(length))
        return " ".join(words[int(place * len(words))] for words, place in zip(turns, places, strict=True))

    return [write(row) for row in draw_rows(keys, count, SEED).tolist()]


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
