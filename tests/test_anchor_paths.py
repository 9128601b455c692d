"""Paths of the catalog mean the project's folder, wherever the command is run from."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from hmltc_kedro.config import PATHS, ProjectConfigLoader, anchor_paths
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from kedro_project import REPOSITORY

TYPE = "hmltc_kedro.datasets.SomeDataset"


def anchor(entry: dict[str, Any], root: Path = Path("/project")) -> dict[str, Any]:
    return anchor_paths({"entry": entry}, root)["entry"]


def list_paths(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [path for item in value or [] for path in list_paths(item)]


@pytest.mark.parametrize("key", [key for key in PATHS if key != "model"])
def test_relative_path_is_meant_from_the_project(key: str) -> None:
    entry = {"type": TYPE, key: "data/x.sqlite", "name": "data/x.sqlite"}
    assert anchor(entry) == {**entry, key: "/project/data/x.sqlite"}
    assert entry[key] == "data/x.sqlite", "the argument is not changed"


def test_lists_are_anchored_item_by_item() -> None:
    entry = {"type": TYPE, "recordings": ["data/a.jsonl", "/data/b.jsonl", "s3://bucket/c.jsonl", None]}
    expected = ["/project/data/a.jsonl", "/data/b.jsonl", "s3://bucket/c.jsonl", None]
    assert anchor(entry)["recordings"] == expected


@pytest.mark.parametrize("value", ["/data/x", "s3://bucket/x", "https://host/x", None, 7, {"a": "b"}])
def test_absolute_paths_addresses_and_what_is_no_path_stay(value: Any) -> None:
    entry = {"type": TYPE, "source": value, "model": value}
    assert anchor(entry) == entry


def test_model_is_a_path_if_there_is_such_a_folder(tmp_path: Path) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "embedded.txt").write_text("no folder")
    for name in ("embedded", "sentence-transformers/all-mpnet-base-v2", "embedded.txt", "models/other"):
        assert anchor({"type": TYPE, "model": name}, tmp_path)["model"] == name
    anchored = anchor({"type": TYPE, "model": "models/mine"}, tmp_path)
    assert anchored["model"] == str(tmp_path / "models" / "mine")


def test_entries_of_others_and_what_is_no_entry_stay() -> None:
    catalog = {
        "theirs": {"type": "pandas.CSVDataset", "source": "data/x.csv"},
        "without_type": {"source": "data/x.csv"},
        "_dataset": "sample",
        "_list": ["data/x"],
        "nothing": None,
    }
    assert anchor_paths(catalog, Path("/project")) == catalog


@pytest.mark.parametrize("folder", ["project", "elsewhere"])
def test_catalog_is_the_same_wherever_the_command_is_run_from(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY if folder == "project" else tmp_path)
    catalog = ProjectConfigLoader(str(REPOSITORY / "conf"), env="base", **CONFIG_LOADER_ARGS)["catalog"]
    found = {
        f"{name}.{key}": list_paths(entry[key])
        for name, entry in catalog.items()
        if isinstance(entry, dict)
        for key in PATHS
        if key != "model" and entry.get(key)
    }
    assert {"encoder.cache", "llm.cache", "llm.recordings"} <= set(found)
    for name, paths in found.items():
        assert paths, name
        for path in paths:
            assert Path(path).is_relative_to(REPOSITORY), name
    assert catalog["encoder"]["model"] == "embedded"


def test_relative_configuration_folder_is_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    near, far = (
        ProjectConfigLoader(source, env="base", **CONFIG_LOADER_ARGS)["catalog"]
        for source in ("conf", str(REPOSITORY / "conf"))
    )
    assert near == far


def test_configuration_from_elsewhere_means_the_project_all_the_same(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "conf", tmp_path / "settings")
    bootstrap_project(REPOSITORY)
    with KedroSession.create(REPOSITORY, conf_source=str(tmp_path / "settings")) as session:
        catalog = session.load_context().catalog
        described = [catalog.get(name)._describe() for name in ("encoder", "llm", "bulk_documents", "documents")]
    found = str(described)
    assert found.count(str(REPOSITORY / "data")) > 4
    assert str(tmp_path) not in found
