"""The notebooks run from top to bottom on what a run has written, and are kept without outputs."""

import ast
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from kedro_project import REPOSITORY, Finished, Project

LOAD = "%load_ext hmltc_kedro.notebook"
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert 3 <= len(NOTEBOOKS) <= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_short_and_without_outputs(path: Path) -> None:
    cells = nbformat.read(path, 4).cells
    assert len(cells) < 20
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_has_no_logic_of_its_own(path: Path) -> None:
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert cells[0] == LOAD
    statements = [node for source in cells[1:] for node in ast.walk(ast.parse(source))]
    logic = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If, ast.Try, ast.With)
    assert not [ast.unparse(node) for node in statements if isinstance(node, logic)]
    modules = {node.module for node in statements if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names}
    assert {module.split(".")[0] for module in modules} <= {"hmltc_kedro", "pandas", "plotly"}


@pytest.fixture(scope="module")
def kernel(project: Project) -> Iterator[NotebookClient]:
    """Return a client of one kernel for all notebooks, in the folder where they lie: what is imported stays."""
    folder = project.folder / "notebooks"
    folder.mkdir()
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(nbformat.v4.new_notebook(), timeout=120, kernel_name="python3", resources=resources)
    with client.setup_kernel(env={**os.environ, "KEDRO_ENV": "test"}):
        yield client


def execute(kernel: NotebookClient, book: nbformat.NotebookNode) -> None:
    """Run the cells of a notebook, which finds neither names nor extensions of the one before."""
    empty = "%reset -f\nget_ipython().extension_manager.loaded.clear()"
    for part in (nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(empty)]), book):
        kernel.nb = part
        kernel.execute(cleanup_kc=False)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_draws(path: Path, project: Project, ablation_run: Finished, kernel: NotebookClient) -> None:
    before = project.read_digests("test")
    folder = project.folder / "notebooks"
    shutil.copy(path, folder)
    lying = sorted(folder.iterdir())
    book = nbformat.read(folder / path.name, 4)
    execute(kernel, book)
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    figures = [output for output in outputs if "application/vnd.plotly.v1+json" in output.get("data", {})]
    tables = [output for output in outputs if "<table" in output.get("data", {}).get("text/html", "")]
    assert len(figures) >= 2 and len(tables) >= 3
    assert project.read_digests("test") == before, "a notebook reads"
    assert sorted(folder.iterdir()) == lying, "and leaves nothing behind"
    printed = "".join(str(output.get("text", output.get("data", {}).get("text/plain", ""))) for output in outputs)
    assert "INFO" not in printed and "Warning" not in printed and "WARNING" not in printed


@pytest.mark.slow
def test_entry_that_is_missing_is_one_line_with_its_command(first_run: Finished, kernel: NotebookClient) -> None:
    cells = [f"{LOAD}\n%reload_kedro --env=paper --params=dataset=elsewhere", 'catalog.load("final.predictions")']
    cells += ['catalog.load("no_such_entry")', "1 / 0", '"predictions" in catalog.keys()']
    may_fail = {"tags": ["raises-exception"]}
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, metadata=may_fail) for source in cells])
    execute(kernel, book)
    said = ["".join(str(o.get("text", "")) for o in cell.outputs) for cell in book.cells]
    command = "kedro run --pipeline=ablation --env=paper --params=dataset=elsewhere"
    assert said[0] == ""
    assert re.fullmatch(
        rf"Error: entry `final\.predictions` is missing \(.*\.parquet\); make it with: {command}\n", said[1]
    )
    assert said[2] == "Error: there is no entry `no_such_entry`; catalog.keys() has the names\n"
    assert not said[3] and "ZeroDivisionError" in str(book.cells[3].outputs)
    assert book.cells[4].outputs[0].data["text/plain"] == "True", "which it has"
