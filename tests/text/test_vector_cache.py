"""The cache gives back what was put there and nothing else, and whatever is wrong with its file is one line."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hmltc_kedro.errors import InputError
from hmltc_kedro.text import vector_cache
from hmltc_kedro.text.vector_cache import VectorCache

KEYS = [bytes([i]) * 32 for i in range(200)]


def fill(path: Path) -> None:
    cache = VectorCache(path)
    cache.put(KEYS[:2], np.eye(2, dtype=np.float32))
    cache.close()


def test_cache_returns_what_it_has_and_keeps_the_last(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cache.sqlite"
    fill(path)
    VectorCache(path).put(KEYS[:1], np.full((1, 2), 7, dtype=np.float32))
    found = VectorCache(path).get(KEYS)
    assert {k: v.tolist() for k, v in found.items()} == {KEYS[0]: [7, 7], KEYS[1]: [0, 1]}


@pytest.mark.parametrize(
    "change",
    [
        "vector = zeroblob(24)",
        "vector = randomblob(24)",
        "vector = x'0000c07f0000c07f'",
        "vector = substr(vector, 1, 9)",
        "vector = 'text'",
        "vector = (SELECT vector FROM vectors WHERE key = x'" + KEYS[1].hex() + "')",
    ],
    ids=["zeros", "noise", "nan", "short", "text", "of_another_text"],
)
def test_vector_that_is_not_as_it_was_put_counts_as_missing(tmp_path: Path, change: str) -> None:
    fill(tmp_path / "c.sqlite")
    with sqlite3.connect(tmp_path / "c.sqlite") as connection:
        connection.execute(f"UPDATE vectors SET {change} WHERE key = ?", KEYS[:1])
    assert list(VectorCache(tmp_path / "c.sqlite").get(KEYS)) == [KEYS[1]]


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
