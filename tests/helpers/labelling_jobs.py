"""Jobs for the tests of engines: some of them kill the process that does them."""

import os
import signal
import uuid
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Task:
    """A job.

    Attributes:
        number: of it, and what comes of it.
        folder: where it leaves its marks.
        deadly: whether it kills its process.
    """

    number: int
    folder: str
    deadly: Literal["no", "once", "always"] = "no"


def do_task(task: Task) -> int:
    """Leave a mark, die if that is called for, and return the number."""
    folder = Path(task.folder)
    begun = list(folder.glob(f"begun-{task.number}-*"))
    (folder / f"begun-{task.number}-{uuid.uuid4().hex}").touch()
    if task.deadly == "always" or (task.deadly == "once" and not begun):
        os.kill(os.getpid(), signal.SIGKILL)
    return task.number


def run_dask(command: Literal["scheduler", "worker"], *arguments: str) -> None:
    """Become `dask <command> <arguments>`, which says nothing."""
    for descriptor in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    main = import_module(f"distributed.cli.dask_{command}").main
    main(arguments, standalone_mode=False)
