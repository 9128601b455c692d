"""Fixtures of the encoders' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kedro_project import write_short_encoder


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an encoder that is converted in little time."""
    return write_short_encoder(tmp_path_factory.mktemp("short"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder of converted models to a module."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "hmltc_kedro" / "openvino"
