import functools
import importlib.util
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.errors import InputError
from kedro_project import REPOSITORY, Project


@pytest.fixture(scope="module")
def accuracy() -> ModuleType:
    spec = importlib.util.spec_from_file_location("accuracy", REPOSITORY / "benchmarks" / "accuracy.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["accuracy"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


MakePlan = Callable[[str], Any]
IsCurrent = Callable[[dict[str, Any]], bool]


@pytest.fixture(scope="module")
def make_plan(accuracy: ModuleType) -> MakePlan:
    """Return a function that makes the plan of a row on `sample`, each once: reading configuration takes its time."""
    return functools.cache(lambda row: accuracy.make_plan(accuracy.ROWS[row], "sample"))


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)  # paths of the catalog are relative


# ---------------------------------------------------------------------- configuration


def test_every_row_is_a_valid_configuration_of_its_own(accuracy: ModuleType, make_plan: MakePlan) -> None:
    plans = {name: make_plan(name) for name in accuracy.ROWS}
    settings = [json.dumps(accuracy.describe_settings(plan), sort_keys=True) for plan in plans.values()]
    assert len(set(settings)) == len(plans)
    assert {name for names in accuracy.SETS.values() for name in names} == set(accuracy.ROWS)
    assert accuracy.BASE in plans


def test_overlay_changes_what_it_names_and_nothing_else(make_plan: MakePlan) -> None:
    base, changed = (make_plan(row).parameters for row in ("base", "single_path"))
    assert (base["params:infer.decoding"].max_paths, changed["params:infer.decoding"].max_paths) == (3, 1)
    assert changed["params:infer.decoding"].beam_width == base["params:infer.decoding"].beam_width
    assert changed["params:train"] == base["params:train"]
    tuned = make_plan("fine_tuned").parameters["params:train"]
    assert (base["params:train"].fine_tuning.epochs, tuned.fine_tuning.epochs) == (0, 3)
    assert tuned.fine_tuning.learning_rate == base["params:train"].fine_tuning.learning_rate


def test_overlay_on_no_stage_is_refused(accuracy: ModuleType) -> None:
    with pytest.raises(InputError, match="^row `wrong`: there are no settings of training$"):
        accuracy.make_plan(accuracy.Row("wrong", overlay={"training": {}}), "sample")
    with pytest.raises(InputError, match=r"^there is no parameter `train\.head\.epoch`; use epochs, "):
        accuracy.make_plan(accuracy.Row("wrong", overlay={"train": {"head": {"epoch": 1}}}), "sample")


def test_globals_reach_the_catalog(accuracy: ModuleType, tmp_path: Path) -> None:
    plan = accuracy.make_plan(accuracy.Row("another", globals={"encoder": str(tmp_path)}), "sample")
    assert accuracy.describe_settings(plan)["resources"]["encoder"]["model"] == str(tmp_path)


def test_only_training_and_what_follows_is_done_for_each_seed(make_plan: MakePlan) -> None:
    plan = make_plan("base")
    assert {node.name for node in plan.trained.nodes} == {
        "train_classifier",
        "train_student",
        "calibrate_decisions",
        "predict_probabilities",
        "decode_predictions",
    }
    assert "gold_labels" not in plan.pipeline.inputs()


# ---------------------------------------------------------------------- kept results


@pytest.fixture
def kept(accuracy: ModuleType, make_plan: MakePlan) -> dict[str, Any]:
    """Return the settings of the paper's row, whose infinity has to survive, as a file gives them back."""
    settings: dict[str, Any] = json.loads(json.dumps(accuracy.describe_settings(make_plan("paper"))))
    return settings


@pytest.fixture
def is_current(accuracy: ModuleType, make_plan: MakePlan) -> IsCurrent:
    """Return a function that tells whether a result with such settings is the paper's row today."""
    return lambda kept: accuracy.is_current(kept, make_plan("paper"))


def test_the_same_settings_are_current(is_current: IsCurrent, kept: dict[str, Any]) -> None:
    assert kept["parameters"]["params:pseudo_label"]["hubness_prior"] == float("inf")
    assert is_current(kept)


def test_a_parameter_added_since_counts_by_its_default(is_current: IsCurrent, kept: dict[str, Any]) -> None:
    del kept["parameters"]["params:train"]["self_training"]  # off by default, as in the paper's preset
    assert is_current(kept)
    kept["parameters"]["params:train"]["self_training"] = {"rounds": 1}
    assert not is_current(kept)


