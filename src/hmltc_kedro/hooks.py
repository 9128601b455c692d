"""Hooks: what a person wants to be told before and after a run. No node depends on them."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import threading
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import AbstractDataset, DataCatalog, DatasetError
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from hmltc_kedro.config import ProjectConfigLoader
from hmltc_kedro.display import show_path
from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.records import Content
from hmltc_kedro.freshness.refusals import blame_unrecorded, check_together
from hmltc_kedro.freshness.tracker import Tracker
from hmltc_kedro.llm.usage import Usage
from hmltc_kedro.report.end_of_run import show_ablation, summarise_metrics
from hmltc_kedro.tracking.session import Tracking

logger = logging.getLogger(__name__)


NOTES = "HMLTC_KEDRO_NOTES"
"""Environment variable: the folder in which the processes of Kedro's ParallelRunner note what they have run."""


class RunNotes:
    """What the processes of a run tell the one that began it, a file a node: each process has hooks of its own."""

    def __init__(self) -> None:
        """Begin outside of a run."""
        self._owner: int | None = None

    def open(self) -> None:
        """Make the folder; processes that are started from now on find it."""
        self.close()
        self._owner = os.getpid()
        os.environ[NOTES] = tempfile.mkdtemp(prefix="hmltc_kedro_")

    def write(self, name: str, note: dict[str, Any]) -> None:
        """Note what a node took, in a process that did not begin the run."""
        folder = os.environ.get(NOTES)
        if folder is None or self._owner == os.getpid() or not Path(folder).is_dir():
            return
        path = Path(folder) / f"{quote(name, safe='')}.json"
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps({"name": name, **note}), "utf-8")
        os.replace(draft, path)

    def read(self) -> dict[str, dict[str, Any]]:
        """Return the notes by the name of the node; none where the run has one process."""
        folder = os.environ.get(NOTES)
        notes = [json.loads(path.read_text("utf-8")) for path in Path(folder).glob("*.json")] if folder else []
        return {note.pop("name"): note for note in notes}

    def close(self) -> None:
        """Remove the folder, in the process that made it."""
        if self._owner == os.getpid():
            shutil.rmtree(os.environ.pop(NOTES, ""), ignore_errors=True)
            self._owner = None


