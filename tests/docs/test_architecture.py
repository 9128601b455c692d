"""The rules of the house that import-linter's contracts in pyproject.toml do not know."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kedro_project import REPOSITORY

PACKAGE = REPOSITORY / "src" / "hmltc_kedro"

WITH_TORCH = {"text/device.py", "text/openvino_model.py"} | {
    f"modeling/{name}.py"
    for name in (
        "examples",
        "features",
        "frozen_layers",
        "gcn",
        "head",
        "loop",
        "losses",
        "phases",
        "self_training",
        "training",
    )
}
"""Modules that import torch when they are imported; all others do so in functions, if at all."""

MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

MAX_LINES = 400

PAGE = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")


def test_every_folder_is_a_room_of_the_page_with_a_line_on_what_is_there() -> None:
    rooms = dict(re.findall(r"^\| \d+ \| `(\w+)` \| (.+?) \| .+ \|$", PAGE, re.MULTILINE))
    lying = {path.stem for path in PACKAGE.glob("*") if path.is_dir() or path.suffix == ".py"}
    assert rooms.keys() == lying - {"__init__", "__pycache__"}
    assert all(text.endswith(".") for text in rooms.values())


CODE = re.compile(r"`(\w+)/(\w+)(?:\.py|\.(\w+))`")
"""`folder/module.py` or `folder/module.function`."""


@pytest.mark.parametrize("page", sorted((REPOSITORY / "docs").rglob("*.md")), ids=lambda path: path.stem)
def test_what_a_page_says_lies_somewhere_does(page: Path) -> None:
    for folder, module, function in CODE.findall(page.read_text("utf-8")):
        if (PACKAGE / folder).is_dir():
            source = (PACKAGE / folder / f"{module}.py").read_text("utf-8")
            defined = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
            assert not function or function in defined, f"{folder}/{module}.{function}"


def read_imports(path: Path) -> Iterator[str]:
    """Yield the full names that a module imports when it is imported itself."""
    nodes: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef) or is_type_checking(node):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        nodes += ast.iter_child_nodes(node)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@pytest.mark.parametrize("module", MODULES)
def test_module_can_be_read_at_one_sitting(module: str) -> None:
    assert len((PACKAGE / module).read_text("utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("module", MODULES)
def test_torch_is_imported_where_it_is_used_and_not_before(module: str) -> None:
    heavy = {"torch", "transformers", "sentence_transformers"}
    roots = {name.split(".")[0] for name in read_imports(PACKAGE / module)}
    assert bool(roots & heavy) == (module in WITH_TORCH)


def test_registry_and_catalog_load_without_torch() -> None:
    script = """
import sys
import hmltc_kedro.pipeline_registry, hmltc_kedro.settings, hmltc_kedro.datasets.llm, hmltc_kedro.datasets.encoder
hmltc_kedro.pipeline_registry.register_pipelines()
sys.exit(", ".join(sorted({"torch", "transformers", "sentence_transformers"} & set(sys.modules))) or 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