def test_a_parameter_added_since_is_no_match_where_it_is_on(is_current: IsCurrent, kept: dict[str, Any]) -> None:
    del kept["parameters"]["params:augment"]["style"]  # the preset has another than the default
    assert not is_current(kept)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("parameters", "params:seed"), 43),
        (("parameters", "params:train", "fine_tuning", "epochs"), 4),
        (("parameters", "params:train", "gone_since"), 1),
        (("parameters", "params:gone_since"), {}),
        (("resources", "encoder", "weights"), "others"),
        (("data", "raw_test_corpus"), "another"),
    ],
)
def test_other_settings_are_not_current(
    is_current: IsCurrent, kept: dict[str, Any], path: tuple[str, ...], value: Any
) -> None:
    inner = kept
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert not is_current(kept)


@pytest.mark.slow
def test_measured_results_are_kept_and_used(
    accuracy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Project(tmp_path).folder)
    monkeypatch.setitem(accuracy.ROWS, "base", accuracy.Row("quick", env="test"))
    monkeypatch.setattr(logging.getLogger("accuracy"), "level", logging.INFO)
    peak = accuracy.measure_peak_memory()
    accuracy.measure_row("base", "sample", [42, 43], threads=None)
    scores, measured = accuracy.read_result(accuracy.find_result("sample", "base", 42))
    assert len(scores) == 20
    assert measured["sample_f1"] == pytest.approx(scores["sample_f1"].mean())
    assert measured["seconds"].keys() == {
        *("ingest", "enrich", "encoding", "pseudo_label", "annotate", "augment", "train", "infer")
    }
    assert peak <= measured["peak_memory"] <= accuracy.measure_peak_memory()
    results = accuracy.collect_results(["base"], ["sample"], [42, 43])
    assert results["base", "sample"].scores.shape == (2, 20)
    assert not accuracy.collect_results(["base"], ["sample"], [42, 44])
    gold = tmp_path / "data/01_raw/sample/test/doc2labels.txt"
    gold.write_text(gold.read_text("utf-8").split("\n", 1)[1], "utf-8")
    assert not accuracy.collect_results(["base"], ["sample"], [42, 43])


def test_a_killed_write_leaves_no_result(accuracy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*names: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(accuracy, "KEPT", tmp_path)
    monkeypatch.setattr(accuracy.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        accuracy.write_result(pd.DataFrame({"sample_f1": [1.0]}), {"dataset": "a", "row": "base", "seed": 42})
    assert not list((tmp_path / "a").iterdir())


# ---------------------------------------------------------------------- the table


@pytest.fixture
def results(accuracy: ModuleType) -> dict[tuple[str, str], Any]:
    """Return the scores of two rows on datasets of two and four documents, with two seeds and one."""

    def measured(scores: list[list[float]]) -> Any:
        return accuracy.Measured(np.array(scores), {"pseudo_label": 1.0, "augment": 2.0, "train": 9, "infer": 4}, 812.4)

    return {
        ("base", "a"): measured([[0.5, 1.0], [0.7, 1.0]]),
        ("base", "b"): measured([[0.5] * 4, [0.5] * 4]),
        ("paper", "a"): measured([[0.5, 0.9], [0.3, 0.7]]),
        ("paper", "b"): measured([[0.6] * 4, [0.6] * 4]),
    }


def test_difference_is_that_of_the_means_over_seeds_and_datasets(
    accuracy: ModuleType, results: dict[tuple[str, str], Any]
) -> None:
    # a: documents lose 0.2 and 0.2; b: they gain 0.1
    assert accuracy.compare("paper", ["a"], results) == pytest.approx((0.2, 0.2, 0.2))
    assert accuracy.compare("paper", ["a", "b"], results) == pytest.approx((0.05, 0.05, 0.05))
    assert accuracy.compare("base", ["a", "b"], results) is None
    del results["paper", "b"]
    assert accuracy.compare("paper", ["a", "b"], results) is None


def test_tables_show_what_is_there(accuracy: ModuleType, results: dict[tuple[str, str], Any]) -> None:
    del results["base", "b"]
    lines = accuracy.write_tables(["base", "paper"], ["a", "b"], results).splitlines()
    assert "| row | a | b | mean |" in lines
    assert "| the default method | 0.800 ± 0.071 | – | – |" in lines
    assert "| the paper's preset | 0.600 ± 0.141 | 0.600 ± 0.000 | 0.600 |" in lines
    assert "| the paper's preset | +0.200 [+0.200, +0.200] | – | – |" in lines
    assert "| the paper's preset | b | 3 | 9 | 4 | 812 |" in lines
