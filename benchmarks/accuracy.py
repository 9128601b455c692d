"""How well the project labels documents, what each part of its method adds, and what the paper's preset gives.

Usage:
    python benchmarks/accuracy.py [--rows methods parts] [--datasets sample] [--seeds 42 43 44] [--threads 2] [--table]

Every row is a configuration of the project; the nodes of its own pipelines do all the work. The datasets are the
folders of `data/01_raw` that have classes and gold test labels, and gold is read for measuring alone; no document has
a judgement. The vectors of the encoder are those of the catalog's cache; the seed that differs is that of training, as
in the ablation.

A row runs on a dataset in a process of its own, so that its peak memory is its own. Each seed's result is written as
soon as it is there, to `data/08_reporting/accuracy/<dataset>/<row>-<seed>.parquet`: one row a document with gold
labels, and in the file's metadata what was measured, with which settings on which data. It is used again while data
and settings are the same, so a killed run goes on where it was. Changed code is not noticed: delete the files to
measure it.
"""

from __future__ import annotations

import argparse
import functools
import gc
import itertools
import json
import logging
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.validation.parameter_validator import ParameterValidator

from hmltc_kedro.arrays import DoubleArray
from hmltc_kedro.config import SETTINGS, ProjectConfigLoader, complete_settings, overlay
from hmltc_kedro.corpus import raw_files
from hmltc_kedro.corpus.gold_labels import align_gold_labels
from hmltc_kedro.errors import InputError
from hmltc_kedro.evaluation import intervals, metrics
from hmltc_kedro.freshness.digests import file_digest
from hmltc_kedro.pipeline_registry import create_stage
from hmltc_kedro.pipelines import STAGES
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from hmltc_kedro.taxonomy import Taxonomy

ROOT = Path(__file__).resolve().parents[1]
RAW = Path("data/01_raw")
KEPT = Path("data/08_reporting/accuracy")
METADATA = b"hmltc_kedro.accuracy"
BOOTSTRAP_SEED = 42

logger = logging.getLogger("accuracy")


@dataclass(frozen=True)
class Row:
    """One configuration.

    Attributes:
        title: how the table calls it.
        env: `base`, or the environment laid over it.
        overlay: what differs from the environment's parameters, by stage.
        globals: what differs from its globals, such as `{"encoder": "sentence-transformers/all-mpnet-base-v2"}`.
    """

    title: str
    env: str = "base"
    overlay: Mapping[str, Any] = field(default_factory=dict)
    globals: Mapping[str, Any] = field(default_factory=dict)


BASE = "base"
"""The row that the others are compared with."""

UNLABELLED = {"annotate": {"max_documents": 0}}
"""Laid under every row: recorded judgements of documents would hide what the parts of the method do."""


ROWS = {
    "base": Row("the default method"),
    "paper": Row("the paper's preset", env="paper"),
    "cut": Row("long texts cut, not windowed", globals={"encoder_windows": 1}),
    "no_hubness": Row("without hubness correction", overlay={"pseudo_label": {"hubness_prior": float("inf")}}),
    "no_lexical_view": Row("without the lexical view", overlay={"pseudo_label": {"lexical_weight": 0.0}}),
    "no_second_look": Row("without the second look", overlay={"pseudo_label": {"second_look": 0.0}}),
    "no_ancestors": Row("without the classes above", overlay={"pseudo_label": {"ancestor_weight": 0.0}}),
    "fixed_weight": Row("lexical weight 0.5, not measured", overlay={"pseudo_label": {"lexical_weight": 0.5}}),
    "no_neighbours": Row("without neighbours", overlay={"pseudo_label": {"neighbours": 0}}),
    "one_label": Row("one silver label, not up to three", overlay={"pseudo_label": {"selection": "threshold"}}),
    "quarter_dropped": Row("least certain quarter dropped", overlay={"pseudo_label": {"gap": {"value": 0.25}}}),
    "plain": Row(
        "fixed weight, one look, without neighbours, classes above and words in the classifier",
        overlay={
            "pseudo_label": {"lexical_weight": 0.5, "neighbours": 0, "second_look": 0.0, "ancestor_weight": 0.0},
            "train": {"head": {"lexical": False}},
        },
    ),
    "untrained": Row("untrained head", overlay={"train": {"head": {"epochs": 0}}}),
    "no_lexical_term": Row("classifier without words", overlay={"train": {"head": {"lexical": False}}}),
    "single_path": Row("one path a document", overlay={"infer": {"decoding": {"max_paths": 1}}}),
    "leaf_priority": Row("leaf-priority decoding", overlay={"infer": {"decoding": {"method": "leaf_priority"}}}),
    "path_view": Row("with the path view", overlay={"pseudo_label": {"views": ["text", "path"]}}),
    "self_trained": Row("with self-training", overlay={"train": {"self_training": {"rounds": 2}}}),
    "fine_tuned": Row("with fine-tuning", overlay={"train": {"fine_tuning": {"epochs": 3}}}),
}
"""By name, in the order of the table."""

