"""Fixtures of the tests of the corpus."""

from pathlib import Path

import pytest

from raw_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return an empty folder for raw files."""
    return Folder(tmp_path)
