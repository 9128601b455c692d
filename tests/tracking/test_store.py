"""Where runs are kept, by mlflow.yml and the environment."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.config import MissingConfigException

from hmltc_kedro.errors import InputError
from hmltc_kedro.tracking.store import Store, find_store


class NoFile(dict[str, Any]):
    """A configuration without mlflow.yml."""

    def __missing__(self, key: str) -> Any:
        raise MissingConfigException(key)


def look(folder: Path, **config: Any) -> Store:
    pytest.importorskip("kedro_mlflow", reason="the extra mlflow is not installed")
    context: Any = SimpleNamespace(config_loader={"mlflow": config}, project_path=folder)
    store = find_store(context)
    assert store is not None and context.mlflow is store.config
    return store


def test_default_is_where_mlflow_looks_in_the_folder_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    config = look(tmp_path).config
    assert config.server.mlflow_tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert config.tracking.experiment.create_experiment_kwargs.artifact_location == f"file://{tmp_path}/mlruns"
    assert not list(tmp_path.iterdir())


def test_server_of_the_environment_and_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://runs:5000")
    config = look(tmp_path).config
    assert config.server.mlflow_tracking_uri == "http://runs:5000"
    assert config.tracking.experiment.create_experiment_kwargs.artifact_location is None
    own = look(tmp_path, server={"mlflow_tracking_uri": "http://mine"}).config
    assert own.server.mlflow_tracking_uri == "http://mine"


def test_unknown_key_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^mlflow.yml, `tracking.experimint`: Extra inputs are not permitted; correct or remove it$"
    ):
        look(tmp_path, tracking={"experimint": {}})


def test_nothing_is_kept_without_the_file(tmp_path: Path) -> None:
    pytest.importorskip("kedro_mlflow", reason="the extra mlflow is not installed")
    assert find_store(SimpleNamespace(config_loader=NoFile(), project_path=tmp_path)) is None  # type: ignore[arg-type]


def test_who_names_a_server_without_the_extra_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hmltc_kedro.tracking.store.find_spec", lambda _: None)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    context: Any = None
    assert find_store(context) is None and not caplog.messages
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://runs:5000")
    assert find_store(context) is None
    line = "MLflow keeps no runs without the package kedro_mlflow; pip install 'hmltc_kedro[mlflow]'"
    assert caplog.messages == [line]
