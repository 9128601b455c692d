"""The cache gives back what was put there, and nothing else."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from hmltc_kedro.errors import InputError
from hmltc_kedro.text.vector_cache import VectorCache

KEYS = [bytes([i]) * 32 for i in range(3)]


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


def test_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(InputError) as refused:
        VectorCache(path)
    mend = "delete it, and its texts are encoded again"
    assert str(refused.value) == f"{path}: the vector cache is damaged (file is not a database); {mend}"


def test_file_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").mkdir()
    with pytest.raises(
        InputError, match=r"c\.sqlite: the vector cache cannot be used \(unable to open database file\)"
    ):
        VectorCache(tmp_path / "c.sqlite")
