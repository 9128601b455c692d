"""The installed package, in a folder that is no repository: its commands, its configuration, and what is not sent."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kedro_project import ENVIRONMENT, REPOSITORY, call, call_from_shell


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the archive of `kedro package` holds, and raw data; there is no pyproject.toml."""
    folder = tmp_path_factory.mktemp("away")
    shutil.copytree(REPOSITORY / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    shutil.copytree(REPOSITORY / "data/01_raw/sample", folder / "data/01_raw/sample")
    return folder


def test_commands_work_where_conf_lies(away: Path) -> None:
    done = call(away, "hmltc_kedro", "--pipelines=ingest")
    assert done.code == 0, done.err
    assert (away / "data/02_intermediate/sample/documents.parquet").is_file()
    done = call(away, "hmltc_kedro", "status", "--pipelines=ingest")
    assert done.code == 0 and done.out.splitlines()[-1] == "5 fresh", done.err
    done = call(away, "hmltc_kedro", "refresh", "--pipelines=ingest")
    assert done.code == 0 and "Nothing to refresh" in done.out, done.err


def test_archive_serves_as_configuration(away: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "conf-hmltc_kedro"), "gztar", away, "conf")
    shutil.copytree(away / "data", tmp_path / "data")
    done = call(tmp_path, "hmltc_kedro", "status", "--pipelines=ingest", f"--conf-source={archive}")
    assert done.code == 0, done.err
    assert "documents" in done.out


@pytest.mark.parametrize("command", [[], ["run"], ["status"], ["refresh"]])
def test_missing_configuration_is_one_line(tmp_path: Path, command: list[str]) -> None:
    done = call(tmp_path, "hmltc_kedro", *command)
    where = "stand in the folder of `conf`, or give it with --conf-source, a folder or conf-hmltc_kedro.tar.gz"
    assert done.code == 1
    assert done.err.splitlines()[-1] == f"Error: {tmp_path / 'conf' / 'base'}: no such folder; {where}"
    assert "Traceback" not in done.err


def test_help_has_all_commands(tmp_path: Path) -> None:
    done = call_from_shell(tmp_path, "hmltc_kedro", "--help")
    assert "Usage: hmltc_kedro [OPTIONS] COMMAND [ARGS]..." in done.out
    assert all(f"\n  {name} " in done.out for name in ("new-dataset", "predict", "refresh", "review", "run", "status"))


SILENT = ("KEDRO_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
QUIET = {name: value for name, value in ENVIRONMENT.items() if name not in SILENT}
"""The surroundings of a user who has said nothing about usage data."""


def run_quietly(script: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=folder, env=QUIET, capture_output=True, text=True, check=False)


def test_no_usage_data_is_sent(tmp_path: Path) -> None:
    lines = (
        "from kedro.framework.project import configure_project, validate_settings",
        "configure_project('hmltc_kedro')",
        "validate_settings()",
        "from kedro_telemetry.plugin import _check_for_telemetry_consent",
        "print(_check_for_telemetry_consent(None))",
    )
    done = run_quietly("; ".join(lines), tmp_path)
    assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_mlflow_sends_no_usage_data_either() -> None:
    """The command line imports it with kedro-mlflow, and that is when it looks."""
    pytest.importorskip("kedro_mlflow", reason="the extra mlflow is not installed")
    script = """
import os, pathlib, sys
from kedro.framework.cli.cli import KedroCLI

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "mlflow":
            print("mlflow is imported:", os.environ.get("MLFLOW_DISABLE_TELEMETRY"))

sys.meta_path.insert(0, Watch())
KedroCLI(pathlib.Path.cwd()).project_groups
"""
    done = run_quietly(script, REPOSITORY)
    assert "mlflow is imported: true\n" in done.stdout, done.stdout + done.stderr


# ---------------------------------------------------------------------- the container and the workflow


def read_instructions() -> list[tuple[str, str]]:
    text = (REPOSITORY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def test_what_the_container_copies_is_there_and_not_ignored() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    copied = [path for name, rest in read_instructions() if name == "COPY" for path in rest.split()[1:-1]]
    assert copied
    for path in copied:
        assert (REPOSITORY / path).exists(), path
        parts = [os.path.join(*Path(path).parts[: end + 1]) for end in range(len(Path(path).parts))]
        assert any(f"!{part}" in ignored for part in parts), path
    assert "conf/local/*" in ignored


def test_container_runs_the_chain_and_not_as_root() -> None:
    instructions = read_instructions()
    assert [rest for name, rest in instructions if name == "USER"] == ["kedro"]
    assert instructions[-2:] == [("ENTRYPOINT", '["kedro"]'), ("CMD", '["run"]')]
    assert instructions[0] == ("FROM", "python:3.11-slim")


def test_workflow_lints_and_tests_on_the_oldest_python() -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text("utf-8"))
    (job,) = workflow["jobs"].values()
    python = next(step["with"] for step in job["steps"] if "setup-python" in step.get("uses", ""))
    assert python["python-version"] == "3.11"
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make lint test"]
    assert set(workflow[True]) == {"push", "pull_request"}, "YAML reads `on` as a truth value"