SETS = {
    "methods": ["base", "paper"],
    "parts": ["base", *itertools.takewhile("path_view".__ne__, list(ROWS)[2:])],
    "additions": ["base", "path_view", "self_trained"],
    "tuning": ["base", "fine_tuned"],
}
"""Rows that belong together; the command line takes their names as well."""


# ---------------------------------------------------------------------- configuration


class _Loader(ProjectConfigLoader):
    """The project's loader, with other globals."""

    def __init__(self, overrides: Mapping[str, Any], **settings: Any) -> None:
        self._overrides = overrides
        super().__init__(str(ROOT / "conf"), **settings)

    def __getitem__(self, key: str) -> dict[str, Any]:
        config = super().__getitem__(key)
        return {**config, **self._overrides} if key == "globals" else config


@dataclass(frozen=True)
class Plan:
    """What a row is on a dataset.

    Attributes:
        pipeline: every node on the way from the raw files to `predictions`.
        settings: the parameters of each stage that takes part, and the seed.
        parameters: by the name of the input, validated.
        catalog: of the raw files, the encoder and the language model.
    """

    pipeline: Pipeline
    settings: dict[str, Any]
    parameters: dict[str, Any]
    catalog: DataCatalog

    @property
    def trained(self) -> Pipeline:
        """The nodes that depend on the seed: training and all that follows."""
        return self.pipeline.from_nodes("train_classifier")


def make_plan(row: Row, dataset: str) -> Plan:
    """Return the nodes, parameters and entries of a row.

    Raises:
        InputError: an overlay on something that is no stage's settings.
        ParameterValidationError: settings that a stage refuses.
    """
    stages = [create_stage(name) for name in STAGES if name not in ("evaluate", "report")]
    pipeline = sum(stages, Pipeline([])).to_outputs("predictions")
    parameters, catalog, credentials = _read_configuration(row.env, tuple(row.globals.items()), dataset)
    if unknown := row.overlay.keys() - SETTINGS.keys():
        raise InputError(f"row `{row.title}`: there are no settings of {', '.join(sorted(unknown))}")
    parameters = complete_settings(overlay(overlay(parameters, UNLABELLED), dict(row.overlay)))
    validated = ParameterValidator({"accuracy": pipeline}).validate_raw_params(parameters)
    names = sorted(name for name in pipeline.inputs() if name.startswith("params:"))
    entries = {*pipeline.inputs(), "gold_labels"} - set(names)
    config = {name: entry for name, entry in catalog.items() if name in entries}
    return Plan(
        pipeline,
        {f"params:{name}": parameters[name] for name in {"seed"} | {name[7:].split(".")[0] for name in names}},
        {name: look_up(validated, name.removeprefix("params:")) for name in names},
        DataCatalog.from_config(config, credentials),
    )


