"""What a classifier sees of texts: vectors, lengths, words and windows, text by text."""

import numpy as np
import pytest

from hmltc_kedro.enrichment.class_texts import write_lexical_texts
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.features import read_features
from hmltc_kedro.text.lexical_view import LexicalView

TEXTS = ["a cat", "a leash for the dog. " * 40, "", "a rake", "tools for the garden. " * 20]


@pytest.fixture(scope="module")
def reader() -> TextEncoder:
    """Return an encoder that reads long texts in up to three windows of 62 word pieces."""
    return TextEncoder(max_length=64, max_windows=3, device="cpu")


def test_vectors_and_lengths_are_those_of_the_texts(encoder: TextEncoder) -> None:
    features = read_features(TEXTS, encoder, None, with_windows=False)
    assert len(features) == 5
    np.testing.assert_array_equal(features.vectors, encoder.encode(TEXTS))
    assert features.lengths.tolist() == [5, 840, 0, 6, 440]
    assert features.lengths.dtype == np.int64
    assert features.words is None and features.windows is None


def test_words_are_those_of_the_lexical_view(encoder: TextEncoder, diamond: Taxonomy) -> None:
    view = LexicalView.fit(TEXTS, write_lexical_texts(diamond))
    words = read_features(TEXTS, encoder, view, with_windows=False).words
    assert words is not None and words.shape == (5, len(view.words))
    np.testing.assert_array_equal(words.toarray(), view.represent(TEXTS).toarray())


def test_windows_of_each_text_follow_those_of_the_text_before(reader: TextEncoder) -> None:
    windows = read_features(TEXTS, reader, None, with_windows=True).windows
    assert windows is not None
    # "a leash for the dog." is six word pieces or more, 40 times: four windows or more, of which three count;
    # "tools for the garden." is five, 20 times: 100, two windows.
    assert windows.starts.tolist() == [0, 1, 4, 5, 6, 8]
    assert len(windows.texts) == 8
    assert [windows.texts[i] for i in (0, 4, 5)] == ["a cat", "", "a rake"]
    assert "".join(windows.texts[6:8]) == TEXTS[4]
    assert TEXTS[1].startswith("".join(windows.texts[1:4]))


def test_no_text_has_no_features(reader: TextEncoder) -> None:
    features = read_features([], reader, None, with_windows=True)
    assert len(features) == 0 and features.vectors.shape == (0, 384)
    assert features.windows is not None
    assert (features.windows.texts, features.windows.starts.tolist()) == ([], [0])


def test_texts_are_encoded_once(encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts: asked.append(list(texts)) or encode(texts))
    read_features(TEXTS, encoder, None, with_windows=True)
    assert asked == [TEXTS]
