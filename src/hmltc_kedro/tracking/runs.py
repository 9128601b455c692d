"""What is kept of a run: the settings its results were made with, scores with intervals, the page and the model."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
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

TRACKED = frozenset({*SCORES, "ablation_table", "classifier", "report"})
"""Entries of which one makes a run worth keeping."""

VARIANTS = "ablation.variants."
"""What names of settings of the ablation's rows begin with."""


@dataclass(frozen=True)
class Run:
    """A run that has ended.

    Attributes:
        began: its first moment.
        params: Kedro's, of the run.
        nodes: of its pipelines, those that it left alone too.
        written: the entries it wrote.
    """

    began: datetime
    params: Mapping[str, Any]
    nodes: Sequence[Any]
    written: Set[str]

    @property
    def pipelines(self) -> list[str]:
        """Their names."""
        return list(self.params.get("pipeline_names") or ["__default__"])


def track(store: Store, run: Run, catalog: CatalogProtocol[Any, Any]) -> list[str]:
    """Keep a run that made something to compare.

    Its settings are those that the records of freshness have of its results and of all that these were made from: a run
    in parts, or a refresh, reads what others have made with settings of their own.

    Args:
        store: where.
        run: that has ended.
        catalog: of its entries.

    Returns:
        Lines for people; none if there is nothing to compare or mlflow.yml leaves the pipelines out.
    """
    if not run.written & TRACKED or not store.tracks(run.pipelines):
        return []
    import mlflow
    from mlflow.tracking.context.registry import resolve_tags

    tracker = Tracker(run.nodes, catalog)
    results = find_results(run, tracker)
    settings = tracker.trace_settings(results)
    experiment, name = store.open(), store.config.tracking.run.name
    tags = resolve_tags({"pipelines": ", ".join(sorted(run.pipelines)), "env": run.params.get("env") or "base"})
    info = mlflow.MlflowClient().create_run(experiment, int(run.began.timestamp() * 1000), tags, name).info
    with mlflow.start_run(info.run_id, nested=True):
        mlflow.log_params({name: value for name, value in settings.items() if not name.startswith(VARIANTS)})
        model = log_model(path) if (path := results.get("classifier")) else None
        for name in SCORES.keys() & results:
            mlflow.log_metrics(name_numbers(catalog.load(name), SCORES[name]), model_id=model)
        if path := results.get("report"):
            mlflow.log_artifact(str(path))
        if "ablation_table" in results:
            table = catalog.load("ablation_table")
            log_rows(table, {row: tracker.trace_settings([f"{row}.scores"]) for row in table["variant"]}, experiment)
    return ["MLflow", f"  {'run':24} {info.run_name}", *([f"  {'model':24} models:/{model}"] if model else [])]


def find_results(run: Run, tracker: Tracker) -> dict[str, Path | None]:
    """Return the entries that are this run's to keep, and where they lie.

    They are those it wrote; and of scores and pages those it left alone because they came out the same, where a refresh
    has found them fresh.
    """
    made = {name for node in run.nodes for name in node.outputs}
    left = made & {*SCORES, "report"} - run.written
    fresh = {state.entry for state in tracker.find_states() if state.state == "fresh"} if left else set()
    return {name: tracker.find_path(name) for name in sorted(run.written & TRACKED | left & fresh)}


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
