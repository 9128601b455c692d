"""What a served model needs beside its code."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hmltc_kedro.tracking import model


def write_settings(folder: Path, backend: str) -> Path:
    (folder / "settings.json").write_text(json.dumps({"backend": backend}), "utf-8")
    return folder


def test_requirements_are_the_core_as_installed_and_no_extra(tmp_path: Path) -> None:
    lines = model.list_requirements(write_settings(tmp_path, "torch"))
    needed = [Requirement(line) for line in lines if not line.startswith("--")]
    names = {requirement.name for requirement in needed}
    assert {"torch", "sentence-transformers", "pandas"} <= names
    assert not names & {"kedro", "mlflow", "plotly", "openai", "pytest"}
    assert all(requirement.specifier.contains(version(requirement.name)) for requirement in needed)


@pytest.mark.parametrize(
    ("build", "first", "torch"),
    [
        ("2.9.1+cpu", "--extra-index-url https://download.pytorch.org/whl/cpu", "torch==2.9.1+cpu"),
        ("2.9.1+cu128", "--extra-index-url https://download.pytorch.org/whl/cu128", "torch==2.9.1+cu128"),
        ("2.9.1+ours", "pandas==3.0", "torch==2.9.1"),
        ("2.9.1", "pandas==3.0", "torch==2.9.1"),
    ],
)
def test_build_of_torch_comes_from_its_index(
    build: str, first: str, torch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "requires", lambda _: ["pandas>=3", "torch>=2.6", 'kedro>=1.7; extra == "kedro"'])
    monkeypatch.setattr(model, "version", {"pandas": "3.0", "torch": build, "openvino": "2025.4"}.__getitem__)
    lines = model.list_requirements(write_settings(tmp_path, "openvino"))
    assert lines[0] == first
    assert lines[-3:] == ["pandas==3.0", torch, "openvino==2025.4"]
