"""Long texts are read in windows: every character in exactly one, and short texts as ever."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmltc_kedro.errors import InputError
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.windows import cut_windows, encode_texts, normalise
from small_corpus import ODD_TEXTS

# ---------------------------------------------------------------------- vectors


def test_normalise_keeps_a_zero_row() -> None:
    np.testing.assert_array_equal(normalise(np.array([[3, 4], [0, 0]], np.float32)), np.float32([[0.6, 0.8], [0, 0]]))


# ---------------------------------------------------------------------- windows of long texts


ROOM = 62
"""Word pieces of a text that the model of these tests reads at once: 64 less [CLS] and [SEP]."""


def count_pieces(encoder: TextEncoder, text: str) -> int:
    return len(encoder.model.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def cut(encoder: TextEncoder, text: str, max_windows: int = 1000) -> list[str]:
    return cut_windows(encoder.model, [text], max_windows)[0]


@pytest.mark.parametrize(
    ("words", "lengths"),
    [(1, [1]), (62, [62]), (63, [31, 32]), (124, [62, 62]), (125, [41, 42, 42]), (300, [60] * 5)],
)
def test_long_text_is_cut_into_few_windows_of_nearly_equal_length(
    encoder: TextEncoder, words: int, lengths: list[int]
) -> None:
    text = "cat " * words
    windows = cut(encoder, text)
    assert "".join(windows) == text
    assert [count_pieces(encoder, window) for window in windows] == lengths


def set_prompt(encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch, words: int) -> None:
    monkeypatch.setattr(encoder.model, "prompts", {"topic": "topic " * words, "other": "x"})
    monkeypatch.setattr(encoder.model, "default_prompt_name", "topic")


@pytest.mark.parametrize(("words", "lengths"), [(42, [42]), (43, [21, 22]), (84, [42, 42]), (85, [28, 28, 29])])
def test_prompt_counts_against_the_room_of_a_window(
    encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch, words: int, lengths: list[int]
) -> None:
    set_prompt(encoder, monkeypatch, 20)
    windows = cut(encoder, "cat " * words)
    assert [count_pieces(encoder, window) for window in windows] == lengths


def test_word_behind_the_prompt_is_read(encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    set_prompt(encoder, monkeypatch, 40)
    kettles = ["kettle"] * 60
    late = [*kettles[:50], *["piano"] * 10]
    first, second = encode_texts(encoder.model, [" ".join(kettles), " ".join(late)], 8, 8)
    assert float(first @ second) < 0.99


def test_prompt_that_leaves_no_room_is_one_line(encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    set_prompt(encoder, monkeypatch, 62)
    with pytest.raises(InputError) as error:
        encode_texts(encoder.model, ["a cat"], 8, 8)
    assert str(error.value) == "the encoder's prompt takes 62 word pieces of 62 at once; raise max_length"


def test_windows_of_several_texts_know_their_owners(encoder: TextEncoder) -> None:
    texts = ["a cat", "dog " * 130, "", "rake " * 63, "x" * 70]
    windows, owners = cut_windows(encoder.model, texts, 8)
    assert owners.dtype == np.int64
    assert owners.tolist() == [0, 1, 1, 1, 2, 3, 3, 4]
    assert ["".join(w for w, owner in zip(windows, owners, strict=True) if owner == n) for n in range(5)] == texts


def test_windows_after_the_last_that_counts_are_left_out(encoder: TextEncoder) -> None:
    text = "".join(f"cat {number} " for number in range(200))
    every = cut(encoder, text)
    assert len(every) == 7
    assert cut(encoder, text, 3) == every[:3]
    assert cut(encoder, text, 7) == every
    assert cut(encoder, text, 1) == [text], "the model cuts it"


@pytest.mark.parametrize(
    "text",
    [" " * 500, "\n" * 500, "x" * 2000, "\u200b" * 500, ""],
    ids=["spaces", "lines", "one-word", "nothing", "empty"],
)
def test_text_of_few_pieces_stays_whole_however_long(encoder: TextEncoder, text: str) -> None:
    assert cut(encoder, text) == [text]
    vector = encode_texts(encoder.model, [text], 32, max_windows=8)
    np.testing.assert_allclose(np.linalg.norm(vector), 1, atol=1e-5)


def test_spaces_before_and_after_belong_to_the_outer_windows(encoder: TextEncoder) -> None:
    text = " " * 9 + "cat " * 100 + "\n" * 9
    first, last = cut(encoder, text)
    assert first + last == text
    assert first.startswith(" " * 9) and last.endswith("\n" * 9)


def test_word_that_fills_windows_is_cut_between_its_pieces(encoder: TextEncoder) -> None:
    text = " ".join(["electroencephalographically"] * 40)
    windows = cut(encoder, text)
    assert "".join(windows) == text
    assert len(windows) == -(-count_pieces(encoder, text) // ROOM)
    # A word that was cut may come out in other pieces; no window is over by more than those.
    assert max(count_pieces(encoder, window) for window in windows) <= ROOM + count_pieces(encoder, text) // 40


# Made of what word pieces stumble over: marks, characters that fold to several, unspaced scripts, emoji, no words.
PARTS = [
    "cat",
    "kettles ",
    "Ünïcödé",
    "手机壳",
    "ﬁ",
    "e\u0301",
    "☕",
    "👨‍👩‍👧",
    " ",
    "\n",
    "...",
    "हिन्दी ",
    "x" * 101,
    "\x00",
]


@settings(deadline=None, max_examples=60)
@given(
    parts=st.lists(st.sampled_from(PARTS) | st.text(max_size=9), max_size=12),
    times=st.integers(1, 25),
    cap=st.integers(2, 4),
)
def test_windows_of_any_text(encoder: TextEncoder, parts: list[str], times: int, cap: int) -> None:
    text = "".join(parts) * times
    windows = cut(encoder, text)
    assert "".join(windows) == text, "every character is in exactly one window"
    assert len(windows) == max(-(-count_pieces(encoder, text) // ROOM), 1)
    assert cut(encoder, text, cap) == windows[:cap]
    for window in windows:
        # A word that the cut goes through is read in pieces of its own, at most one a byte.
        longest = max((len(word.encode()) for word in window.split()), default=0)
        assert window and count_pieces(encoder, window) <= ROOM + longest or window == text


def test_short_texts_have_the_vectors_of_plain_encoding(encoder: TextEncoder) -> None:
    short = [text for text in ODD_TEXTS if count_pieces(encoder, text) <= ROOM] + ["cat " * ROOM]
    plain = encoder.model.encode(short, normalize_embeddings=True)
    np.testing.assert_allclose(encode_texts(encoder.model, short, 32, max_windows=8), plain, atol=1e-6)
    # Nor does a long text among them change theirs.
    among = encode_texts(encoder.model, [*short, "dog " * 300], 32, max_windows=8)
    np.testing.assert_allclose(among[:-1], plain, atol=1e-6)


def test_vector_of_a_long_text_is_the_mean_of_its_windows(encoder: TextEncoder) -> None:
    texts = ["a leash for the dog. " * 40, "a cat", "a rake for the garden. " * 20]
    found = encode_texts(encoder.model, texts, 2, max_windows=3)
    assert (found.shape, found.dtype) == ((3, 384), np.float32)
    for text, vector in zip(texts, found, strict=True):
        mean = encoder.model.encode(cut(encoder, text, 3), normalize_embeddings=True).mean(axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_tokenizer_that_does_not_know_where_its_pieces_lie_leaves_texts_whole(
    encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(encoder.model.tokenizer), "is_fast", False)
    assert cut(encoder, "cat " * 300) == ["cat " * 300]


def test_byte_level_pieces_are_counted_where_characters_are_few(encoder: TextEncoder) -> None:
    """50 characters in 150 pieces, one a byte: the length in characters says nothing."""

    class Bytes:
        is_fast = True

        def num_special_tokens_to_add(self) -> int:
            return 2

        def __call__(self, texts: list[str], **settings: object) -> dict[str, list[list[tuple[int, int]]]]:
            return {"offset_mapping": [[(i, i + 1) for i, c in enumerate(t) for _ in c.encode()] for t in texts]}

    class Model:
        max_seq_length = 64
        tokenizer = Bytes()

    windows, _ = cut_windows(Model(), ["手机壳很好" * 10, "cat"], 8)  # type: ignore[arg-type]
    assert [len(window) for window in windows] == [16, 17, 17, 3]
