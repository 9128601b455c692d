"""A real browser, if there is one, driven by its DevTools protocol: what is on a page, and where."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
PATIENCE = 60.0
"""Seconds that anything may take on a machine that is busy."""


class Page:
    """One tab."""

    def __init__(self, ask: Callable[..., dict[str, Any]], session: str) -> None:
        self._ask, self._session = ask, session

    def send(self, method: str, **values: Any) -> dict[str, Any]:
        """Send a command of the protocol to this tab and return its result."""
        return self._ask(method, self._session, **values)

    def show(self, address: str, width: int, height: int = 900) -> Page:
        """Load an address in a window of a size, a phone's if it is narrower than 500 pixels, and return this page."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.send("Page.navigate", url="about:blank")  # else an address that differs after the # loads nothing
        self.send("Page.navigate", url=address)
        self.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'")
        return self

    def read(self, expression: str) -> Any:
        """Return what a JavaScript expression of strings, numbers and lists of these gives; it may be a promise."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """Wait until an expression is true, and return its value."""
        end = time.monotonic() + PATIENCE
        while not (value := self.read(expression)):
            assert time.monotonic() < end, f"{expression} never was: {self.read('document.body?.innerText')}"
            time.sleep(0.05)
        return value

    def type(self, field: str, text: str) -> None:
        """Put a text into the field that a CSS selector finds, as a keyboard does."""
        self.read(f"document.querySelector({json.dumps(field)}).focus()")
        self.send("Input.insertText", text=text)

    def save_picture(self, path: Path) -> None:
        """Write what the window shows as PNG: for people."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))


class Browser:
    """A Chromium without a screen; it reads commands from a pipe and answers into another, each ended by a zero."""

    def __init__(self, folder: Path) -> None:
        assert PROGRAM is not None
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        own = "--headless --remote-debugging-pipe --no-sandbox --disable-gpu --disable-quic --no-first-run"
        quiet = "--hide-scrollbars --disable-background-networking --disable-component-update --disable-sync"
        # It wants its pipes as files 3 and 4, which only a shell can say.
        command = ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "bash", PROGRAM]
        command += [*own.split(), *quiet.split(), f"--user-data-dir={folder}"]
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(command, pass_fds=(commands, answers), stdout=log, stderr=log)
        os.close(commands)
        os.close(answers)
        self._rest, self._number = b"", 0

    @contextmanager
    def open(self) -> Iterator[Page]:
        """Give a new tab, which remembers nothing of those before it."""
        context = self._ask("Target.createBrowserContext")["browserContextId"]
        target = self._ask("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        yield Page(self._ask, self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        self._ask("Target.disposeBrowserContext", browserContextId=context)

    def close(self) -> None:
        """End the browser."""
        self._ask("Browser.close")
        self._process.wait(PATIENCE)
        os.close(self._commands)
        os.close(self._answers)

    def _ask(self, method: str, session: str | None = None, **values: Any) -> dict[str, Any]:
        self._number += 1
        command = {"id": self._number, "method": method, "params": values} | ({"sessionId": session} if session else {})
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            pass  # events, which nobody asked for
        assert "error" not in answer, f"{method}: {answer['error']}"
        return dict(answer["result"])

    def _receive(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, end - time.monotonic()))
            part = os.read(self._answers, 65_536) if ready else b""
            assert part, "the browser has ended" if ready else "the browser does not answer"
            self._rest += part
        message, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(message))
