"""The model without the extras: fit, save, load and predict need neither Kedro, nor plotly, nor openai."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hmltc_kedro.errors import InputError, import_extra
from kedro_project import REPOSITORY

OPTIONAL = ("kedro", "kedro_datasets", "kedro_viz", "omegaconf", "plotly", "jinja2", "openai", "distributed", "s3fs")
"""Packages that extras bring, by the names they are imported under; torch itself takes jinja2 along."""

OUTSIDE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
"""The surroundings of a program that does not know where the project lies."""

USE = """
import json, sys
from pathlib import Path
from hmltc_kedro import HierarchicalClassifier

lines = Path(sys.argv[1], "train/train_corpus.txt").read_text("utf-8").splitlines()
texts = [line.partition("\\t")[2][:80] for line in lines[:60]]
classifier = HierarchicalClassifier.fit(texts, sys.argv[1])
classifier.save(sys.argv[2])
loaded = HierarchicalClassifier.load(sys.argv[2])
predicted = loaded.predict(texts)
assert [p.class_ids for p in predicted] == [p.class_ids for p in classifier.predict(texts)]
assert loaded.predict_proba(texts).shape == (60, len(loaded.taxonomy))
assert len(predicted.to_frame()) == 60
print(json.dumps([p.names for p in predicted]))
"""
"""What a service does."""


def run_python(python: Path, lines: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(python), "-c", lines, *arguments]
    return subprocess.run(command, cwd=folder, env=OUTSIDE, capture_output=True, text=True, check=False)


def find_required(one: Distribution, extra: str, found: dict[tuple[str, str], Distribution]) -> None:
    """Add the installed distributions that one requires with an extra, and those that these require in turn."""
    for requirement in map(Requirement, one.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            for wanted in {"", *requirement.extras}:
                key = canonicalize_name(requirement.name), wanted
                if key not in found:
                    found[key] = distribution(requirement.name)
                    find_required(found[key], wanted, found)


def link_required(wheel: Distribution, site: Path) -> None:
    """Link what the distributions that a wheel requires have installed, and nothing that others have."""
    found: dict[tuple[str, str], Distribution] = {}
    find_required(wheel, "", found)
    names = {name for name, _ in found}
    others = [one for one in distributions() if canonicalize_name(one.name) not in names]
    shared = {file.parts[0] for one in others for file in one.files or ()}  # as of a namespace: link files one by one
    for one in found.values():
        for file in one.files or ():
            link = site / (file if file.parts[0] in shared else file.parts[0])
            if ".." not in file.parts and not link.is_symlink():  # programs lie elsewhere
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(one.locate_file(link.relative_to(site)))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment of the wheel, of what its metadata requires, and of nothing else.

    As pip would make it, but for a minute of copying torch: what is required is linked from where the tests run.
    """
    folder = tmp_path_factory.mktemp("alone")
    source = folder / "source"  # a build leaves folders behind
    shutil.copytree(REPOSITORY / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "dist"), str(source)]
    subprocess.run(build, env=OUTSIDE, check=True)
    venv.create(folder / "venv", symlinks=True)
    python, (wheel,) = folder / "venv/bin/python", (folder / "dist").iterdir()
    install = [*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, env=OUTSIDE, check=True)
    (site,) = (folder / "venv/lib").glob("*/site-packages")
    (metadata,) = site.glob("hmltc_kedro-*.dist-info")
    link_required(Distribution.at(metadata), site)
    return python


@pytest.mark.slow
def test_wheel_alone_fits_and_predicts_in_an_empty_environment(alone: Path, tmp_path: Path) -> None:
    names = f"import importlib.util as u; print([name for name in {OPTIONAL!r} if u.find_spec(name)])"
    assert run_python(alone, names, tmp_path).stdout == "['jinja2']\n"
    done = run_python(alone, USE, tmp_path, str(REPOSITORY / "data/01_raw/sample"), str(tmp_path / "model"))
    assert done.returncode == 0, done.stderr
    sets = json.loads(done.stdout.splitlines()[-1])
    assert len(sets) == 60 and all(sets)


def test_command_without_kedro_is_one_line(alone: Path) -> None:
    command = [alone.with_name("hmltc_kedro"), "run"]
    done = subprocess.run(command, env=OUTSIDE, capture_output=True, text=True, check=False)
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
