"""The stage `ingest` in this process: what it raises about raw files is what the command prints after `Error: `."""

import functools
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.runner import SequentialRunner
from kedro.validation.parameter_validator import ParameterValidator

from hmltc_kedro.cli import find_cause
from hmltc_kedro.config import ProjectConfigLoader
from hmltc_kedro.pipeline_registry import create_stage
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from kedro_project import REPOSITORY

DATASET = "mine"
"""What the dataset is called, whose files are below `data/01_raw/mine`."""


class Kept(MemoryDataset):
    """Stays loaded when the last node has read it."""

    def release(self) -> None:
        """Keep it."""


@functools.cache
def read_configuration() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the catalog's entries of the raw files, and the parameters of the stage by the names nodes read."""
    settings = {"env": "base", "runtime_params": {"dataset": DATASET}, **CONFIG_LOADER_ARGS}
    loader = ProjectConfigLoader(str(REPOSITORY / "conf"), **settings)
    stage = create_stage("ingest")
    validated = ParameterValidator({"ingest": stage}).validate_raw_params(loader["parameters"])
    parameters = {}
    for name in stage.inputs():
        if name.startswith("params:"):
            top, *below = name.removeprefix("params:").split(".")
            parameters[name] = functools.reduce(getattr, below, validated[top])
    return {name: entry for name, entry in loader["catalog"].items() if name in stage.inputs()}, parameters


def ingest(folder: Path) -> dict[str, Any]:
    """Run the stage on the raw files of `mine` in a project's folder, and return what comes out.

    Raises:
        InputError: as the command has it.
    """
    raw, parameters = read_configuration()
    stage = create_stage("ingest")
    # As a session of Kedro does: paths are from the project's folder.
    entries = {name: {**entry, "filepath": str(folder / entry["filepath"])} for name, entry in raw.items()}
    catalog = DataCatalog.from_config(entries)
    for name, value in parameters.items():
        catalog[name] = MemoryDataset(value, copy_mode="assign")
    for name in stage.all_outputs():
        catalog[name] = Kept(copy_mode="assign")
    try:
        SequentialRunner().run(stage, catalog)
    except DatasetError as error:  # a file that cannot even be loaded; the command looks for the cause as well
        raise find_cause(error) or error from error
    return {name: catalog.load(name) for name in stage.all_outputs()}


def edit(file: Path, content: bytes) -> None:
    """Give a file other content or, after a +, add to it."""
    file.write_bytes(file.read_bytes() + content[1:] if content[:1] == b"+" else content)
