"""`make viz`: Kedro-Viz, opened where its graph can be read.

Kedro-Viz opens on every entry of the pipeline, dozens of boxes at a quarter of their size. The address printed and
opened here shows the stages alone; a click on one leads into it. Other arguments are those of `kedro viz run`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Sequence

FIRST_VIEW = "/?pid=__default__&types=nodes"
"""The pipeline of `kedro run`, without what lies between its stages."""


def find_port(first: int) -> int:
    """Return the first free port of this machine from `first` on; Kedro-Viz takes none above 49151."""
    for port in range(first, 49_152):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise SystemExit(f"Error: no port from {first} on is free; give --port a lower one")


def wait_until_up(address: str, server: subprocess.Popen[bytes]) -> bool:
    """Wait for the server to answer, and tell whether it does: it may have ended instead."""
    while server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"{address}/api/main", timeout=30).close()
            return True
        time.sleep(0.3)
    return False


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and the process that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    server.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the graph until it is interrupted, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=4141, help="the first one tried")
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open nothing")
    own, others = parser.parse_known_args(arguments)
    address = f"http://127.0.0.1:{(port := find_port(own.port))}"
    command = [sys.executable, "-m", "kedro", "viz", "run", "--no-browser", f"--port={port}", *others]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    server = subprocess.Popen(command, start_new_session=True)
    try:
        if wait_until_up(address, server):
            print(f"\nThe stages: {address}{FIRST_VIEW}\nEvery entry: {address}/\nCtrl+C ends it.", flush=True)
            if not own.no_browser:
                webbrowser.open(f"{address}{FIRST_VIEW}")
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        stop(server)


if __name__ == "__main__":
    sys.exit(main())
