"""The model without the extras: fit, save, load and predict need neither Kedro, nor plotly, nor openai."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hmltc_kedro.errors import InputError, import_extra
from kedro_project import REPOSITORY

OPTIONAL = ("kedro", "kedro_datasets", "kedro_viz", "omegaconf", "plotly", "jinja2", "openai", "distributed", "s3fs")
"""Packages that extras bring, by the names they are imported under; torch itself takes jinja2 along."""

REFUSE = f"""
import sys

class Refuser:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {[name for name in OPTIONAL if name != "jinja2"]!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuser())
"""
"""What stands for packages that are not installed."""

USE = """
import json, sys
from pathlib import Path
from hmltc_kedro import HierarchicalClassifier

lines = Path(sys.argv[1], "train/train_corpus.txt").read_text("utf-8").splitlines()
texts = [line.partition("\\t")[2] for line in lines[:60]]
classifier = HierarchicalClassifier.fit(texts, sys.argv[1])
classifier.save(sys.argv[2])
loaded = HierarchicalClassifier.load(sys.argv[2])
predicted = loaded.predict(texts)
assert [p.class_ids for p in predicted] == [p.class_ids for p in classifier.predict(texts)]
assert loaded.predict_proba(texts).shape == (60, len(loaded.taxonomy))
assert len(predicted.to_frame()) == 60
print(json.dumps({"sets": [p.names for p in predicted], "modules": sorted({m.partition(".")[0] for m in sys.modules})}))
"""
"""What a service does."""


def use(
    python: Path | str, folder: Path, before: str = "", environment: Mapping[str, str] | None = None
) -> dict[str, list[str]]:
    """Run `USE` on the sample; return the label sets as names, and the packages that were imported."""
    command = [str(python), "-c", before + USE, str(REPOSITORY / "data/01_raw/sample"), str(folder / "model")]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def check_use(found: dict[str, list[str]]) -> None:
    assert len(found["sets"]) == 60 and all(found["sets"])
    loaded = set(found["modules"]) & {"kedro", "kedro_datasets", "kedro_viz", "plotly", "openai", "omegaconf"}
    assert not loaded


def test_model_is_fitted_and_used_without_the_extras(tmp_path: Path) -> None:
    check_use(use(sys.executable, tmp_path, REFUSE))


@pytest.mark.slow
def test_wheel_alone_fits_and_predicts_in_an_empty_environment(tmp_path: Path) -> None:
    """Minutes: torch is installed anew, out of pip's cache where it has been before."""
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def pip(python: Path | str, *command: str) -> None:
        words = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *command]
        done = subprocess.run(words, env=alone, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"pip {command[0]} does not work here: {done.stderr.splitlines()[-1]}")

    source = tmp_path / "source"  # a build leaves folders behind
    shutil.copytree(REPOSITORY / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(tmp_path / "dist"), str(source))
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], env=alone, check=True)
    programs, (wheel,) = tmp_path / "venv/bin", (tmp_path / "dist").iterdir()
    pip(programs / "python", "install", "--no-compile", "--constraint", str(REPOSITORY / "constraints.txt"), str(wheel))
    check_use(use(programs / "python", tmp_path, environment=alone))
    command = [programs / "hmltc_kedro", "run"]
    done = subprocess.run(command, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: a command needs the package kedro; pip install 'hmltc_kedro[kedro]'\n"


def test_command_without_kedro_is_one_line(tmp_path: Path) -> None:
    lines = REFUSE + "from hmltc_kedro.__main__ import main\nmain(['run'])"
    done = subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: a command needs the package kedro; pip install 'hmltc_kedro[kedro]'\n"


def test_missing_extra_is_named() -> None:
    with pytest.raises(InputError) as error:
        import_extra("no_such_package", "llm", "asking gpt-4o-mini")
    assert str(error.value) == "asking gpt-4o-mini needs the package no_such_package; pip install 'hmltc_kedro[llm]'"


def test_core_has_none_of_what_extras_bring() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    core = {Requirement(line).name.replace("-", "_") for line in project["dependencies"]}
    assert not core & set(OPTIONAL)
    extras = project["optional-dependencies"]
    assert {"dask", "kedro", "llm", "ontologies", "report", "s3"} <= set(extras)
    assert "filelock" in {Requirement(line).name for line in extras["dev"]}, "tests/conftest.py uses it"


def test_set_up_of_the_project_has_kedro_and_the_language_model() -> None:
    for file in ("Makefile", "Dockerfile"):
        installs = [line for line in (REPOSITORY / file).read_text("utf-8").splitlines() if "--editable" in line]
        assert installs
        for line in installs:
            extras = line.partition("[")[2].partition("]")[0].split(",")
            assert {"kedro", "llm"} <= set(extras), f"{file}: {line}"
