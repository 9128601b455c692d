"""Encoders on OpenVINO: the vectors of torch, made once, kept where nothing false is read."""

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from hmltc_kedro.errors import InputError
from hmltc_kedro.text.compiled import read_model
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.models import open_encoder, open_model
from hmltc_kedro.text.windows import encode_texts
from small_corpus import CORPUS, ODD_TEXTS

pytestmark = pytest.mark.usefixtures("cache")
pytest.importorskip("openvino")
pytest.importorskip("nncf")

from hmltc_kedro.text import openvino_model  # noqa: E402

TEXTS = [*CORPUS, *ODD_TEXTS, "tools for the garden. " * 40]


@pytest.fixture
def model(short: Path) -> SentenceTransformer:
    """Return a copy of the short encoder."""
    return open_model(short, "cpu", 64)


@pytest.mark.parametrize(
    ("backend", "least"), [("openvino", 0.9999999), ("openvino-bf16", 0.9995), ("openvino-int8", 0.99)]
)
def test_vectors_are_those_of_torch_as_far_as_the_precision_goes(
    encoder: TextEncoder, backend: str, least: float
) -> None:
    fast = TextEncoder(max_length=64, max_windows=1, device="cpu", backend=backend)
    plain = encode_texts(encoder.model, TEXTS, 32, 1)
    vectors = fast.encode(TEXTS)
    assert (vectors * plain).sum(axis=1).min() >= least - 1e-7
    if backend == "openvino":
        np.testing.assert_allclose(vectors, plain, atol=1e-5)
    assert fast.fingerprint != encoder.fingerprint


def test_batches_and_windows_change_no_vector(encoder: TextEncoder) -> None:
    fast = TextEncoder(max_length=64, max_windows=3, device="cpu", backend="openvino")
    alone = np.concatenate([fast.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(fast.encode(TEXTS), alone, atol=1e-5)
    np.testing.assert_allclose(alone, encode_texts(encoder.model, TEXTS, 32, 3), atol=1e-5)


def test_model_is_made_once_and_a_saved_copy_is_the_same(
    short: Path, model: SentenceTransformer, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openvino_model.run_on_openvino(model, "openvino")
    made = sorted(cache.glob("*/model.xml"))
    monkeypatch.setattr(openvino_model, "convert", lambda *_: pytest.fail("it was made before"))
    open_model(short, "cpu", 64).save(str(tmp_path / "copy"))
    again = open_encoder(tmp_path / "copy", "cpu", 64, "openvino")
    np.testing.assert_allclose(again.encode(["a cat"]), model.encode(["a cat"]), atol=1e-6)
    assert sorted(cache.glob("*/model.xml")) == made
    files = {file.suffix for folder in cache.iterdir() for file in folder.iterdir()}
    assert files == {".xml", ".bin", ".json"}


def test_other_weights_are_another_model(model: SentenceTransformer) -> None:
    names = ["input_ids", "attention_mask"]
    before = openvino_model.identify(model[0].auto_model, names, "openvino")
    assert openvino_model.identify(model[0].auto_model, names, "openvino-int8") != before
    assert openvino_model.identify(model[0].auto_model, names, "openvino-bf16") == before
    next(iter(model[0].auto_model.parameters())).data[0, 0] += 1
    assert openvino_model.identify(model[0].auto_model, names, "openvino") != before


@pytest.mark.parametrize("file", ["model.bin", "model.xml", "files.json"])
def test_damaged_files_are_made_again(
    short: Path, model: SentenceTransformer, cache: Path, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = cache / openvino_model.run_on_openvino(model, "openvino").folder / file
    expected = model.encode(["a cat"])
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    with caplog.at_level(logging.WARNING):
        vectors = open_encoder(short, "cpu", 64, "openvino").encode(["a cat"])
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert "damaged" in caplog.text
    assert read_model(damaged.parent) is not None


def test_folder_that_cannot_be_written_costs_time_alone(
    model: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    plain = model.encode(["a cat"])
    openvino_model.run_on_openvino(model, "openvino")
    np.testing.assert_allclose(model.encode(["a cat"]), plain, atol=1e-5)
    assert "the encoder is converted again each time" in caplog.text


def test_conversion_that_computes_something_else_is_refused(
    model: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compile_model = openvino_model.compile_model

    def spoil(*args: object) -> object:
        compiled = compile_model(*args)
        return lambda inputs: {0: compiled(inputs)[0] + 1}

    monkeypatch.setattr(openvino_model, "compile_model", spoil)
    with pytest.raises(InputError, match="this encoder computes something else; set it to torch"):
        openvino_model.run_on_openvino(model, "openvino")
    assert not list(tmp_path.rglob("*.xml"))


def test_transformer_that_cannot_be_converted_is_one_line(
    model: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such\noperation")

    monkeypatch.setattr("openvino.convert_model", fail)
    with pytest.raises(InputError) as error:
        openvino_model.run_on_openvino(model, "openvino")
    assert str(error.value) == (
        "encoder_backend: OpenVINO cannot convert this encoder (no such operation); set it to torch"
    )


def test_nothing_is_reported_and_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for before in (None, "false"):
        monkeypatch.delenv("CI", raising=False)
        if before:
            monkeypatch.setenv("CI", before)
        with openvino_model._in_silence():
            from openvino_telemetry.utils.opt_in_checker import ConsentCheckResult, OptInChecker

            assert OptInChecker().check(False, disable_in_ci=True) is ConsentCheckResult.DECLINED
        assert os.environ.get("CI") == before


def test_prompt_and_pooling_stay_those_of_the_model(tmp_path: Path, model: SentenceTransformer) -> None:
    model.prompts, model.default_prompt_name = {"query": "what is ", "document": "this is "}, None
    model.save(str(tmp_path / "prompted"))
    settings = json.loads((tmp_path / "prompted" / "config_sentence_transformers.json").read_text())
    assert settings["prompts"]["query"] == "what is "
    plain, fast = (TextEncoder(str(tmp_path / "prompted"), max_length=64, backend=b) for b in ("torch", "openvino"))
    for role in ("document", "class"):
        np.testing.assert_allclose(fast.encode(["a cat"], role), plain.encode(["a cat"], role), atol=1e-5)
    np.testing.assert_allclose(plain.encode(["a cat"], "class"), plain.model.encode(["what is a cat"]), atol=1e-5)
    np.testing.assert_allclose(plain.encode(["a cat"]), plain.model.encode(["this is a cat"]), atol=1e-5)