@functools.cache
def _read_configuration(
    env: str, overrides: tuple[tuple[str, Any], ...], dataset: str
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return parameters, catalog and credentials, which nobody alters: most rows share them."""
    loader = _Loader(dict(overrides), env=env, runtime_params={"dataset": dataset}, **CONFIG_LOADER_ARGS)
    return loader["parameters"], loader["catalog"], loader["credentials"]


def describe_settings(plan: Plan) -> dict[str, Any]:
    """Return all that a result depends on besides code and seed, in a form `json.dump` takes."""
    settings: dict[str, Any] = {"parameters": {}, "resources": {}, "data": {}}
    settings["parameters"] = plan.settings
    for name in sorted(plan.catalog.keys()):
        dataset: Any = plan.catalog.get(name)
        if hasattr(dataset, "identify"):
            settings["resources"][name] = dataset.identify()
        else:
            path = dataset.find_file()
            settings["data"][name] = file_digest(path) if path is not None else None
    return settings


def is_current(kept: Mapping[str, Any], plan: Plan) -> bool:
    """Tell whether settings that were kept with a result are those of the plan.

    Kept parameters are read by the parameter models of today, so that a parameter that is new since then counts by its
    default: a part that is added to the method, off by default, leaves results of rows without it as they are.
    """
    now = describe_settings(plan)
    if any(kept[part] != now[part] for part in ("resources", "data")):
        return False
    if kept["parameters"].keys() - plan.settings.keys():
        return False
    return all(
        _is_same(name.removeprefix("params:"), kept["parameters"].get(name, {}), value)
        for name, value in plan.settings.items()
    )


def _is_same(name: str, kept: Any, value: Any) -> bool:
    try:
        return bool(complete_settings({name: kept})[name] == value)
    except InputError:
        return False


def look_up(parameters: Mapping[str, Any], name: str) -> Any:
    """Return a parameter by its dotted name."""
    for part in name.split("."):
        parameters = parameters[part]
    return parameters


# ---------------------------------------------------------------------- measuring


def measure_row(name: str, dataset: str, seeds: Sequence[int], threads: int | None) -> None:
    """Label the documents once, train with each seed, and write each seed's result; in a process of its own."""
    import sentence_transformers  # noqa: F401  what it takes to import is no part of the first training
    import torch

    if threads:
        torch.set_num_threads(threads)
    _set_up_logging()
    plan = make_plan(ROWS[name], dataset)
    trained = plan.trained
    values, before = run_nodes(plan.pipeline - trained, plan.parameters, plan.catalog)
    values = {entry: value for entry, value in values.items() if entry in trained.inputs()}
    settings = describe_settings(plan)
    for seed in seeds:
        made, seconds = run_nodes(trained, {**values, "params:seed": seed}, plan.catalog)
        scores = score_documents(plan.catalog.load("gold_labels"), made["predictions"], values["taxonomy"])
        del made
        gc.collect()  # an optimizer and its schedule refer to each other: without this each seed stays in memory
        measured = {
            "dataset": dataset,
            "row": name,
            "seed": seed,
            "sample_f1": float(scores["sample_f1"].mean()),
            "seconds": before | seconds,
            "peak_memory": measure_peak_memory(),
            "threads": torch.get_num_threads(),
            "commit": find_commit(),
            "settings": settings,
        }
        write_result(scores, measured)
        steps = ", ".join(f"{step} {took:.0f} s" for step, took in (before | seconds).items())
        logger.info("%s, %s, seed %d: sample-F1 %.4f; %s", dataset, name, seed, measured["sample_f1"], steps)


def run_nodes(
    pipeline: Pipeline, known: Mapping[str, Any], catalog: DataCatalog
) -> tuple[dict[str, Any], dict[str, float]]:
    """Run the nodes in order; return all entries, known and made, and the seconds by stage.

    Encoding of documents and classes is a step of its own, `encoding`: vectors come from the cache, except the first
    time.
    """
    values, seconds = dict(known), dict[str, float]()
    for node in pipeline.nodes:
        inputs = {name: values[name] if name in values else catalog.load(name) for name in node.inputs}
        started = time.perf_counter()
        values |= node.run(inputs)
        step = "encoding" if node.name.startswith("embed_") else next(iter(node.tags))
        seconds[step] = round(seconds.get(step, 0.0) + time.perf_counter() - started, 3)
    return values, seconds


def score_documents(gold_labels: raw_files.RawTable, predictions: pd.DataFrame, taxonomy: Taxonomy) -> pd.DataFrame:
    """Return doc_id, sample_f1 and predicted class_ids of each document with gold labels."""
    gold = align_gold_labels(gold_labels, taxonomy, list(predictions["doc_id"]))
    predicted = gold.fill(taxonomy.to_matrix(predictions["class_ids"].iloc[gold.rows]))
    scores = metrics.sample_f1_scores(gold.labels, predicted)
    label_sets = pd.Series(taxonomy.to_label_sets(predicted), dtype=object)
    return pd.DataFrame({"doc_id": gold.doc_ids, "sample_f1": scores, "class_ids": label_sets})


def measure_peak_memory() -> float:
    """Return the most memory this process has held, in MB.

    Linux hands down what the parent held when it started the process: the parent imports no torch and stays below.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)


def find_commit() -> str:
    """Return the git commit of the code, `-dirty` if it was changed since; empty outside a repository."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


# ---------------------------------------------------------------------- kept results


def find_result(dataset: str, row: str, seed: int) -> Path:
    """Return where a result lies, or would."""
    return KEPT / dataset / f"{row}-{seed}.parquet"


def write_result(scores: pd.DataFrame, measured: Mapping[str, Any]) -> None:
    """Write a result to a temporary name and move it into place."""
    path = find_result(measured["dataset"], measured["row"], measured["seed"])
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    table = pa.Table.from_pandas(scores, preserve_index=False)
    try:
        pq.write_table(table.replace_schema_metadata({METADATA: json.dumps(measured)}), temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_result(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the scores by document and what was measured."""
    table = pq.read_table(path)
    return table.to_pandas(), json.loads(table.schema.metadata[METADATA])


def has_result(dataset: str, row: str, seed: int, plan: Plan) -> bool:
    """Tell whether there is a result with the settings and data of the plan."""
    path = find_result(dataset, row, seed)
    if not path.is_file():
        return False
    measured = json.loads(pq.read_schema(path).metadata[METADATA])
    return is_current(measured["settings"], plan)


# ---------------------------------------------------------------------- the table


@dataclass(frozen=True)
class Measured:
    """What is known about a row on a dataset.

    Attributes:
        scores: sample-F1, shape (seeds, documents with gold labels).
        seconds: by step, means over the seeds.
        peak_memory: in MB, the most of any seed.
    """

    scores: DoubleArray
    seconds: dict[str, float]
    peak_memory: float


Results = Mapping[tuple[str, str], Measured]
"""By row and dataset; only what was measured with all seeds."""


def collect_results(rows: Sequence[str], datasets: Sequence[str], seeds: Sequence[int]) -> Results:
    """Read the kept results of these rows and of `BASE`, those that are still current."""
    results = {}
    for name in dict.fromkeys([*rows, BASE]):
        for dataset in datasets:
            plan = make_plan(ROWS[name], dataset)
            if all(has_result(dataset, name, seed, plan) for seed in seeds):
                kept = [read_result(find_result(dataset, name, seed)) for seed in seeds]
                results[name, dataset] = Measured(
                    np.stack([scores["sample_f1"].to_numpy(np.float64) for scores, _ in kept]),
                    {str(k): v for k, v in pd.DataFrame([measured["seconds"] for _, measured in kept]).mean().items()},
                    max(measured["peak_memory"] for _, measured in kept),
                )
    return results


def compare(row: str, datasets: Sequence[str], results: Results) -> tuple[float, float, float] | None:
    """Return the sample-F1 of `BASE` minus that of the row, and the 95 % interval: low, high.

    A document's score is its mean over the seeds. Each dataset counts alike; documents are resampled in pairs within
    their dataset. None if there is nothing to compare.
    """
    if row == BASE or any((name, dataset) not in results for name in (row, BASE) for dataset in datasets):
        return None
    differences = [(results[BASE, d].scores.mean(axis=0) - results[row, d].scores.mean(axis=0)) for d in datasets]
    low, high = intervals.stratified_bootstrap(differences, seed=BOOTSTRAP_SEED)
    return float(np.mean([difference.mean() for difference in differences])), low, high


def write_tables(rows: Sequence[str], datasets: Sequence[str], results: Results) -> str:
    """Return scores, differences and costs as Markdown."""
    scores, differences, costs = [], [], []
    for row in rows:
        title, cells = ROWS[row].title, [results.get((row, dataset)) for dataset in datasets]
        known = [float(cell.scores.mean()) for cell in cells if cell is not None]
        whole = f"{np.mean(known):.3f}" if len(known) == len(cells) else MISSING
        scores.append([title, *map(_show_score, cells), whole])
        if row != BASE:
            shown = [_show_difference(compare(row, chosen, results)) for chosen in (*([d] for d in datasets), datasets)]
            differences.append([title, *shown])
        costs += [[title, d, *_show_costs(cell)] for d, cell in zip(datasets, cells, strict=True) if cell is not None]
    steps = ["labels, s", "training, s", "inference, s", "peak memory, MB"]
    return "\n".join(
        [
            "Sample-F1 on the test documents, mean ± standard deviation over the seeds.\n",
            _write_table(["row", *datasets, "mean"], scores),
            "\nWhat a row loses: sample-F1 of the default method minus its own, 95 % interval of the paired",
            "bootstrap over documents; over all datasets each counts alike.\n",
            _write_table(["row", *datasets, "all"], differences),
            "\nWhat it costs, a seed; documents and classes are encoded already.\n",
            _write_table(["row", "dataset", *steps], costs),
        ]
    )


MISSING = "–"


def _show_score(cell: Measured | None) -> str:
    if cell is None:
        return MISSING
    by_seed = cell.scores.mean(axis=1)
    spread = f" ± {by_seed.std(ddof=1):.3f}" if len(by_seed) > 1 else ""
    return f"{by_seed.mean():.3f}{spread}"


def _show_difference(difference: tuple[float, float, float] | None) -> str:
    return MISSING if difference is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*difference)


def _show_costs(cell: Measured) -> list[str]:
    others = ("ingest", "enrich", "encoding", "train", "infer")
    labels = sum(seconds for step, seconds in cell.seconds.items() if step not in others)
    return [f"{x:,.0f}" for x in (labels, cell.seconds["train"], cell.seconds["infer"], cell.peak_memory)]


def _write_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows))


# ---------------------------------------------------------------------- the command


def find_datasets() -> list[str]:
    """Return the folders of raw data that can be measured on."""
    needed = ("classes.txt", "test/doc2labels.txt")
    return sorted(folder.name for folder in RAW.iterdir() if all((folder / name).is_file() for name in needed))


def _set_up_logging() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logger.setLevel(logging.INFO)


def main() -> int:
    """Measure what is not kept yet and print the table; return 1 if a row failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=[*SETS, *ROWS])
    parser.add_argument("--datasets", nargs="+", help="default: all that have gold test labels")
    parser.add_argument("--seeds", nargs="+", type=int, default=[42, 43, 44])
    parser.add_argument("--threads", type=int, help="of torch and BLAS; default: all cores")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what is kept")
    options = parser.parse_args()
    os.chdir(ROOT)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    _set_up_logging()
    wanted = {row for name in options.rows for row in SETS.get(name, [name])}
    rows = [name for name in ROWS if name in wanted]
    datasets = options.datasets or find_datasets()
    failed = []
    for dataset, row in [] if options.table else itertools.product(datasets, rows):
        plan = make_plan(ROWS[row], dataset)
        missing = [seed for seed in options.seeds if not has_result(dataset, row, seed, plan)]
        if missing and not measure_apart(row, dataset, missing, options.threads):
            failed.append(f"{row} on {dataset}")
    print(write_tables(rows, datasets, collect_results(rows, datasets, options.seeds)))
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(len(failed) > 0)


def measure_apart(row: str, dataset: str, seeds: Sequence[int], threads: int | None) -> bool:
    """Measure a row in a process of its own; tell whether it went well."""
    process = multiprocessing.get_context("spawn").Process(target=measure_row, args=(row, dataset, seeds, threads))
    process.start()
    process.join()
    return process.exitcode == 0


if __name__ == "__main__":
    sys.exit(main())
