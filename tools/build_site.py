"""`make viz-build`: Kedro-Viz with its previews as a static site, in a folder of its own.

`kedro viz build` writes to `build/` whatever it is told, where `kedro package` leaves its files, and ends well even if
it has failed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import fsspec
from kedro_viz.integrations.deployment.base_deployer import BaseDeployer
from kedro_viz.server import load_and_populate_data


class SiteDeployer(BaseDeployer):  # type: ignore[misc] # Kedro-Viz has no types
    """Writes the site into a folder."""

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        super().__init__()
        self._path, self._fs = folder, fsspec.filesystem("file")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the site of the project in the current folder, in place of one that is there, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=Path("site"), help="the folder")
    parser.add_argument("--env", help="the environment shown")
    own = parser.parse_args(arguments)
    load_and_populate_data(Path.cwd(), env=own.env)
    with tempfile.TemporaryDirectory(prefix=".site-", dir=own.to.absolute().parent) as beside:
        SiteDeployer(new := Path(beside) / "site").deploy(is_all_previews_enabled=True)
        shutil.rmtree(own.to, ignore_errors=True)
        new.rename(own.to)
    print(f"Written to {own.to}/; show it with: python -m http.server -d {own.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
