"""The notebooks run from top to bottom on what a run has written, and are kept without outputs."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from kedro_project import REPOSITORY, Finished, Project

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_short_and_without_outputs(path: Path) -> None:
    cells = nbformat.read(path, 4).cells
    assert len(cells) < 20
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_draws(path: Path, project: Project, first_run: Finished) -> None:
    folder = project.folder / "notebooks"
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder)
    book = nbformat.read(folder / path.name, 4)
    environment = "%load_ext kedro.ipython\n%reload_kedro --env=test"
    book.cells[1].source = book.cells[1].source.replace("%load_ext kedro.ipython", environment)
    client = NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    figures = [output for output in outputs if "application/vnd.plotly.v1+json" in output.get("data", {})]
    tables = [output for output in outputs if "<table" in output.get("data", {}).get("text/html", "")]
    assert len(figures) >= 2 and len(tables) >= 5
