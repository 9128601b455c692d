"""Functions in processes of their own, copies of one that has imported what they need; what they print is kept."""

import os
import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hmltc_kedro.labelling.engines import choose_context


class Forked:
    """A function in a process.

    Args:
        folder: that takes what it prints.
        function: of a module.
        arguments: of the function.
    """

    def __init__(self, folder: Path, function: Callable[..., None], *arguments: Any) -> None:
        """Start."""
        name = uuid.uuid4().hex
        self._printed = [folder / f"{name}.{stream}" for stream in ("out", "err")]
        self._process = choose_context().Process(target=_print_to, args=(self._printed, function, arguments))
        self._process.start()

    def send_signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait for the end; return what it printed, and what of errors."""
        self._process.join(timeout)
        assert self.returncode is not None, "it goes on"
        out, err = (path.read_text("utf-8") for path in self._printed)
        return out, err

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal, or None before the end."""
        return self._process.exitcode


def _print_to(paths: list[Path], function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    for descriptor, path in enumerate(paths, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    function(*arguments)
