"""The encoder: the same vectors as plain sentence-transformers, each paid for once."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from hmltc_kedro.errors import InputError
from hmltc_kedro.text import encoder as encoder_module
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.models import EMBEDDED, resolve_model
from small_corpus import ODD_TEXTS


@pytest.fixture
def fresh(encoder: TextEncoder, tmp_path: Path) -> TextEncoder:
    """Return the session's model with an empty cache."""
    return share_model(
        encoder, TextEncoder(max_length=64, max_windows=1, device="cpu", cache=tmp_path / "cache.sqlite")
    )


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
    expected = plain.encode(ODD_TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(fresh.encode(ODD_TEXTS), expected, atol=1e-5)


def test_vectors_have_shape_type_and_unit_length(fresh: TextEncoder) -> None:
    vectors = fresh.encode(ODD_TEXTS)
    assert vectors.shape == (len(ODD_TEXTS), fresh.dimension) == (5, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_order_and_duplicates_are_kept(fresh: TextEncoder) -> None:
    a, b = fresh.encode(["a cat", "a dog"])
    np.testing.assert_array_equal(fresh.encode(["a dog", "a cat", "a dog"]), [b, a, b])
    assert fresh.n_encoded == 2


def test_duplicates_are_encoded_once_without_a_cache(encoder: TextEncoder) -> None:
    bare = share_model(encoder, TextEncoder(max_length=64, max_windows=1, device="cpu"))
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
    before = [parameter.clone() for parameter in encoder.model.parameters()]
    copy = encoder.load_model()
    assert copy is not encoder.model
    assert copy.max_seq_length == 64
    for parameter in copy.parameters():
        parameter.data.zero_()
    for parameter, value in zip(encoder.model.parameters(), before, strict=True):
        assert parameter.equal(value)


# ---------------------------------------------------------------------- windows of long texts


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
    first = fresh.encode(ODD_TEXTS)
    again = share_model(encoder, TextEncoder(max_length=64, max_windows=1, device="cpu", cache=fresh._cache_path))
    del again.__dict__["model"]
    np.testing.assert_array_equal(again.encode(ODD_TEXTS[::-1]), first[::-1])
    assert (again.n_encoded, again.n_cached) == (0, len(ODD_TEXTS))
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
    resumed = share_model(fresh, TextEncoder(max_length=64, max_windows=1, device="cpu", cache=fresh._cache_path))
    vectors = resumed.encode(texts)
    assert (resumed.n_encoded, resumed.n_cached) == (2, 4)
    np.testing.assert_allclose(vectors, encode(texts, normalize_embeddings=True), atol=1e-5)


# ---------------------------------------------------------------------- what cannot be used


def test_vector_that_is_not_finite_names_encoder_and_text_and_is_not_kept(
    fresh: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = fresh.model.encode

    def spoil(texts: list[str], **settings: object) -> np.ndarray:
        vectors = encode(texts, **settings)
        vectors[["kitten" in text for text in texts]] = np.nan
        return vectors

    with monkeypatch.context() as patch, pytest.raises(InputError) as error:
        patch.setattr(fresh.model, "encode", spoil)
        fresh.encode(["a dog", "a kitten that " + "purrs and " * 30])
    text = "a kitten that purrs and purrs and purrs and purrs and ..."
    mend = "is not finite; take another encoder, or leave this text out"
    assert str(error.value) == f"encoder embedded: the vector of '{text}' {mend}"
    fresh.n_cached = 0
    assert np.isfinite(fresh.encode(["a dog", "a kitten"])).all()
    assert fresh.n_cached == 0


def test_model_whose_files_are_damaged_is_one_line(tiny_model: Path) -> None:
    with pytest.raises(InputError) as error:
        TextEncoder(str(tiny_model)).load_model()
    assert str(error.value).startswith(f"{tiny_model}: not a readable encoder (")
    assert str(error.value).endswith("); get it again")
    assert "\n" not in str(error.value)


# ---------------------------------------------------------------------- fingerprint


def test_other_max_length_is_another_fingerprint(tiny_model: Path) -> None:
    short, long = (TextEncoder(str(tiny_model), max_length=n).fingerprint for n in (64, 128))
    assert short != long


def test_windows_are_in_the_fingerprint_and_eight_is_the_default(tiny_model: Path) -> None:
    default, eight, two = (
        TextEncoder(str(tiny_model), **n).fingerprint for n in ({}, {"max_windows": 8}, {"max_windows": 2})
    )
    assert default == eight != two


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


# ---------------------------------------------------------------------- prompts


@pytest.mark.parametrize(
    ("prompts", "default", "read"),
    [
        ({"query": "what is ", "passage": "this is "}, None, ("this is a cat", "what is a cat")),
        ({"query": "find ", "document": ""}, None, ("a cat", "find a cat")),
        ({"query": "what is ", "topic": "sort "}, "topic", ("sort a cat", "sort a cat")),
        ({}, None, ("a cat", "a cat")),
    ],
)
def test_documents_and_classes_have_the_prompts_of_the_model(
    fresh: TextEncoder,
    monkeypatch: pytest.MonkeyPatch,
    prompts: dict[str, str],
    default: str | None,
    read: tuple[str, str],
) -> None:
    expected = fresh.model.encode(list(read), prompt="", normalize_embeddings=True)
    monkeypatch.setattr(fresh.model, "prompts", prompts)
    monkeypatch.setattr(fresh.model, "default_prompt_name", default)
    vectors = [fresh.encode(["a cat"])[0], fresh.encode(["a cat"], "class")[0]]
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert fresh.n_encoded == 2, "neither is taken for the other"


# ---------------------------------------------------------------------- which model


def test_making_an_encoder_reads_no_model() -> None:
    assert (
        repr(TextEncoder("nobody/no-such-model", max_length=7)) == "TextEncoder('nobody/no-such-model', max_length=7)"
    )


def save_static(folder: Path, normalised: bool = False) -> Path:
    """Save a model that is a vector a word."""
    vocabulary = {"[UNK]": 0, "dog": 1, "cat": 2, "spade": 3}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    vectors = np.eye(4, 8, dtype=np.float32)
    modules = [StaticEmbedding(tokenizer, embedding_weights=vectors), *([Normalize()] if normalised else [])]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder))
    return folder


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("windows", [1, 8])
def test_static_encoder_reads_texts_of_any_length(tmp_path: Path, normalised: bool, windows: int) -> None:
    encoder = TextEncoder(str(save_static(tmp_path / "static", normalised)), max_windows=windows)
    vectors = encoder.encode(["dog", "dog cat", "dog " * 300 + "spade " * 300])
    half = 0.5**0.5
    np.testing.assert_allclose(vectors[:, 1:4], [[1, 0, 0], [half, half, 0], [half, 0, half]], atol=1e-6)
    assert encoder.encode([]).shape == (0, 8) == (0, encoder.dimension)
