"""The classifier as a model of MLflow: its directory, its code, what it takes and gives, and what it needs."""

from __future__ import annotations

import json
import re
from importlib.metadata import requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.version import Version

from hmltc_kedro.text.backends import PACKAGES

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

PACKAGE = Path(__file__).parents[1]

TORCH_INDEX = "https://download.pytorch.org/whl"

EXAMPLE = {"text": ["Whistling kettle of two litres, boils in no time"]}
"""What a request holds, by column."""


def log_model(classifier: Path) -> str:
    """Log a saved classifier with the active run and return the id of the model; `models:/<id>` is its address.

    The code goes along, since no index has this package: neither the machine nor the container that serves the model
    needs it installed.

    Args:
        classifier: the directory.
    """
    import mlflow
    import pandas as pd

    logged = mlflow.pyfunc.log_model(
        name="classifier",
        python_model=str(Path(__file__).with_name("served.py")),
        artifacts={"classifier": str(classifier)},
        code_paths=[str(PACKAGE)],
        signature=describe_interface(),
        input_example=pd.DataFrame(EXAMPLE),
        pip_requirements=list_requirements(classifier),
    )
    return str(logged.model_id)


def describe_interface() -> ModelSignature:
    """Return what the model takes, a column of texts, and what it gives, the fields of a `Prediction`."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, Schema

    texts, numbers = Array(DataType.string), Array(DataType.double)
    outputs: list[Any] = [
        ColSpec(texts, "class_ids"),
        ColSpec(texts, "names"),
        ColSpec(Array(texts), "paths"),
        ColSpec(numbers, "scores"),
        ColSpec(numbers, "probabilities"),
        ColSpec(DataType.boolean, "fits"),
        ColSpec(DataType.string, "decision"),
    ]
    return ModelSignature(inputs=Schema([ColSpec(DataType.string, "text")]), outputs=Schema(outputs))


def list_requirements(classifier: Path) -> list[str]:
    """Return lines of a requirements file: what a saved classifier needs beside its code, as it is installed here.

    These are the packages that this one requires without its extras, and those of the encoder's backend.
    """
    required = map(Requirement, requires("hmltc_kedro") or [])
    names = [requirement.name for requirement in required if requirement.marker is None]
    names += PACKAGES[json.loads((classifier / "settings.json").read_text("utf-8"))["backend"]]
    build = Version(version("torch")).local or ""
    # Builds of torch such as 2.13.0+cpu are on an index of their own, those of a name of their own on none.
    index = [f"--extra-index-url {TORCH_INDEX}/{build}"] if re.fullmatch(r"cpu|cu\d+|rocm[\d.]+", build) else []
    return [*index, *(f"{name}=={version(name) if index else Version(version(name)).public}" for name in names)]
