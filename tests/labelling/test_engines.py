"""Engines: the same labels whoever makes them, and nothing lost when a worker dies."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest

from hmltc_kedro.errors import InputError
from hmltc_kedro.labelling import engines
from hmltc_kedro.labelling.engines import Dask, Engine, Processes, Serial, WorkerDied, choose_context, make_engine
from hmltc_kedro.labelling.folder import BulkFolder
from labelling_jobs import Task, do_task, run_dask

needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="distributed is not installed")

Label = Callable[..., dict[str, Any]]


@contextmanager
def start_dask(*command: str) -> Iterator[BaseProcess]:
    """Run `dask <command>` in a process, and end it."""
    process = choose_context().Process(target=run_dask, args=command)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(10)


@contextmanager
def start_cluster(workers: int) -> Iterator[tuple[str, list[BaseProcess]]]:
    """Run a Dask scheduler and workers on the loopback, without nannies; yield its address and the workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, local = f"tcp://127.0.0.1:{port}", ("--host", "127.0.0.1", "--no-dashboard")
    with ExitStack() as stack:
        stack.enter_context(start_dask("scheduler", *local, "--port", str(port)))
        own = ("worker", address, *local, "--no-nanny", "--nthreads", "1", "--death-timeout", "60")
        yield address, [stack.enter_context(start_dask(*own)) for _ in range(workers)]


# ---------------------------------------------------------------------- which engine


def test_engines_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.os, "sched_getaffinity", lambda _: set(range(8)))
    assert isinstance(make_engine("serial", None, None), Serial)
    processes = make_engine("processes", 3, None)
    assert isinstance(processes, Processes) and vars(processes) == {"_workers": 3, "_threads": 2}
    assert vars(make_engine("processes", None, None)) == {"_workers": 8, "_threads": 1}
    assert vars(make_engine("processes", 20, None)) == {"_workers": 20, "_threads": 1}


@needs_dask
def test_workers_elsewhere_have_threads_of_their_own() -> None:
    here, there = make_engine("dask", 1, None), make_engine("dask", 1, "tcp://host:8786")
    assert isinstance(here, Dask) and isinstance(there, Dask)
    assert here._threads >= there._threads == 1


@pytest.mark.parametrize("name", ["serial", "processes"])
def test_address_is_for_dask(name: Any) -> None:
    with pytest.raises(InputError) as error:
        make_engine(name, None, "tcp://host:8786")
    assert str(error.value) == f"label.address is for label.engine: dask; it is {name}"


def test_missing_package_is_a_line_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError) as error:
        make_engine("dask", None, None)
    assert str(error.value) == "label.engine: dask needs the package distributed; pip install 'hmltc_kedro[dask]'"


@needs_dask
def test_no_scheduler_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    client = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda address, timeout: client(address, timeout="1s"))
    with pytest.raises(InputError) as error:
        list(make_engine("dask", None, "tcp://127.0.0.1:9").map(do_task, []))
    message = "label.address: no Dask scheduler answers at tcp://127.0.0.1:9; start one, or mend the address"
    assert str(error.value) == message


# ---------------------------------------------------------------------- the same labels


def check_labels(done: BulkFolder, manifest: dict[str, Any], alone: BulkFolder, expected: dict[str, Any]) -> None:
    """Compare what a run has written, and says, with what one process did, but for the time."""
    without = {"seconds": 0, "shards": 0}
    assert {**manifest, **without} == {**expected, **without}
    assert list(manifest["shards"]) == list(expected["shards"])
    for labels, shard in expected["shards"].items():
        assert {**manifest["shards"][labels], "seconds": 0} == {**shard, "seconds": 0}
        pd.testing.assert_frame_equal(*(pd.read_parquet(Path(f.target) / labels) for f in (done, alone)))


def test_labels_are_those_of_one_process(folder: BulkFolder, label: Label) -> None:
    alone = replace(folder, target=f"{folder.target}-serial")
    expected = label(alone)
    check_labels(folder, label(folder, engine=make_engine("processes", 2, None)), alone, expected)


