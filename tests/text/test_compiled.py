"""The folder of converted models keeps what is in use."""

import os
import time
from pathlib import Path

import pytest

from hmltc_kedro.text.compiled import UNUSED, read_folder, write_folder


def write(folder: Path) -> None:
    write_folder(folder, lambda made: (made / "weights").write_text("1"))


def grow_old(folder: Path) -> None:
    then = time.time() - UNUSED - 60
    os.utime(folder, (then, then))


def test_what_nobody_read_for_long_goes_when_the_next_is_written(tmp_path: Path) -> None:
    cache = tmp_path / "openvino"
    for name in ("unused", "used", "young"):
        write(cache / name)
    (cache / ".killed.tmp" / "made").mkdir(parents=True)
    for name in ("unused", "used", ".killed.tmp"):
        grow_old(cache / name)
    assert read_folder(cache / "used", lambda: "read") == "read"
    write(cache / "next")
    assert sorted(path.name for path in cache.iterdir()) == ["next", "used", "young"]


def test_cache_that_may_not_be_changed_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    write(tmp_path / "model")
    monkeypatch.setattr(os, "utime", refuse)
    assert read_folder(tmp_path / "model", lambda: "read") == "read"
