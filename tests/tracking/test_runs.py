"""What is kept of a run, and which runs are."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.io import DataCatalog

from hmltc_kedro.tracking.runs import Run, find_results, name_numbers, name_settings, track
from hmltc_kedro.tracking.store import Store


def test_numbers_have_dotted_names_and_intervals_two_ends() -> None:
    values = {
        "n_docs": 3,
        "sample_f1": 0.5,
        "sample_f1_interval": [0.25, 0.75],
        "judge_agreement": None,
        "judge_agreement_interval": None,
        "measured_against": "a judge",
        "by_source": {"gpt-4o-mini@home": {"f1": 1.0}},
        "mrr": float("nan"),
        "is_final": True,
    }
    assert name_numbers(values, "d.") == {
        "d.n_docs": 3.0,
        "d.sample_f1": 0.5,
        "d.sample_f1_low": 0.25,
        "d.sample_f1_high": 0.75,
        "d.by_source.gpt-4o-mini_home.f1": 1.0,
    }


def test_settings_of_a_row_have_the_names_of_the_stages_and_its_own_go_first() -> None:
    above = "ablation.variants"
    settings = {
        f"{above}.leaf_priority.infer.decoding.method": "leaf_priority",
        "seed": 42,
        f"{above}.final.train.head.epochs": 20,
        f"{above}.final.infer.decoding.method": "top_down",
        "infer.decoding.method": "flat",
        "ablation.seeds": [1, 2],
    }
    assert name_settings(settings, "leaf_priority") == {
        "seed": 42,
        "ablation.seeds": [1, 2],
        "train.head.epochs": 20,
        "infer.decoding.method": "leaf_priority",
    }


def test_scores_that_came_out_the_same_are_a_refresh_s_own_and_stale_ones_are_not() -> None:
    states = [SimpleNamespace(entry=name, state=state) for name, state in (("metrics", "fresh"), ("report", "stale"))]
    tracker: Any = SimpleNamespace(find_states=lambda: states, find_path=Path)
    nodes = [SimpleNamespace(outputs=[name]) for name in ("documents", "classifier", "metrics", "report")]
    run = Run(datetime.now(UTC), {}, nodes, {"classifier", "documents"})
    assert find_results(run, tracker) == {"classifier": Path("classifier"), "metrics": Path("metrics")}


class Closed(Store):
    """A store that must not be opened."""

    def open(self) -> str:
        raise AssertionError("opened")


def make_store(*left_out: str) -> Store:
    tracking = SimpleNamespace(disable_tracking=SimpleNamespace(pipelines=list(left_out)))
    return Closed(SimpleNamespace(tracking=tracking), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "pipelines", "left_out"),
    [
        (["documents", "bulk_labels"], None, []),
        (["metrics"], None, ["__default__"]),
        (["metrics", "report"], ["evaluate", "report"], ["report", "evaluate"]),
    ],
)
def test_run_that_compares_with_none_or_is_left_out_is_not_kept(
    written: list[str], pipelines: list[str] | None, left_out: list[str]
) -> None:
    run = Run(datetime.now(UTC), {"pipeline_names": pipelines, "env": None}, [], set(written))
    assert track(make_store(*left_out), run, DataCatalog({})) == []
