"""The encoder: the same vectors as plain sentence-transformers, each paid for once."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import file_digest
from hmltc_kedro.text import encoder as encoder_module
from hmltc_kedro.text import models
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.models import EMBEDDED, resolve_model
from hmltc_kedro.text.vector_cache import VectorCache
from hmltc_kedro.text.windows import cut_windows, encode_texts, normalise

TEXTS = [
    "Whistling kettle 2 l. Boils in no time",
    "a rope toy for dogs",
    "",
    "Ünïcödé ☕ " * 3,
    "long text " * 200,
]


@pytest.fixture
def fresh(encoder: TextEncoder, tmp_path: Path) -> TextEncoder:
    """Return the session's model with an empty cache."""
    return share_model(encoder, TextEncoder(max_length=64, device="cpu", cache=tmp_path / "cache.sqlite"))


def share_model(source: TextEncoder, target: TextEncoder) -> TextEncoder:
    target.__dict__.update(model=source.model, fingerprint=source.fingerprint, directory=source.directory)
    return target


@pytest.fixture
def tiny_model(tmp_path: Path) -> Path:
    """Return a directory with the files of a model that a fingerprint is made from."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "modules.json").write_text("[]")
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


# ---------------------------------------------------------------------- vectors


def test_vectors_agree_with_plain_sentence_transformers(fresh: TextEncoder) -> None:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(resolve_model(EMBEDDED)), device="cpu")
    plain.max_seq_length = 64
    expected = plain.encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(fresh.encode(TEXTS), expected, atol=1e-5)


def test_vectors_have_shape_type_and_unit_length(fresh: TextEncoder) -> None:
    vectors = fresh.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), fresh.dimension) == (5, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_order_and_duplicates_are_kept(fresh: TextEncoder) -> None:
    a, b = fresh.encode(["a cat", "a dog"])
    np.testing.assert_array_equal(fresh.encode(["a dog", "a cat", "a dog"]), [b, a, b])
    assert fresh.n_encoded == 2


def test_duplicates_are_encoded_once_without_a_cache(encoder: TextEncoder) -> None:
    bare = share_model(encoder, TextEncoder(max_length=64, device="cpu"))
    vectors = bare.encode(["a cat", "a cat"])
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert (bare.n_encoded, bare.n_cached) == (1, 1)


def test_no_texts_give_no_vectors(fresh: TextEncoder) -> None:
    assert fresh.encode([]).shape == (0, 384)


def test_text_is_cut_after_max_length(fresh: TextEncoder) -> None:
    short, long = fresh.encode(["cat " * 100, "cat " * 100 + "mortgage rates " * 50])
    np.testing.assert_allclose(short, long, atol=1e-5)


def test_saved_copy_of_the_model_is_a_model(encoder: TextEncoder, tmp_path: Path) -> None:
    encoder.model.save(str(tmp_path / "copy"))
    copy = TextEncoder(str(tmp_path / "copy"), max_length=64, device="cpu")
    assert copy.dimension == 384
    assert copy.encode([]).shape == (0, 384)
    np.testing.assert_allclose(copy.encode(["a cat"]), encoder.encode(["a cat"]), atol=1e-5)


def test_load_model_gives_a_copy_that_training_may_change(encoder: TextEncoder) -> None:
    copy = encoder.load_model()
    assert copy is not encoder.model
    assert copy.max_seq_length == 64
    next(copy.parameters()).data.zero_()
    assert next(encoder.model.parameters()).abs().sum() > 0


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
    assert "".join(windows) == text and len(windows) > 2
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
    short = [text for text in TEXTS if count_pieces(encoder, text) <= ROOM] + ["cat " * ROOM]
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


def test_encoder_reads_long_texts_in_windows_and_caches_them_apart(encoder: TextEncoder, tmp_path: Path) -> None:
    texts = ["cat " * 100 + "mortgage rates " * 50, "a dog"]
    cutting, reading = (
        TextEncoder(max_length=64, max_windows=n, device="cpu", cache=tmp_path / "c.sqlite") for n in (1, 8)
    )
    for one in (cutting, reading):
        one.__dict__["model"] = encoder.model
    first, windowed = cutting.encode(texts), reading.encode(texts)
    assert (reading.n_encoded, reading.n_cached) == (2, 0)
    assert not np.allclose(first[0], windowed[0], atol=0.05)
    np.testing.assert_allclose(first[1], windowed[1], atol=1e-6)
    np.testing.assert_array_equal(reading.encode(texts), windowed)
    assert reading.n_cached == 2


# ---------------------------------------------------------------------- cache


def test_second_encode_pays_for_nothing(fresh: TextEncoder, encoder: TextEncoder) -> None:
    first = fresh.encode(TEXTS)
    again = share_model(encoder, TextEncoder(max_length=64, device="cpu", cache=fresh._cache_path))
    del again.__dict__["model"]
    np.testing.assert_array_equal(again.encode(TEXTS[::-1]), first[::-1])
    assert (again.n_encoded, again.n_cached) == (0, len(TEXTS))
    assert "model" not in again.__dict__


def test_new_texts_alone_are_encoded(fresh: TextEncoder, caplog: pytest.LogCaptureFixture) -> None:
    fresh.encode(["a cat", "a dog"])
    with caplog.at_level(logging.INFO, "hmltc_kedro.text.encoder"):
        fresh.encode(["a dog", "a cow", "a cat"])
    assert fresh.n_encoded == 3
    assert "Encoding 1 texts, 2 more are cached" in caplog.text


def test_killed_run_resumes_where_the_last_chunk_ended(fresh: TextEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "CHUNK", 2)
    texts = [f"text number {i}" for i in range(6)]
    encode, calls = fresh.model.encode, []

    def die_in_the_third_chunk(chunk: list[str], **settings: object) -> object:
        calls.append(chunk)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(chunk, **settings)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fresh.model, "encode", die_in_the_third_chunk)
        fresh.encode(texts)
    resumed = share_model(fresh, TextEncoder(max_length=64, device="cpu", cache=fresh._cache_path))
    vectors = resumed.encode(texts)
    assert (resumed.n_encoded, resumed.n_cached) == (2, 4)
    np.testing.assert_allclose(vectors, encode(texts, normalize_embeddings=True), atol=1e-5)


def test_cache_returns_what_it_has_and_keeps_the_first(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "deep" / "cache.sqlite")
    keys = [bytes([i]) * 32 for i in range(3)]
    cache.put(keys[:2], np.eye(2, dtype=np.float32))
    cache.put(keys[:1], np.full((1, 2), 7, dtype=np.float32))
    cache.close()
    found = VectorCache(tmp_path / "deep" / "cache.sqlite").get(keys)
    assert {k: v.tolist() for k, v in found.items()} == {keys[0]: [1, 0], keys[1]: [0, 1]}


# ---------------------------------------------------------------------- fingerprint


def test_other_max_length_is_another_fingerprint(tiny_model: Path) -> None:
    short, long = (TextEncoder(str(tiny_model), max_length=n).fingerprint for n in (64, 128))
    assert short != long


def test_windows_are_in_the_fingerprint_and_one_is_as_none(tiny_model: Path) -> None:
    cut, one, many = (
        TextEncoder(str(tiny_model), **n).fingerprint for n in ({}, {"max_windows": 1}, {"max_windows": 2})
    )
    assert cut == one != many


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "modules.json"])
def test_other_weights_or_architecture_are_another_fingerprint(tiny_model: Path, file: str) -> None:
    before = TextEncoder(str(tiny_model)).fingerprint
    (tiny_model / file).write_bytes(b"[1]")
    assert TextEncoder(str(tiny_model)).fingerprint != before


def test_fingerprint_depends_on_neither_place_nor_batch_size_nor_notes(tiny_model: Path, tmp_path: Path) -> None:
    before = TextEncoder(str(tiny_model)).fingerprint
    shutil.copytree(tiny_model, tmp_path / "moved")
    (tmp_path / "moved" / "README.md").write_text("notes")
    assert TextEncoder(str(tmp_path / "moved"), batch_size=1).fingerprint == before


# ---------------------------------------------------------------------- which model


def test_embedded_weights_have_the_published_digest() -> None:
    assert file_digest(resolve_model(EMBEDDED) / "model.safetensors") == models.EMBEDDED_DIGEST


def test_tampered_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "tampered_minilm"
    shutil.copytree(resolve_model(EMBEDDED), package / "model")
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(models, "EMBEDDED_PACKAGE", "tampered_minilm")
    assert resolve_model(EMBEDDED) == package / "model"
    with (package / "model" / "model.safetensors").open("r+b") as weights:
        weights.seek(-1, 2)
        last = weights.read(1)
        weights.seek(-1, 2)
        weights.write(bytes([last[0] ^ 1]))
    with pytest.raises(InputError, match=r"model\.safetensors: not the published weights .* reinstall"):
        resolve_model(EMBEDDED)


def test_missing_package_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "EMBEDDED_PACKAGE", "there_is_no_such_package")
    with pytest.raises(InputError, match="is not installed; run `make run`"):
        resolve_model(EMBEDDED)


def test_directory_without_a_model_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no modules\.json; an encoder is a sentence-transformers directory"):
        resolve_model(str(tmp_path))


@pytest.mark.parametrize("name", ["nobody/no-such-model", "not even a name", "/no/such/directory"])
def test_name_that_is_not_to_be_had_is_an_input_error_without_network(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="neither a directory nor to be had from the hub .* a directory or a hub name"):
        resolve_model(name)


def test_making_an_encoder_reads_no_model() -> None:
    assert (
        repr(TextEncoder("nobody/no-such-model", max_length=7)) == "TextEncoder('nobody/no-such-model', max_length=7)"
    )