class ProjectHooks:
    """Check the inputs before a run; say what is done during it and what came out after it."""

    def __init__(self) -> None:
        """Begin with no node run and nothing used."""
        self._ran: set[str] = set()
        self._used_before: Usage | None = None
        self._only_missing = True
        self._starts: dict[str, tuple[float, Usage | None]] = {}
        self._lock = threading.Lock()  # nodes may finish in threads
        self._notes = RunNotes()
        self._tracking = Tracking()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Tell the configuration which folder relative paths are meant from: `--conf-source` may lie anywhere."""
        if isinstance(context.config_loader, ProjectConfigLoader):
            context.config_loader.project_path = Path(context.project_path)
        self._tracking.find(context)

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Stop before the first node if a parameter is unknown or an input that is not optional is missing.

        Raises:
            InputError: one line an unknown parameter; one line a missing entry, with the command or the file
                that makes it.
        """
        self._ran.clear()
        self._tracking.begin(run_params)
        self._only_missing = bool(run_params.get("only_missing_outputs"))
        check_parameters(catalog)
        missing = [
            explain_missing(name, dataset, run_params)
            for name in sorted(pipeline.inputs())
            if not name.startswith("params:") and name != "parameters"
            for dataset in [catalog.get(name)]
            if dataset is not None and not getattr(dataset, "optional", False)
            if not dataset.exists()
        ]
        if missing:
            raise InputError("\n".join(missing))
        self._used_before = replace(catalog.load("llm").usage) if "llm" in pipeline.inputs() else None
        self._notes.open()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Leave nothing behind."""
        self._notes.close()

    @hook_impl
    def before_node_run(self, node: Node, inputs: dict[str, Any]) -> None:
        """Say which node runs, and look at the clock and at what the language model has used so far."""
        logger.info("%s: %s", ", ".join(sorted(node.tags)), node.name)
        self._ran.add(node.name)
        used = replace(inputs["llm"].usage) if "llm" in inputs else None
        self._starts[node.name] = (time.perf_counter(), used)

    @hook_impl
    def after_node_run(self, node: Node, catalog: DataCatalog, inputs: dict[str, Any]) -> None:
        """Put down what the node took, for the report; a run in parts adds to the record of those before it."""
        started, used_before = self._starts.pop(node.name)
        llm = inputs.get("llm")
        took = {
            "stage": ", ".join(sorted(node.tags)),
            "seconds": round(time.perf_counter() - started, 3),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "llm": asdict(llm.usage - used_before) if llm is not None else None,
        }
        reads_record = "run_record" in node.inputs  # else what it has read would not be what lies there
        self._notes.write(node.name, {"took": None if reads_record else took})
        if not reads_record:
            with self._lock:
                self._put_down(catalog, {node.name: took})

    def _put_down(self, catalog: DataCatalog, took: dict[str, Any]) -> dict[str, Any]:
        """Add to the record, with what other processes noted: two that write at once may lose an entry of each other.

        Returns:
            The notes.
        """
        notes = self._notes.read()
        noted = {name: note["took"] for name, note in notes.items() if note["took"]}
        if noted or took:
            catalog.save("run_record", {**_load_record(catalog), **noted, **took})
        return notes

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print the scores if the run evaluated, where everything was written, and what was left alone."""
        notes = self._put_down(catalog, {})
        self._notes.close()
        ran = [node for node in pipeline.nodes if node.name in self._ran or node.name in notes]
        written = [name for node in ran for name in node.outputs]
        blocks = [summarise_metrics(catalog.load("metrics"))] if "metrics" in written else []
        if "ablation_table" in written:
            blocks.append(show_ablation(catalog.load("ablation_table")))
        elif measured := [name for name in written if name.endswith(".scores")]:
            blocks.append(["sample-F1, mean over the seeds", *(_show_scores(name, catalog) for name in measured)])
        if self._used_before is not None and any("llm" in node.inputs for node in ran):
            llm = catalog.load("llm")
            others = (Usage(**note["took"]["llm"]) for note in notes.values() if note["took"] and note["took"]["llm"])
            usage = sum(others, llm.usage - self._used_before)
            gaps = _find_unanswered(written, catalog)
            report = {"client": type(llm).__name__, "model": llm.name, **asdict(usage), **gaps}
            catalog.save("llm_usage", report)
            counts = [f"  {len(rows)} {name.replace('_', ' ')}" for name, rows in gaps.items() if rows]
            blocks.append([f"Language model: {llm.name}", f"  {usage}", *counts])
            written.append("llm_usage")
        blocks.append(_list_files(written, catalog))
        blocks.append(self._tracking.end(pipeline.nodes, written, catalog))
        left = [node.name for node in pipeline.nodes if node not in ran]
        if left and self._only_missing:
            blocks.append([f"Left alone, their outputs exist: {', '.join(left)}"])
        print("".join("\n" + "\n".join(lines) + "\n" for lines in blocks if lines), end="")


