"""Which model: the embedded one as it was published, or a clear message."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers.base.modules import Dense

from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import file_digest
from hmltc_kedro.text import models
from hmltc_kedro.text.model_files import SHAPING
from hmltc_kedro.text.models import EMBEDDED, copy_model, fingerprint_model, open_model, resolve_model


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


def test_directory_without_safetensors_is_told_how_to_convert_it(tmp_path: Path) -> None:
    model = tmp_path / "old"
    model.mkdir()
    (model / "modules.json").write_text("[]")
    (model / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(InputError) as error:
        resolve_model(str(model))
    assert str(error.value) == (
        f"{model}: no weights as safetensors; if you trust its pytorch_model.bin, convert it: python -c "
        f"\"from sentence_transformers import SentenceTransformer as Model; Model('{model}').save('old-safetensors')\""
    )
    (model / "0_StaticEmbedding").mkdir()
    (model / "0_StaticEmbedding" / "model.safetensors").write_bytes(b"weights of a part")
    assert resolve_model(str(model)) == model


def test_hub_model_without_safetensors_is_converted_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "modules.json").write_text("[]")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(tmp_path))
    with pytest.raises(InputError, match=r"^me/old: no weights .*Model\('me/old'\)\.save\('old-safetensors'\)\"$"):
        resolve_model("me/old")


@pytest.mark.parametrize("name", ["nobody/no-such-model", "not even a name", "/no/such/directory"])
def test_name_that_is_not_to_be_had_is_an_input_error_without_network(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="neither a directory nor to be had from the hub .* a directory or a hub name"):
        resolve_model(name)


@pytest.mark.parametrize(
    "name",
    [
        *("config_sentence_transformers.json", "tokenizer_config.json", "sentence_bert_config.json", "vocab.txt"),
        *("1_Pooling/config.json", "special_tokens_map.json", "sentencepiece.bpe.model", "2_Dense/model.safetensors"),
    ],
)
def test_each_file_that_shapes_vectors_is_in_the_fingerprint(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / "README.md").write_text("one")
    seen = {fingerprint_model(tmp_path, 64)}
    for content in ("{}", '{"do_lower_case": true}'):
        (tmp_path / name).write_text(content)
        seen.add(fingerprint_model(tmp_path, 64))
    (tmp_path / "README.md").write_text("two")
    seen.add(fingerprint_model(tmp_path, 64))
    assert len(seen) == 3


def test_weights_of_every_module_are_fetched_from_the_hub_and_no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.utils import filter_repo_objects

    there = ["model.safetensors", "pytorch_model.bin", "2_Dense/model.safetensors", "2_Dense/pytorch_model.bin"]
    there += ["0_StaticEmbedding/model.safetensors", "model-00001-of-00002.safetensors", "2_Dense/config.json"]
    fetched: list[str] = []

    def fetch(name: str, allow_patterns: list[str]) -> str:
        fetched.extend(filter_repo_objects(there, allow_patterns=allow_patterns))
        raise OSError

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    with pytest.raises(InputError):
        resolve_model("some/model")
    assert fetched == [name for name in there if not name.endswith(".bin")]


# ---------------------------------------------------------------------- copies


@pytest.fixture
def layered(short: Path, tmp_path: Path) -> Path:
    """Return an encoder with a layer after the pooling, and with files that shape no vector."""
    model = open_model(short, "cpu", 64)
    model.append(Dense(384, 16))
    model.save(str(tmp_path / "layered"))
    (tmp_path / "layered" / "modeling_own.py").write_text("raise SystemExit")
    (tmp_path / "layered" / "1_Pooling" / "notes.html").write_text("words")
    return tmp_path / "layered"


@pytest.mark.parametrize("pickled", [False, True])
def test_copy_gives_the_same_vectors_and_holds_no_code(layered: Path, tmp_path: Path, pickled: bool) -> None:
    if pickled:
        (folder,) = layered.glob("*_Dense")
        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    copy_model(layered, tmp_path / "copy")
    texts = ["a cat", "a spade for heavy clay"]
    expected = open_model(layered, "cpu", 64).encode(texts)
    np.testing.assert_array_equal(open_model(tmp_path / "copy", "cpu", 64).encode(texts), expected)
    assert {file.suffix for file in (tmp_path / "copy").rglob("*") if file.is_file()} <= set(SHAPING)


def test_pickled_layer_is_in_the_fingerprint(layered: Path) -> None:
    (folder,) = layered.glob("*_Dense")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    before = fingerprint_model(layered, 64)
    with (folder / "pytorch_model.bin").open("ab") as weights:
        weights.write(b"more")
    assert fingerprint_model(layered, 64) != before


def test_files_of_other_programs_in_a_clone_are_none_of_the_model(layered: Path, tmp_path: Path) -> None:
    before = fingerprint_model(layered, 64)
    for name in (
        "openvino/openvino_model.bin",
        "onnx/config.json",
        "checkpoint-5/model.safetensors",
        ".git/index.json",
    ):
        (layered / name).parent.mkdir(exist_ok=True)
        (layered / name).write_bytes(b"{}")
    assert fingerprint_model(layered, 64) == before
    copy_model(layered, tmp_path / "copy")
    assert {path.name for path in (tmp_path / "copy").iterdir() if path.is_dir()} == {
        path.name for path in layered.iterdir() if path.is_dir() and path.name[0].isdigit()
    }


@pytest.mark.parametrize("name", ["bpe.codes", "source.spm", "prophetnet.tokenizer"])
def test_vocabularies_of_older_tokenizers_are_copied_and_count(layered: Path, tmp_path: Path, name: str) -> None:
    before = fingerprint_model(layered, 64)
    (layered / name).write_text("words")
    assert fingerprint_model(layered, 64) != before
    copy_model(layered, tmp_path / "copy")
    assert (tmp_path / "copy" / name).read_text() == "words"
