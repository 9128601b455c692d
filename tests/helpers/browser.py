"""A real browser, if there is one."""

import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)


def open_page(address: str, folder: Path, width: int, height: int, wait: int = 2000) -> str:
    """Open a page in a window of a size, let its scripts run for `wait` milliseconds, and return its elements.

    Args:
        address: of the page.
        folder: for the browser's own files.
        width: of the window, in pixels.
        height: likewise.
        wait: milliseconds on the page's clock, which runs ahead where nothing happens.
    """
    assert BROWSER is not None
    own = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars"
    quiet = "--disable-background-networking --disable-component-update --disable-sync"
    command = [BROWSER, *own.split(), *quiet.split(), f"--user-data-dir={folder}"]
    command += [f"--window-size={width},{height}", f"--virtual-time-budget={wait}", "--dump-dom", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False).stdout
