"""The cache of vectors keeps what it was given first, and whatever is wrong with its file is one line."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hmltc_kedro.errors import InputError
from hmltc_kedro.text import vector_cache
from hmltc_kedro.text.vector_cache import VectorCache

KEYS = [bytes([i]) * 32 for i in range(200)]


def test_cache_returns_what_it_has_and_keeps_the_first(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "deep" / "cache.sqlite")
    keys = [bytes([i]) * 32 for i in range(3)]
    cache.put(keys[:2], np.eye(2, dtype=np.float32))
    cache.put(keys[:1], np.full((1, 2), 7, dtype=np.float32))
    cache.close()
    found = VectorCache(tmp_path / "deep" / "cache.sqlite").get(keys)
    assert {k: v.tolist() for k, v in found.items()} == {keys[0]: [1, 0], keys[1]: [0, 1]}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])


def lock(path: Path) -> sqlite3.Connection:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    return other


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


UNSOUND = "not a sound vector cache ({}); move it away, its texts are encoded again"
UNUSABLE = "the vector cache cannot be used ({}); mend that, or move the file away"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (truncate, UNSOUND.format("database disk image is malformed")),
        (lambda path: path.write_bytes(b"no database at all" * 100), UNSOUND.format("file is not a database")),
        (lock, UNUSABLE.format("database is locked")),
        (make_folder, UNUSABLE.format("unable to open database file")),
    ],
)
def test_file_that_cannot_be_used_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], object], says: str
) -> None:
    monkeypatch.setattr(vector_cache, "WAIT", 0.01)
    path = tmp_path / "cache.sqlite"
    cache = VectorCache(path)
    cache.put(KEYS, np.ones((200, 384), dtype=np.float32))
    cache.close()
    held = damage(path)
    with pytest.raises(InputError) as error:
        VectorCache(path).get(KEYS)
    assert str(error.value) == f"{path}: {says}"
    del held


def test_cache_that_is_locked_while_it_is_open_is_told_when_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_cache, "WAIT", 0.01)
    path = tmp_path / "cache.sqlite"
    cache = VectorCache(path)
    other = lock(path)
    with pytest.raises(InputError, match=r"cache\.sqlite: the vector cache cannot be used \(database is locked\)"):
        cache.put(KEYS[:1], np.ones((1, 3), dtype=np.float32))
    other.close()
    cache.put(KEYS[:1], np.ones((1, 3), dtype=np.float32))
    assert list(cache.get(KEYS)) == KEYS[:1]
