"""Every benchmark says what it measures, and runs nothing, when it is asked."""

import runpy
import sys

import pytest

from kedro_project import REPOSITORY

BENCHMARKS = sorted(path.name for path in (REPOSITORY / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_explains_itself(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = REPOSITORY / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(folder / name), run_name="__main__")
    assert left.value.code == 0
    assert f"python benchmarks/{name}" in capsys.readouterr().out
