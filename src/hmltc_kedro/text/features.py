"""What a classifier sees of texts: read from them once, by row number from then on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from hmltc_kedro.arrays import FloatArray, IntArray
from hmltc_kedro.text.texts import Texts, read_texts
from hmltc_kedro.text.windows import cut_windows

if TYPE_CHECKING:
    from hmltc_kedro.text.encoder import TextEncoder
    from hmltc_kedro.text.lexical_view import LexicalView


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of n texts, for an encoder that is trained: its vectors change with it.

    Attributes:
        texts: m >= n windows, those of one text after those of the one before.
        starts: where the windows of each text begin, shape (n + 1,); the last one is m.
    """

    texts: list[str]
    starts: IntArray


@dataclass(frozen=True, eq=False)
class TextFeatures:
    """The features of n texts.

    Attributes:
        vectors: of the frozen encoder, unit length, shape (n, d).
        lengths: of the texts in characters, shape (n,): batches of similar lengths waste less.
        words: TF-IDF vectors of the lexical view, sparse (n, V); None without one.
        windows: None where the encoder stays frozen.
    """

    vectors: FloatArray
    lengths: IntArray
    words: sparse.csr_array | None = None
    windows: Windows | None = None

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.vectors)


def read_features(
    texts: Texts, encoder: TextEncoder, lexical: LexicalView | None, *, with_windows: bool
) -> TextFeatures:
    """Return the features of texts.

    Args:
        texts: n texts.
        encoder: gives the vectors, from its cache where it can.
        lexical: gives the words; None for none.
        with_windows: for an encoder that is going to be trained.
    """
    texts, windows = read_texts(texts), None
    if with_windows:
        parts, owners = cut_windows(encoder.model, texts, encoder.max_windows)
        windows = Windows(parts, np.searchsorted(owners, np.arange(len(texts) + 1)))
    return TextFeatures(
        encoder.encode(texts),
        np.array([len(text) for text in texts], dtype=np.int64),
        lexical.represent(texts) if lexical is not None else None,
        windows,
    )