# ---------------------------------------------------------------------- workers that die


def make_tasks(folder: Path, number: int, deadly: int | None = None, always: bool = False) -> list[Task]:
    """Return tasks, one of which kills its process the first time or always."""
    how: Literal["always", "once"] = "always" if always else "once"
    return [Task(n, str(folder), how if n == deadly else "no") for n in range(number)]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("deadly", [0, 3, 5])
def test_process_that_is_killed_loses_nothing(tmp_path: Path, deadly: int) -> None:
    tasks = make_tasks(tmp_path, 6, deadly)
    outcomes = list(Processes(2, 1).map(do_task, tasks))
    assert sorted(task.number for task, _ in outcomes) == list(range(6))
    assert all(outcome == task.number for task, outcome in outcomes)


def test_job_of_which_processes_die_is_set_aside_and_no_other(tmp_path: Path) -> None:
    outcomes = dict(Processes(2, 1).map(do_task, make_tasks(tmp_path, 5, 1, always=True)))
    assert {task.number: str(outcome) for task, outcome in outcomes.items()} == {
        **{number: str(number) for number in (0, 2, 3, 4)},
        1: "3 processes died of it; is there memory enough?",
    }
    assert isinstance(next(outcome for task, outcome in outcomes.items() if task.number == 1), WorkerDied)
    assert len(list(tmp_path.glob("begun-1-*"))) == 3


def test_pool_that_breaks_between_two_jobs_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit, calls = engines.ProcessPoolExecutor.submit, 0

    def submit_to_broken(self: Any, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise engines.BrokenProcessPool
        return submit(self, *arguments)

    monkeypatch.setattr(engines.ProcessPoolExecutor, "submit", submit_to_broken)
    outcomes = list(Processes(2, 1).map(do_task, make_tasks(tmp_path, 4)))
    assert sorted(task.number for task, _ in outcomes) == [0, 1, 2, 3]


@pytest.mark.slow
@needs_dask
def test_dask_worker_that_is_killed_loses_and_doubles_nothing(folder: BulkFolder, label: Label, tmp_path: Path) -> None:
    texts = pd.DataFrame({"doc_id": [str(n) for n in range(24)], "text": ["a steel spade", "a puppy", "cat toys"] * 8})
    texts.to_parquet(Path(folder.source, "third.parquet"))
    alone = replace(folder, target=f"{folder.target}-serial")
    expected = label(alone)
    with start_cluster(2) as (address, workers):
        killed: list[int] = []

        class Killing:
            """The engine, with a hand that kills a worker after the second outcome."""

            def map(self, function: Any, jobs: Any) -> Iterator[tuple[Any, Any]]:
                engine: Engine = make_engine("dask", None, address)
                for number, pair in enumerate(engine.map(function, jobs)):
                    if number == 1:
                        os.kill(workers[0].pid, signal.SIGKILL)
                        killed.append(number)
                    yield pair

        manifest = label(folder, engine=Killing())
    assert killed == [1] and manifest["failures"] == {} and manifest["rows"] == 32
    check_labels(folder, manifest, alone, expected)
    assert sorted(p.name for p in Path(folder.target).glob("*.parquet")) == sorted(expected["shards"])


@pytest.mark.slow
@needs_dask
def test_job_of_which_dask_workers_die_is_set_aside_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    helpers = str(Path(__file__).parents[1] / "helpers")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([helpers, os.environ.get("PYTHONPATH", "")]))
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        outcomes = dict(Dask(None, 2, 1).map(do_task, make_tasks(tmp_path, 5, 1, always=True)))
    assert {task.number: str(outcome) for task, outcome in outcomes.items()} == {
        **{number: str(number) for number in (0, 2, 3, 4)},
        1: "the Dask workers died of it; is there memory enough?",
    }
