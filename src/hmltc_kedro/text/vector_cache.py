"""Vectors on disk, each text paid for once."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.errors import InputError

CHUNK = 512
"""Texts encoded between two commits to the cache: what a killed run can lose."""

SEAL = 16
"""Bytes behind each vector, by which one that was changed or put under another key is known."""


WAIT = 60.0
"""Seconds that a process waits for another one to finish writing."""


class VectorCache:
    """Vectors by key on disk: one SQLite file, committed chunk by chunk, safe for several processes.

    Whatever is wrong with the file, each method raises an InputError that names it.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the cache at `path`."""
        self._path = path
        with self._name_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=WAIT)
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
            )

    @contextmanager
    def _name_file(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:  # locked, read-only, a full disk
            raise InputError(
                f"{self._path}: the vector cache cannot be used ({error}); mend that, or move the file away"
            ) from error
        except sqlite3.Error as error:
            raise InputError(
                f"{self._path}: not a sound vector cache ({error}); move it away, its texts are encoded again"
            ) from error

    def get(self, keys: Sequence[bytes]) -> dict[bytes, FloatArray]:
        """Return the vectors of those `keys` that are there as they were put; others count as missing."""
        found: dict[bytes, FloatArray] = {}
        for start in range(0, len(keys), CHUNK):
            chunk = keys[start : start + CHUNK]
            marks = ",".join("?" * len(chunk))
            with self._name_file():
                rows = self._connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", chunk)
                found.update((key, np.frombuffer(row[:-SEAL], "<f4")) for key, row in rows if _is_intact(key, row))
        return found

    def put(self, keys: Sequence[bytes], vectors: FloatArray) -> None:
        """Store one vector a key, over one that is there; the rows are on disk when this returns."""
        values = [vector.astype("<f4").tobytes() for vector in vectors]
        rows = [(key, value + _seal(key, value)) for key, value in zip(keys, values, strict=True)]
        with self._name_file(), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _seal(key: bytes, value: bytes) -> bytes:
    return hashlib.sha256(key + value).digest()[:SEAL]


def _is_intact(key: bytes, row: object) -> bool:
    return isinstance(row, bytes) and row[-SEAL:] == _seal(key, row[:-SEAL])