class FreshnessHooks:
    """Write beside each entry what it was made from, and let nothing be made of entries that do not belong together."""

    def __init__(self) -> None:
        """Begin outside of a run."""
        self._tracker: Tracker | None = None
        self._inputs: dict[str, dict[str, Content]] = {}

    @hook_impl(trylast=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Take the identity of the nodes' code: what runs is what was imported, whatever is edited meanwhile.

        Raises:
            InputError: as `check_together`; after what is missing has been told.
        """
        self._inputs.clear()
        self._tracker = Tracker(pipeline.nodes, catalog)
        for node in pipeline.nodes:
            self._tracker.find_code(node)
        check_together(pipeline.inputs(), self._tracker)

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Note what the node's inputs hold before it reads the first: what changes later counts as a change.

        Raises:
            InputError: as `check_together`: an earlier node may have made one of them anew.
        """
        if self._tracker is None or node.name in self._inputs:
            return
        check_together(node.inputs, self._tracker)
        try:
            inputs = self._tracker.find_inputs(node, with_rows=True)
        except Exception as error:  # the record will know of no inputs, so that what is made of them counts as stale
            logger.warning("%s: no record of what it reads (%s)", node.name, error)
            inputs = {}
        self._inputs.setdefault(node.name, inputs)

    @hook_impl
    def on_node_error(self, error: Exception, node: Node) -> None:
        """Say which inputs may be the reason for an error that is no message for people yet.

        Raises:
            InputError: as `blame_unrecorded`.
        """
        if self._tracker is not None and not isinstance(error, InputError):
            made = {name for pipeline in pipelines.values() for name in pipeline.all_outputs()}
            blame_unrecorded(error, node.name, made & set(node.inputs), self._tracker)

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Record that a node which writes nothing has run."""
        if not node.outputs:
            self._write(node, None)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Take away the records of what was written without hooks: processes that ParallelRunner spawns have none."""
        if run_params.get("only_missing_outputs"):
            return  # what was left alone keeps its record, whatever that says
        try:
            for record in Tracker([], catalog).find_foreign(pipeline.all_outputs()).values():
                record.unlink(missing_ok=True)
        except Exception as error:  # the entries are written, and count as changed
            logger.warning("old records stay (%s)", error)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Record how the entry was made."""
        self._write(node, dataset_name)

    def _write(self, node: Node, entry: str | None) -> None:
        try:
            if self._tracker is not None:
                self._tracker.write(node, entry, self._inputs.get(node.name, {}))
        except Exception as error:  # the entry is written, and without a record it counts as stale
            logger.warning("%s: no record of how it was made (%s)", entry or node.name, error)


def _load_record(catalog: DataCatalog) -> dict[str, Any]:
    """Return what the nodes took; a damaged record begins anew, as it only describes the work."""
    try:
        record = catalog.load("run_record")
        if isinstance(record, dict):
            return record
        problem = "it is no JSON object"
    except DatasetError as error:
        problem = " ".join(str(error.__cause__ or error).split())
    logger.warning("run_record: not readable (%s); it begins anew", problem)
    return {}


def check_parameters(catalog: DataCatalog) -> None:
    """Refuse parameters that nothing reads.

    Raises:
        InputError: one line an unknown parameter.
    """
    known = _list_parameters()
    unknown = sorted(set(catalog.load("parameters")) - known)
    if unknown:
        raise InputError(
            "\n".join(f"there is no parameter `{name}`; use {', '.join(sorted(known))}" for name in unknown)
        )


def _list_parameters() -> set[str]:
    """Return the top-level parameters: the stages' own, and `dataset`, which only the catalog reads."""
    inputs = {name for pipeline in pipelines.values() for name in pipeline.inputs()}
    return {"dataset"} | {name.removeprefix("params:").split(".")[0] for name in inputs if name.startswith("params:")}


def explain_missing(name: str, dataset: AbstractDataset[Any, Any], run_params: dict[str, Any]) -> str:
    """Say which file of an entry is missing, and what makes it or who has to."""
    path = show_path(dataset._describe().get("filepath", ""))
    maker = next(
        (
            stage
            for stage, stage_pipeline in pipelines.items()
            if stage != "__default__" and name in stage_pipeline.all_outputs()
        ),
        None,
    )
    if maker is None:
        return f"{path}: this file is missing (entry `{name}`); put it there, see README, Your own data"
    flags = f" --env={run_params['env']}" if run_params.get("env") not in (None, "local", "base") else ""
    parameters = run_params.get("runtime_params") or {}
    if "dataset" in parameters:
        flags += f" --params=dataset={parameters['dataset']}"
    return f"entry `{name}` is missing ({path}); make it with: kedro run --pipeline={maker}{flags}"


def _show_scores(name: str, catalog: DataCatalog) -> str:
    scores = catalog.load(name)["sample_f1"]
    return f"  {name.removesuffix('.scores'):45} " + (
        "no gold labels" if scores.isna().all() else f"{scores.mean():.4f}"
    )


def _find_unanswered(written: list[str], catalog: DataCatalog) -> dict[str, list[Any]]:
    """Return the classes that the language model had no answer for, by what they went without."""
    gaps: dict[str, list[Any]] = {}
    if "class_descriptions" in written:
        frame = catalog.load("class_descriptions")
        fallen = frame[frame["source"] == "template"]
        gaps["classes_described_by_the_template"] = fallen[["class_id", "name", "error"]].to_dict("records")
    if "synthetic_documents" in written:
        fed = {path[-1] for path in catalog.load("synthetic_documents")["class_ids"]}
        starved = catalog.load("starved_classes")["class_id"]
        gaps["starved_classes_without_synthetic_documents"] = [i for i in starved if i not in fed]
    return gaps


def _list_files(names: list[str], catalog: DataCatalog) -> list[str]:
    """Return one line an entry that was written to disk, and one a variant of the ablation."""
    lines = {}
    for name in names:
        dataset = catalog.get(name)
        path = dataset._describe().get("filepath") if dataset is not None else None
        if path and "." in name:
            variant = name.split(".")[0]
            lines[variant] = f"  {variant + '.*':24} {show_path(Path(str(path)).parent)}/"
        elif path:
            lines[name] = f"  {name:24} {show_path(path)}"
    return ["Written", *lines.values()] if lines else []
