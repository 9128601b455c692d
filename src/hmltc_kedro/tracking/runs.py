"""What is kept of a run: the settings its results were made with, scores with intervals, the page and the model."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hmltc_kedro.display import flatten
from hmltc_kedro.freshness.tracker import Tracker
from hmltc_kedro.tracking.model import log_model
from hmltc_kedro.tracking.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from kedro.io import CatalogProtocol

SCORES = {"metrics": "", "run_diagnostics": "diagnostics."}
"""Entries of numbers, and what their names begin with in MLflow."""

TRACKED = (*SCORES, "ablation_table", "classifier", "report")
"""Entries that make a run worth keeping, and whose settings it has."""

VARIANTS = "ablation.variants."
"""What names of settings of the ablation's rows begin with."""


def track(
    store: Store,
    run_params: Mapping[str, Any],
    began: datetime,
    written: Iterable[str],
    catalog: CatalogProtocol[Any, Any],
) -> list[str]:
    """Keep a run that has ended; what it found on the disk and did not write belongs to the runs before it.

    Its settings are those that the records of freshness have of the entries and of all that these were made from: a run
    in parts, or a refresh, reads what others have made with settings of their own.

    Args:
        store: where.
        run_params: Kedro's, of the run.
        began: its first moment.
        written: the entries it wrote.
        catalog: of these.

    Returns:
        Lines for people; none if there is nothing to compare or mlflow.yml leaves the pipeline out.
    """
    made, pipelines = set(written), list(run_params.get("pipeline_names") or ["__default__"])
    entries = [name for name in TRACKED if name in made]
    if not entries or not store.tracks(pipelines):
        return []
    import mlflow
    from mlflow.tracking.context.registry import resolve_tags

    tracker = Tracker([], catalog)
    settings, paths = tracker.trace_settings(entries), {name: tracker.find_path(name) for name in entries}
    experiment, name = store.open(), store.config.tracking.run.name
    tags = resolve_tags({"pipelines": ", ".join(pipelines), "env": run_params.get("env") or "base"})
    run = mlflow.MlflowClient().create_run(experiment, int(began.timestamp() * 1000), tags, name).info
    with mlflow.start_run(run.run_id, nested=True):
        mlflow.log_params({name: value for name, value in settings.items() if not name.startswith(VARIANTS)})
        model = log_model(path) if (path := paths.get("classifier")) else None
        for name, prefix in SCORES.items():
            if name in made:
                mlflow.log_metrics(name_numbers(catalog.load(name), prefix), model_id=model)
        if path := paths.get("report"):
            mlflow.log_artifact(str(path))
        if "ablation_table" in made:
            table = catalog.load("ablation_table")
            log_rows(table, {row: tracker.trace_settings([f"{row}.scores"]) for row in table["variant"]}, experiment)
    return ["MLflow", f"  {'run':24} {run.run_name}", *([f"  {'model':24} models:/{model}"] if model else [])]


def log_rows(table: pd.DataFrame, settings: Mapping[str, Mapping[str, Any]], experiment: str) -> None:
    """Keep each row of `ablation_table` as a run below the active one, so that its scores have the names of any run's.

    Args:
        table: the entry.
        settings: that each row was made with, by its variant.
        experiment: the id of that of the active run.
    """
    import mlflow

    rows: list[dict[Any, Any]] = table.to_dict("records")
    for row in rows:
        with mlflow.start_run(None, experiment, row["title"], nested=True, description=row["source"]):
            mlflow.log_params(name_settings(settings[row["variant"]], row["variant"]))
            mlflow.log_metrics(name_numbers(row))


def name_settings(settings: Mapping[str, Any], variant: str) -> dict[str, Any]:
    """Return the settings of a row of the ablation as the stages call them: `train.head.epochs`.

    Args:
        settings: some of them below `ablation.variants.<row>`; another row's are those that it takes over from there.
        variant: the row, whose own go before all others.
    """
    nearest_last = sorted(
        settings, key=lambda name: (name.startswith(VARIANTS), name.startswith(f"{VARIANTS}{variant}."))
    )
    return {re.sub(rf"^{re.escape(VARIANTS)}\w+\.", "", name): settings[name] for name in nearest_last}


def name_numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers among nested values by dotted name, as MLflow takes names; what is not known is left out.

    An interval, [low, high] under `agreement_interval`, becomes `agreement_low` and `agreement_high`.

    Args:
        values: of an entry.
        prefix: of all names.
    """
    named: dict[str, Any] = {}
    for name, value in flatten(values):
        key = prefix + re.sub(r"[^\w.\-/ ]", "_", name)
        if key.endswith("_interval") and value is not None:
            stem = key.removesuffix("interval")
            named |= {f"{stem}low": value[0], f"{stem}high": value[1]}
        else:
            named[key] = value
    known = {key: value for key, value in named.items() if isinstance(value, int | float) and math.isfinite(value)}
    return {key: float(value) for key, value in known.items() if not isinstance(value, bool)}
