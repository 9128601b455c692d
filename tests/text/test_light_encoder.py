"""Encoders without the library they come from: the same vectors, or the library."""

import json
import logging
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling

from hmltc_kedro.text import light_encoder
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.light_encoder import LightEncoder, find_encoder
from hmltc_kedro.text.models import open_encoder, open_model
from hmltc_kedro.text.windows import cut_windows, encode_texts
from small_corpus import CORPUS, ODD_TEXTS

pytestmark = pytest.mark.usefixtures("cache")
pytest.importorskip("openvino")

TEXTS = [*CORPUS, *ODD_TEXTS, "tools for the garden. " * 40]


def test_next_process_encodes_without_the_library_and_alike(short: Path, tmp_path: Path) -> None:
    plain = TextEncoder(str(short), max_length=64, device="cpu")
    expected = plain.encode(TEXTS)
    np.testing.assert_allclose(open_encoder(short, "cpu", 64, "openvino").encode(TEXTS[:3]), expected[:3], atol=1e-5)
    program = (
        "import sys; import numpy as np; from hmltc_kedro.text.encoder import TextEncoder\n"
        f"encoder = TextEncoder({str(short)!r}, max_length=64, device='cpu', backend='openvino')\n"
        f"np.save({str(tmp_path / 'vectors.npy')!r}, encoder.encode({TEXTS!r}))\n"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    np.testing.assert_allclose(np.load(tmp_path / "vectors.npy"), expected, atol=1e-5)


def test_first_process_and_the_next_give_the_same_bytes(short: Path) -> None:
    first, second = (open_encoder(short, "cpu", 64, "openvino") for _ in range(2))
    assert isinstance(first, LightEncoder)
    np.testing.assert_array_equal(encode_texts(first, TEXTS, 4, 3), encode_texts(second, TEXTS, 4, 3))


def test_windows_are_those_of_the_library(short: Path) -> None:
    light, plain = open_encoder(short, "cpu", 32, "openvino"), open_model(short, "cpu", 32)
    for limit in (1, 3, 8):
        windows, owners = cut_windows(light, TEXTS, limit)
        expected, places = cut_windows(plain, TEXTS, limit)
        assert windows == expected
        np.testing.assert_array_equal(owners, places)


def test_prompts_and_the_first_piece_count(short: Path, tmp_path: Path) -> None:
    model = open_model(short, "cpu", 64)
    model[1] = Pooling(384, pooling_mode="cls")
    model.prompts = {"query": "what is ", "document": ""}
    model.save(str(tmp_path / "other"))
    light = open_encoder(tmp_path / "other", "cpu", 64, "openvino")
    assert isinstance(light, LightEncoder)
    assert light.prompts["query"] == "what is "
    assert light.get_embedding_dimension() == 384
    expected = model.encode(TEXTS, prompt="what is ", normalize_embeddings=True)
    np.testing.assert_allclose(light.encode(TEXTS, prompt="what is "), expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["max", "mean_sqrt_len_tokens", ("cls", "mean")])
def test_what_is_more_than_a_mean_is_read_by_the_library(short: Path, tmp_path: Path, mode: str) -> None:
    model = open_model(short, "cpu", 64)
    model[1] = Pooling(384, pooling_mode=mode)
    model.save(str(tmp_path / "other"))
    for _ in range(2):
        found = open_encoder(tmp_path / "other", "cpu", 64, "openvino")
        assert isinstance(found, SentenceTransformer)
        expected = model.encode(TEXTS, normalize_embeddings=True)
        np.testing.assert_allclose(found.encode(TEXTS, normalize_embeddings=True), expected, atol=1e-5)


def test_threads_that_ask_at_once_get_their_own_vectors(short: Path) -> None:
    light = open_encoder(short, "cpu", 64, "openvino")
    assert isinstance(light, LightEncoder)
    expected = np.concatenate([light.encode([text]) for text in TEXTS])

    def encode(row: int) -> float:
        rows = [row % len(TEXTS), (3 * row + 1) % len(TEXTS)]
        cut_windows(light, [TEXTS[i] for i in rows], 3)  # the tokenizer cuts and pads for one, and not for the other
        return float(np.abs(light.encode([TEXTS[i] for i in rows[:1]]) - expected[rows[:1]]).max())

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(6) as pool:
            assert max(pool.map(encode, range(300))) < 1e-5
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize(
    "given",
    [
        {"texts": "a cat"},
        {"batch_size": 0},
        {"normalize_embeddings": False},
        {"convert_to_numpy": False},
        {"show_progress_bar": True},
    ],
)
def test_what_it_cannot_give_is_refused(short: Path, given: dict[str, Any]) -> None:
    light = open_encoder(short, "cpu", 64, "openvino")
    with pytest.raises(ValueError, match="give a list of texts|vectors are of unit length"):
        light.encode(**{"texts": ["a cat"], **given})


def test_tokenizer_that_cuts_at_the_left_is_read_by_the_library(short: Path, tmp_path: Path) -> None:
    model = open_model(short, "cpu", 32)
    model.tokenizer.truncation_side = "left"
    model.save(str(tmp_path / "left"))
    assert isinstance(open_encoder(tmp_path / "left", "cpu", 32, "openvino"), SentenceTransformer)


def test_other_code_makes_its_own_encoder(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_encoder(short, "cpu", 64, "openvino")
    digest = light_encoder.file_digest
    for name in light_encoder.CODE:
        assert (Path(light_encoder.__file__).parent / name).is_file()
        with monkeypatch.context() as patch:
            patch.setattr(
                light_encoder, "file_digest", lambda path, name=name: digest(path) + "'" * (path.name == name)
            )
            assert find_encoder(short, 64, "openvino") is None
    assert find_encoder(short, 64, "openvino") is not None


def test_encoder_whose_transformer_is_gone_is_made_again(short: Path, cache: Path) -> None:
    open_encoder(short, "cpu", 64, "openvino")
    for model in cache.glob("*/model.xml"):
        shutil.rmtree(model.parent)
    assert isinstance(open_encoder(short, "cpu", 64, "openvino"), LightEncoder)


def test_encoder_whose_vectors_differ_is_read_by_the_library(
    short: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pool = LightEncoder._pool
    monkeypatch.setattr(LightEncoder, "_pool", lambda *args: pool(*args) + 0.01)
    with caplog.at_level(logging.INFO):
        assert isinstance(open_encoder(short, "cpu", 48, "openvino"), SentenceTransformer)
    assert "computes more than its transformer and a mean" in caplog.text
    assert find_encoder(short, 48, "openvino") is None


def test_another_length_or_another_file_is_another_encoder(short: Path, tmp_path: Path) -> None:
    model = open_model(short, "cpu", 64)
    model.save(str(tmp_path / "other"))
    open_encoder(tmp_path / "other", "cpu", 64, "openvino")
    assert find_encoder(tmp_path / "other", 64, "openvino") is not None
    assert find_encoder(tmp_path / "other", 32, "openvino") is None
    settings = tmp_path / "other" / "config_sentence_transformers.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "prompts": {"document": "this is "}}))
    assert find_encoder(tmp_path / "other", 64, "openvino") is None


@pytest.mark.parametrize("file", ["encoder.json", "tokenizer.json"])
def test_what_is_damaged_is_made_again(short: Path, cache: Path, file: str, caplog: pytest.LogCaptureFixture) -> None:
    expected = open_encoder(short, "cpu", 64, "openvino").encode(TEXTS)
    for damaged in cache.glob(f"*/{file}"):
        damaged.write_bytes(damaged.read_bytes()[:-10])
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(open_encoder(short, "cpu", 64, "openvino").encode(TEXTS), expected)
    assert "damaged" in caplog.text
    assert find_encoder(short, 64, "openvino") is not None
