"""Who does the jobs of a bulk run: this process, several of this machine, or the workers of a Dask scheduler.

Each engine has the one method `map`, which yields the outcomes as they come. A job says for itself what went wrong with
it; an engine knows one failure only, a worker that died of it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from typing import Any, Literal, Protocol, TypeVar

from hmltc_kedro.display import hidden_progress
from hmltc_kedro.errors import InputError, import_extra
from hmltc_kedro.text.cores import count_cores

EngineName = Literal["serial", "processes", "dask"]

DEATHS = 3
"""Workers that die of a job before it is set aside."""

J = TypeVar("J")
R = TypeVar("R")


class WorkerDied(Exception):
    """The processes that had a job in hand died, each time: of want of memory, most often."""


class Engine(Protocol):
    """Does jobs."""

    def map(self, function: Callable[[J], R], jobs: Sequence[J]) -> Iterator[tuple[J, R | WorkerDied]]:
        """Yield each job and what `function` made of it, in the order in which they are done.

        Args:
            function: of a module, as workers import it; what it raises ends the run.
            jobs: what it is called with, and what can be pickled.
        """
        ...


class Serial:
    """Does one job after another, here."""

    def map(self, function: Callable[[J], R], jobs: Sequence[J]) -> Iterator[tuple[J, R | WorkerDied]]:
        """Yield each job and its outcome, in their order."""
        for job in jobs:
            yield job, function(job)


class Processes:
    """Does jobs in processes of this machine.

    Jobs are handed out one by one as processes get free, so that a process that dies leaves few to suspect: those in
    hand. These are done again one at a time.

    Args:
        workers: processes.
        threads: of each.
    """

    def __init__(self, workers: int, threads: int) -> None:
        """Start nothing yet."""
        self._workers, self._threads = workers, threads

    def map(self, function: Callable[[J], R], jobs: Sequence[J]) -> Iterator[tuple[J, R | WorkerDied]]:
        """Yield each job and its outcome, as they are done."""
        todo, suspects = deque((job, 0) for job in jobs), deque[tuple[J, int]]()
        while todo or suspects:
            queue, width = (suspects, 1) if suspects else (todo, self._workers)
            in_hand: dict[Future[R], tuple[J, int]] = {}
            pool = ProcessPoolExecutor(width, choose_context())
            try:
                while queue or in_hand:
                    while queue and len(in_hand) < width:
                        job, deaths = queue[0]  # it stays there if the pool turns out to be broken
                        in_hand[pool.submit(_do, function, job, self._threads)] = job, deaths
                        queue.popleft()
                    for done in wait(in_hand, return_when=FIRST_COMPLETED).done:
                        outcome = done.result()
                        yield in_hand.pop(done)[0], outcome
            except BrokenProcessPool:
                for job, deaths in in_hand.values():
                    if deaths + 1 == DEATHS:
                        yield job, WorkerDied(f"{DEATHS} processes died of it; is there memory enough?")
                    else:
                        suspects.append((job, deaths + 1))
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def choose_context() -> BaseContext:
    """Return how processes begin: on Linux as copies of one that has imported what all of them need.

    Elsewhere libraries that a process has loaded do not survive a fork, and each process imports for itself.
    """
    if sys.platform != "linux":
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["sentence_transformers", "torch"])
    return context


def _do(function: Callable[[J], R], job: J, threads: int) -> R:
    """Do a job with a share of the cores, and leave the screen to the process that began the work."""
    import torch

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # tokenizers would take all cores in each process
    torch.set_num_threads(threads)
    with hidden_progress():
        return function(job)


class Dask:
    """Does jobs on the workers of a Dask scheduler.

    Args:
        address: of the scheduler, `tcp://...`; None makes a cluster of this machine for the run.
        workers: processes of that cluster.
        threads: of each.

    Raises:
        InputError: the package is not installed, or no scheduler answers.
    """

    def __init__(self, address: str | None, workers: int, threads: int) -> None:
        """Start nothing yet."""
        self._dask = import_extra("distributed", "dask", "label.engine: dask")
        self._address, self._workers, self._threads = address, workers, threads
        _quiet()

    def map(self, function: Callable[[J], R], jobs: Sequence[J]) -> Iterator[tuple[J, R | WorkerDied]]:
        """Yield each job and its outcome, as they are done."""
        cluster = None
        if self._address is None:
            cluster = self._dask.LocalCluster(n_workers=self._workers, threads_per_worker=1, dashboard_address=None)
        try:
            client = self._dask.Client(cluster or self._address, timeout="10s")
        except (OSError, ValueError) as error:
            message = f"label.address: no Dask scheduler answers at {self._address}; start one, or mend the address"
            raise InputError(message) from error
        try:
            if cluster is not None:
                client.run(_quiet)
            suspects = []
            for job, outcome in self._submit(client, function, jobs):
                if isinstance(outcome, WorkerDied):
                    suspects.append(job)
                else:
                    yield job, outcome
            for job in suspects:  # Dask blames whatever a dying worker had; alone, a job has nobody else to blame
                yield from self._submit(client, function, [job])
        finally:
            client.close()
            if cluster is not None:
                cluster.close()

    def _submit(self, client: Any, function: Callable[[J], R], jobs: Sequence[J]) -> Iterator[tuple[J, R | WorkerDied]]:
        futures = [client.submit(_do, function, job, self._threads, pure=False) for job in jobs]
        by_key = {future.key: job for future, job in zip(futures, jobs, strict=True)}
        for future in self._dask.as_completed(futures):
            job = by_key[future.key]
            try:
                yield job, future.result()
            except self._dask.KilledWorker:
                yield job, WorkerDied("the Dask workers died of it; is there memory enough?")
            future.release()


def _quiet() -> None:
    """Say nothing of each worker that comes and goes."""
    logging.getLogger("distributed").setLevel(logging.WARNING)


def make_engine(name: EngineName, workers: int | None, address: str | None) -> Engine:
    """Return an engine.

    Args:
        name: see the classes.
        workers: processes; None for one a core. Those of a scheduler elsewhere are as they are.
        address: of a Dask scheduler.

    Raises:
        InputError: an address without Dask, or Dask is not installed.
    """
    if address and name != "dask":
        raise InputError(f"label.address is for label.engine: dask; it is {name}")
    if name == "serial":
        return Serial()
    cores = count_cores()
    number = workers or cores
    threads = max(1, cores // number)
    if name == "processes":
        return Processes(number, threads)
    return Dask(address, number, 1 if address else threads)
