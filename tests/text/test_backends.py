"""Which backend encodes, decided without loading anything."""

import json
from pathlib import Path

import pytest

from hmltc_kedro.errors import InputError
from hmltc_kedro.text import backends
from hmltc_kedro.text.backends import choose_backend, identify_backend

TRANSFORMER = "sentence_transformers.models.Transformer"


def make_model(folder: Path, kind: str = TRANSFORMER, path: str = "", **config: object) -> Path:
    (folder / path).mkdir(parents=True, exist_ok=True)
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": path, "type": kind}]))
    (folder / path / "config.json").write_text(json.dumps({"model_type": "bert", **config}))
    return folder


@pytest.fixture(autouse=True)
def plain_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a machine without a graphics card and with all packages."""
    monkeypatch.setattr(backends, "has_accelerator", lambda: False)
    monkeypatch.setattr(backends, "find_version", lambda package: "1.0")


@pytest.mark.parametrize(
    ("model", "device", "chosen"),
    [
        ({}, "auto", "openvino"),
        ({}, "cpu", "openvino"),
        ({}, "cuda", "torch"),
        ({"path": "0_Transformer"}, "auto", "openvino"),
        ({"kind": "sentence_transformers.base.modules.transformer.Transformer"}, "auto", "openvino"),
        ({"kind": "sentence_transformers.models.StaticEmbedding"}, "auto", "torch"),
        ({"model_type": "qwen3"}, "auto", "torch"),
        ({"dtype": "float32"}, "auto", "openvino"),
        ({"torch_dtype": "bfloat16"}, "auto", "torch"),
    ],
)
def test_auto_is_openvino_where_it_loses_nothing(
    tmp_path: Path, model: dict[str, str], device: str, chosen: str
) -> None:
    assert choose_backend("auto", make_model(tmp_path, **model), device) == chosen


def test_auto_is_torch_without_the_extra_and_beside_a_graphics_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(backends, "find_version", lambda package: None)
        assert choose_backend("auto", model) == "torch"
    monkeypatch.setattr(backends, "has_accelerator", lambda: True)
    assert choose_backend("auto", model) == "torch"
    assert choose_backend("auto", model, "cpu") == "openvino"


def test_static_encoder_has_nothing_to_run_elsewhere(tmp_path: Path) -> None:
    model = make_model(tmp_path, kind="sentence_transformers.models.StaticEmbedding")
    assert choose_backend("openvino-int8", model) == "torch"


@pytest.mark.parametrize(
    ("name", "missing", "message"),
    [
        ("openvino", {"openvino"}, "encoder_backend: openvino needs openvino, which is not installed"),
        ("openvino-int8", {"nncf"}, "encoder_backend: openvino-int8 needs nncf, which is not installed"),
        (
            "openvino-int8",
            {"openvino", "nncf"},
            "encoder_backend: openvino-int8 needs openvino and nncf, which are not",
        ),
    ],
)
def test_missing_extra_is_one_line_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, missing: set[str], message: str
) -> None:
    monkeypatch.setattr(backends, "find_version", lambda package: None if package in missing else "1.0")
    with pytest.raises(InputError) as error:
        choose_backend(name, make_model(tmp_path))
    assert str(error.value).startswith(message)
    assert str(error.value).endswith("pip install 'hmltc_kedro[openvino]'")
    assert "\n" not in str(error.value)


def test_unknown_backend_and_unfit_device_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no 'onnx'; use one of auto, torch, openvino"):
        choose_backend("onnx", make_model(tmp_path))
    with pytest.raises(
        InputError, match="openvino-bf16 runs on the CPU and the encoder's device is cuda:1; make it cpu"
    ):
        choose_backend("openvino-bf16", make_model(tmp_path), "cuda:1")


def test_identity_has_the_versions_of_what_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    def identify(version: str) -> list[str]:
        monkeypatch.setattr(backends, "find_version", lambda package: version)
        return [identify_backend(name) for name in ("torch", "openvino", "openvino-bf16", "openvino-int8")]

    before, after = identify("1.0"), identify("2.0")
    assert len(set(before)) == 4
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, True, False, False]
