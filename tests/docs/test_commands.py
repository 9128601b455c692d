"""What the pages tell people to type: each command is one, those of the README are run, the first pages' Python too."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from hmltc_kedro.cli import cli
from hmltc_kedro.config import ProjectConfigLoader
from hmltc_kedro.pipeline_registry import register_pipelines
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from kedro_project import REPOSITORY, Finished, Project

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
NAMES = {"<name>": "sample", "<host>": "localhost"}
"""What stands in commands for what a reader has."""


def read_commands(pages: list[Path]) -> list[str]:
    """Return the lines of the pages that begin with a prompt, without their comments."""
    found: list[str] = []
    for page in pages:
        for block in re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            found += [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    for place, name in NAMES.items():
        found = [line.replace(place, name) for line in found]
    return list(dict.fromkeys(re.split(r"\s+#\s", line)[0].strip() for line in found))


COMMANDS = read_commands(PAGES)
OURS = [line for line in COMMANDS if line.split()[0] in ("kedro", "hmltc_kedro") and line != "kedro package"]


@pytest.fixture(scope="module")
def pipelines() -> dict[str, Any]:
    return register_pipelines()


@pytest.mark.parametrize("line", OURS)
def test_commands_of_the_pages_are_commands(line: str, pipelines: dict[str, Any]) -> None:
    """With options that there are, parameters that something reads, and pipelines and nodes that there are."""
    program, *words = shlex.split(line)
    if words == ["--help"]:
        return
    if program == "hmltc_kedro" and words[0] not in cli.commands:
        words.insert(0, "run")
    given = cli.commands[words[0]].make_context(words[0], words[1:]).params
    names = [*filter(None, [given.get("pipeline")]), *(given.get("pipelines") or [])] or ["__default__"]
    assert set(names) <= set(pipelines)
    nodes = {node.name: node for name in names for node in pipelines[name].nodes}
    assert {*(given.get("from_nodes") or []), *(given.get("to_nodes") or [])} <= set(nodes)
    assert set(given.get("namespaces") or []) <= {node.namespace for node in nodes.values()}
    if "params" in given:
        env, runtime = given["env"] or "base", given["params"]
        loader = ProjectConfigLoader(str(REPOSITORY / "conf"), env=env, runtime_params=runtime, **CONFIG_LOADER_ARGS)
        assert loader["parameters"]


def test_targets_of_make_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    used = {line.split()[1] for line in COMMANDS if line.startswith("make ")}
    used |= set(re.findall(r"`make ([a-z-]+)`", "".join(page.read_text("utf-8") for page in PAGES)))
    assert {"run", "test"} <= used <= targets


def test_commands_of_the_readme_run(project: Project, first_run: Finished) -> None:
    """On what the first run has written, in its environment; the whole chain is that run."""
    bulk, table = project.raw / "sample/bulk", project.folder / "texts.csv"
    bulk.mkdir()
    table.write_text("doc_id,text\na,Whistling kettle of two litres\n", "utf-8")
    shutil.copy(table, bulk / "later.csv")
    try:
        lines = [line for line in read_commands([REPOSITORY / "README.md"]) if line.startswith("kedro ")]
        assert len(lines) >= 5
        for line in lines:
            if line != "kedro run --params=dataset=sample":
                done = project.kedro(*shlex.split(line)[1:], "--env=test")
                assert done.code == 0, f"{line}\n{done.text}"
        assert (project.folder / "labels.csv").is_file()
    finally:
        shutil.rmtree(bulk)


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_python_of_the_first_pages_runs(
    page: str, project: Project, first_run: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """In the folder of a run, each block by itself, one after the other."""
    shutil.copytree(
        project.folder / "data/06_models/sample/test/classifier", tmp_path / "data/06_models/sample/classifier"
    )
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / page).read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})
    assert "names" in capsys.readouterr().out
