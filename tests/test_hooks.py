"""Hooks: what is refused before a run and printed after it."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from hmltc_kedro.cli import find_cause
from hmltc_kedro.datasets import JSONDataset, ParquetDataset, RawTableDataset
from hmltc_kedro.datasets.files import PlotlyDataset
from hmltc_kedro.datasets.student import StudentDataset
from hmltc_kedro.datasets.taxonomy import TaxonomyDataset
from hmltc_kedro.datasets.tensors import TensorDataset
from hmltc_kedro.errors import InputError
from hmltc_kedro.hooks import NOTES, ProjectHooks
from hmltc_kedro.llm.usage import Usage


def copy_over(first: object, second: object) -> object:
    return first


COPY = Node(copy_over, inputs=["documents", "gold_labels"], outputs="metrics", name="copy_over", tags=["evaluate"])


@pytest.fixture
def catalog(tmp_path, monkeypatch) -> DataCatalog:
    """Return a catalog of entries that are not there, in a project whose stages make `documents`."""
    monkeypatch.chdir(tmp_path)
    maker = Pipeline([Node(copy_over, ["a", "params:ingest"], "documents", name="make")])
    monkeypatch.setattr("hmltc_kedro.hooks.pipelines", {"ingest": maker})
    return DataCatalog(
        {
            "documents": ParquetDataset(filepath=str(tmp_path / "documents.parquet")),
            "gold_labels": RawTableDataset(filepath=str(tmp_path / "gold.txt"), optional=True),
            "metrics": JSONDataset(filepath=str(tmp_path / "metrics.json")),
            "run_record": JSONDataset(filepath=str(tmp_path / "run_record.json"), optional=True),
            "parameters": MemoryDataset({"ingest": {}, "dataset": "mine"}),
        }
    )


def test_missing_entry_is_named_with_path_and_command_and_optional_ones_are_not(catalog) -> None:
    with pytest.raises(InputError) as error:
        ProjectHooks().before_pipeline_run({}, Pipeline([COPY]), catalog)
    expected = "entry `documents` is missing (documents.parquet); make it with: kedro run --pipeline=ingest"
    assert str(error.value) == expected


def test_command_repeats_environment_and_dataset(catalog) -> None:
    given = {"env": "paper", "runtime_params": {"dataset": "mine"}}
    with pytest.raises(InputError, match="kedro run --pipeline=ingest --env=paper --params=dataset=mine$"):
        ProjectHooks().before_pipeline_run(given, Pipeline([COPY]), catalog)


def test_raw_file_is_named_without_a_command(catalog, tmp_path) -> None:
    catalog["raw_classes"] = RawTableDataset(filepath=str(tmp_path / "classes.txt"))
    pipeline = Pipeline([Node(copy_over, ["raw_classes", "gold_labels"], "metrics")])
    with pytest.raises(InputError, match="^classes.txt: this file is missing"):
        ProjectHooks().before_pipeline_run({}, pipeline, catalog)


def test_unknown_parameter_is_refused_by_name(catalog) -> None:
    catalog["parameters"] = MemoryDataset({"ingest": {}, "ingets": {}})
    with pytest.raises(InputError, match="^there is no parameter `ingets`; use dataset, ingest$"):
        ProjectHooks().before_pipeline_run({}, Pipeline([COPY]), catalog)


def test_summary_lists_what_ran_and_what_was_left_alone(catalog, capsys, caplog) -> None:
    caplog.set_level("INFO", "hmltc_kedro")
    catalog.save("metrics", {"n_docs": 0})
    hooks, other = ProjectHooks(), Node(copy_over, ["documents", "metrics"], "more", name="other")
    hooks.before_node_run(COPY, {})
    hooks.after_pipeline_run(Pipeline([COPY, other]), catalog)
    assert "evaluate: copy_over" in caplog.text
    assert capsys.readouterr().out.splitlines() == [
        "",
        "No gold labels: nothing to score.",
        "",
        "Written",
        f"  {'metrics':24} metrics.json",
        "",
        "Left alone, their outputs exist: other",
    ]


def test_summary_shows_scores_with_intervals(catalog, capsys) -> None:
    scores = {"sample_f1": 0.61234, "sample_f1_interval": [0.5, 0.7]}
    shares = dict.fromkeys(("exact_match", "macro_f1", "precision_at_1", "precision_at_3", "path_consistency"), 1.0)
    counts = {"missing": 0, "loose_gold_sets": 2}
    catalog.save("metrics", {"n_docs": 3, **scores, **shares, **counts, "zero_shot": scores})
    hooks = ProjectHooks()
    hooks.before_node_run(COPY, {})
    hooks.after_pipeline_run(Pipeline([COPY]), catalog)
    out = capsys.readouterr().out
    assert out.count("0.6123  [0.5000, 0.7000]") == 2
    assert "Scores on 3 test documents" in out
    assert f"  {'gold label sets without parents, never 1':45} 2\n" in out
    assert "without a prediction" not in out


def set_clock(monkeypatch: pytest.MonkeyPatch, *readings: float) -> None:
    """Let the hooks read these seconds, one after another."""
    monkeypatch.setattr("hmltc_kedro.hooks.time", SimpleNamespace(perf_counter=iter(readings).__next__))


def test_each_node_is_put_down_with_its_seconds_and_what_it_asked(catalog, monkeypatch) -> None:
    set_clock(monkeypatch, 10.0, 12.5, 13.0, 13.0004)
    hooks, llm = ProjectHooks(), SimpleNamespace(usage=Usage(calls=2, cost=1.0))
    ask = Node(copy_over, inputs=["documents", "llm"], outputs="answers", name="ask", tags=["enrich"])
    for node, inputs in ((COPY, {}), (ask, {"llm": llm})):
        hooks.before_node_run(node, inputs)
        llm.usage = replace(llm.usage, calls=llm.usage.calls + 3, cost=llm.usage.cost + 0.5)
        hooks.after_node_run(node, catalog, inputs)
    record = catalog.load("run_record")
    assert record["copy_over"]["stage"] == "evaluate"
    assert record["copy_over"]["llm"] is None
    assert [record[name]["seconds"] for name in ("copy_over", "ask")] == [2.5, 0.0]
    assert record["copy_over"]["finished"].endswith("+00:00")
    asked = record["ask"]["llm"]
    assert (asked["calls"], asked["cost"]) == (3, 0.5), "what was used before the node began is not its own"


def test_record_keeps_the_nodes_of_earlier_runs(catalog, monkeypatch) -> None:
    set_clock(monkeypatch, 10.0, 11.0)
    catalog.save("run_record", {"build": {"seconds": 3}, "copy_over": {"seconds": 99}})
    hooks = ProjectHooks()
    hooks.before_node_run(COPY, {})
    hooks.after_node_run(COPY, catalog, {})
    record = catalog.load("run_record")
    assert record["build"] == {"seconds": 3}
    assert record["copy_over"]["seconds"] == 1.0


def test_node_that_reads_the_record_leaves_it_as_it_is(catalog) -> None:
    catalog.save("run_record", {"build": {"seconds": 3}})
    hooks, report = ProjectHooks(), Node(copy_over, inputs=["documents", "run_record"], outputs="report", name="report")
    hooks.before_node_run(report, {})
    hooks.after_node_run(report, catalog, {})
    assert catalog.load("run_record") == {"build": {"seconds": 3}}


def run_elsewhere(node: Node, catalog: DataCatalog, llm: SimpleNamespace) -> None:
    """Run a node as a process of the ParallelRunner does: with hooks of its own, under another number."""
    hooks = ProjectHooks()
    inputs = {"llm": llm} if "llm" in node.inputs else {}
    hooks.before_node_run(node, inputs)
    llm.usage = replace(llm.usage, calls=llm.usage.calls + 3, cost=llm.usage.cost + 0.5)
    hooks.after_node_run(node, catalog, inputs)


def test_run_in_several_processes_ends_with_what_all_of_them_did(catalog, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("hmltc_kedro.hooks.check_parameters", lambda catalog: None)
    llm = SimpleNamespace(usage=Usage(calls=2, cost=1.0), name="gpt")
    catalog["llm"], catalog["documents"] = MemoryDataset(llm, copy_mode="assign"), MemoryDataset("text")
    catalog["llm_usage"] = JSONDataset(filepath=str(tmp_path / "llm_usage.json"))
    ask = Node(copy_over, inputs=["documents", "llm"], outputs="answers", name="a.ask", tags=["enrich"])
    report = Node(copy_over, inputs=["documents", "run_record"], outputs="page", name="report")
    hooks = ProjectHooks()
    catalog.save("run_record", {"build": {"seconds": 3}})
    hooks.before_pipeline_run({}, Pipeline([COPY, ask, report]), catalog)
    folder = os.environ[NOTES]
    catalog.save("metrics", {"n_docs": 0})
    for node in (COPY, ask, report):
        run_elsewhere(node, catalog, SimpleNamespace(usage=Usage(cost=0.0)))
    catalog.save("run_record", {"build": {"seconds": 3}})  # two that wrote at once
    hooks.after_pipeline_run(Pipeline([COPY, ask, report]), catalog)
    assert set(catalog.load("run_record")) == {"build", "copy_over", "a.ask"}
    assert (catalog.load("llm_usage")["calls"], catalog.load("llm_usage")["cost"]) == (3, 0.5)
    printed = capsys.readouterr().out
    assert "No gold labels: nothing to score." in printed
    assert f"  {'metrics':24} metrics.json" in printed
    assert NOTES not in os.environ and not Path(folder).exists()


def test_run_that_fails_leaves_no_notes(catalog, monkeypatch) -> None:
    monkeypatch.setattr("hmltc_kedro.hooks.check_parameters", lambda catalog: None)
    catalog["documents"] = MemoryDataset("text")
    hooks = ProjectHooks()
    hooks.before_pipeline_run({}, Pipeline([COPY]), catalog)
    folder = os.environ[NOTES]
    hooks.on_pipeline_error()
    assert NOTES not in os.environ and not Path(folder).exists()


def test_usage_of_two_clients_adds_up() -> None:
    first, second = Usage(calls=1, input_tokens=5, seconds=0.5, cost=1.0), Usage(calls=2, batches=1, cost=0.25)
    assert first + second == Usage(calls=3, input_tokens=5, seconds=0.5, cost=1.25, batches=1)
    assert first + second - second == first
    assert (first + Usage()).cost is None


@pytest.mark.parametrize("damaged", ["{", "[]", "", "\xff"])
def test_damaged_record_begins_anew(tmp_path: Path, damaged: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "run_record.json").write_text(damaged, "latin-1")
    catalog = DataCatalog({"run_record": JSONDataset(filepath=str(tmp_path / "run_record.json"), optional=True)})
    hooks = ProjectHooks()
    hooks.before_node_run(COPY, {})
    hooks.after_node_run(COPY, catalog, {})
    assert list(catalog.load("run_record")) == ["copy_over"]
    assert "it begins anew" in caplog.text


def explain(action: Callable[[], object]) -> str:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - Kedro's, whatever it is
        action()
    return str(find_cause(raised.value))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *((ParquetDataset, "x.parquet"), (JSONDataset, "x.json"), (TensorDataset, "x.safetensors")),
        *((TaxonomyDataset, "t.parquet"), (PlotlyDataset, "p.json"), (StudentDataset, "student")),
    ],
)
def test_entry_that_cannot_be_read_is_one_line(kind: type, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\xff{half")
    line = explain(kind(filepath=str(tmp_path / name)).load)
    assert "\n" not in line
    assert line.startswith(str(tmp_path / name))
    assert line.endswith("; `kedro refresh` makes a damaged entry again")


def test_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    line = explain(lambda: JSONDataset(filepath=str(tmp_path / "x.json")).save({}))
    mend = "make room or give the right to write there, then `kedro refresh`"
    assert line == f"{tmp_path / 'x.json'}: cannot be written (No space left on device); {mend}"


def test_input_error_is_found_below_what_kedro_wraps_it_in() -> None:
    cause = InputError("classes.txt:3: no TAB; write one")
    try:
        raise RuntimeError("wrapped") from cause
    except RuntimeError as error:
        assert find_cause(error) is cause
    assert find_cause(ValueError("a bug")) is None
    assert find_cause(None) is None
