"""Documents and classes by their words: the lexical view beside the dense ones.

A sentence vector blurs what a single word settles: a brand, a gene, a model number. TF-IDF cosines find those.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.texts import Texts, read_texts
from hmltc_kedro.text.words import TOKEN_PATTERN, separate_words

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer


COMMON = 10_000
"""Documents of which one at least has a word that is no class's; of 20,000 documents two. What is rarer goes.

Of the 325,000 pairs in 13,140 reviews of Amazon-531 73 % are in one of them, and say nothing of another document.
"""

BLOCK = 4096
"""Documents scored at a time."""


@dataclass(frozen=True, eq=False)
class LexicalView:
    """TF-IDF cosines of documents and classes, in units of their spread over the corpus.

    Words and pairs of neighbouring words of any script (`words`), 1 + ln(count), no list of stop words. The words'
    rarity is the corpus': a document that comes later is weighed as one of it would be.

    Attributes:
        words: the V words and pairs of the corpus, in alphabetical order; of large corpora the common ones and those of
            classes, see `COMMON`.
        idf: ln((1 + N) / (1 + documents with the word)) + 1, shape (V,), float32.
        classes: the classes' TF-IDF vectors of unit length, divided by the spread; sparse (C, V), float32.
    """

    words: tuple[str, ...]
    idf: FloatArray
    classes: sparse.csr_array

    @classmethod
    def fit(cls, texts: Texts, class_texts: Sequence[str]) -> LexicalView:
        """Learn words, rarity and spread from a corpus of N texts; nothing, if no text has a word."""
        from sklearn.preprocessing import normalize  # two thirds of a second to import

        vectorizer, texts = _make_vectorizer(), read_texts(texts)
        try:
            documents = sparse.csr_array(vectorizer.fit_transform(texts))
        except ValueError:  # scikit-learn's "empty vocabulary"
            return cls.empty(len(class_texts))
        classes = sparse.csr_array(vectorizer.transform(class_texts))
        kept = np.bincount(documents.indices, minlength=documents.shape[1]) >= len(texts) // COMMON
        kept[classes.indices] = True
        if not kept.all():
            documents = sparse.csr_array(normalize(documents[:, kept], copy=False))
        classes = classes[:, kept]
        spread = _measure_spread(documents, classes)
        words = tuple(str(word) for word in vectorizer.get_feature_names_out()[kept])
        scaled = classes / spread if spread > 0 else classes * 0
        return cls(words, vectorizer.idf_[kept].astype(np.float32), sparse.csr_array(scaled, dtype=np.float32))

    @classmethod
    def empty(cls, n_classes: int) -> LexicalView:
        """Return a view of no word, in which every score is 0."""
        return cls((), np.zeros(0, dtype=np.float32), sparse.csr_array((n_classes, 0), dtype=np.float32))

    @cached_property
    def _vectorizer(self) -> TfidfVectorizer:
        vectorizer = _make_vectorizer({word: column for column, word in enumerate(self.words)})
        vectorizer.idf_ = self.idf
        return vectorizer

    def represent(self, texts: Texts) -> sparse.csr_array:
        """Return the TF-IDF vectors of texts: sparse (n, V), float32, unit length; a text of unknown words is zero."""
        texts = read_texts(texts)
        if not self.words or not texts:
            return sparse.csr_array((len(texts), len(self.words)), dtype=np.float32)
        return sparse.csr_array(self._vectorizer.transform(texts), dtype=np.float32)

    def score(self, documents: sparse.csr_array) -> FloatArray:
        """Return the scores of documents from `represent`: (n, C), float32, 0 or more."""
        return np.asarray((documents @ self._by_word).toarray(), dtype=np.float32)

    @cached_property
    def _by_word(self) -> sparse.csr_array:
        """The classes by word, (V, C): turned once, for the product would turn them at every call."""
        return sparse.csr_array(self.classes.T)

    # ------------------------------------------------------------------ tables and files

    def to_frame(self, taxonomy: Taxonomy) -> pd.DataFrame:
        """Return one row a word: word, idf, class_ids (those it stands for) and weights (one each)."""
        columns = self.classes.tocsc()
        columns.sort_indices()
        bounds = list(zip(columns.indptr[:-1], columns.indptr[1:], strict=True))
        ids = np.array(taxonomy.class_ids, dtype=object)[columns.indices]
        return pd.DataFrame(
            {
                "word": pd.Series(self.words, dtype="str"),
                "idf": self.idf,
                "class_ids": pd.Series([list(ids[a:b]) for a, b in bounds], dtype=object),
                "weights": pd.Series([columns.data[a:b] for a, b in bounds], dtype=object),
            }
        )

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, taxonomy: Taxonomy) -> LexicalView:
        """Return the view that `to_frame` was called on."""
        if frame.empty:
            return cls.empty(len(taxonomy))
        counts = frame["class_ids"].map(len).to_numpy()
        rows = np.array([taxonomy.index[i] for ids in frame["class_ids"] for i in ids], dtype=np.int64)
        columns = np.repeat(np.arange(len(frame)), counts)
        values = np.concatenate([np.asarray(w, dtype=np.float32) for w in frame["weights"]])
        classes = sparse.csr_array((values, (rows, columns)), shape=(len(taxonomy), len(frame)), dtype=np.float32)
        return cls(tuple(frame["word"]), frame["idf"].to_numpy(np.float32), classes)

    def save(self, directory: Path) -> None:
        """Write `words.json` and `lexical.safetensors` into a directory."""
        from safetensors.numpy import save_file

        (directory / "words.json").write_text(json.dumps(self.words, ensure_ascii=False), "utf-8")
        parts = {
            "idf": self.idf,
            "values": self.classes.data,
            "columns": self.classes.indices.astype(np.int64),
            "starts": self.classes.indptr.astype(np.int64),
        }
        save_file({name: np.ascontiguousarray(part) for name, part in parts.items()}, directory / "lexical.safetensors")

    @classmethod
    def load(cls, directory: Path) -> LexicalView:
        """Read what `save` wrote; a ValueError if the two files do not belong together."""
        from safetensors.numpy import load_file

        words = tuple(json.loads((directory / "words.json").read_text("utf-8")))
        parts = load_file(directory / "lexical.safetensors")
        if len(parts["idf"]) != len(words):
            raise ValueError(f"{len(words)} words in words.json for {len(parts['idf'])} in lexical.safetensors")
        shape = (len(parts["starts"]) - 1, len(words))
        return cls(words, parts["idf"], sparse.csr_array((parts["values"], parts["columns"], parts["starts"]), shape))


def _make_vectorizer(vocabulary: dict[str, int] | None = None) -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer  # two thirds of a second to import

    return TfidfVectorizer(
        preprocessor=separate_words,
        token_pattern=TOKEN_PATTERN,
        ngram_range=(1, 2),
        sublinear_tf=True,
        vocabulary=vocabulary,
        dtype=np.float32,
    )


def _measure_spread(documents: sparse.csr_array, classes: sparse.csr_array) -> float:
    """Return the standard deviation of all N x C cosines, block by block."""
    total = squares = 0.0
    for start in range(0, documents.shape[0], BLOCK):
        block = documents[start : start + BLOCK] @ classes.T
        total += float(block.sum(dtype=np.float64))
        squares += float(block.multiply(block).sum(dtype=np.float64))
    count = documents.shape[0] * classes.shape[0]
    return float(np.sqrt(max(squares / count - (total / count) ** 2, 0.0)))
