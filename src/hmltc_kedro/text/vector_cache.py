"""Vectors on disk, each text paid for once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hmltc_kedro.arrays import FloatArray

CHUNK = 512
"""Texts encoded between two commits to the cache: what a killed run can lose."""


class VectorCache:
    """Vectors by key on disk: one SQLite file, committed chunk by chunk, safe for several processes."""

    def __init__(self, path: Path) -> None:
        """Open or create the cache at `path`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=60)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
        )

    def get(self, keys: Sequence[bytes]) -> dict[bytes, FloatArray]:
        """Return the vectors of those `keys` that are there."""
        found: dict[bytes, FloatArray] = {}
        for start in range(0, len(keys), CHUNK):
            chunk = keys[start : start + CHUNK]
            marks = ",".join("?" * len(chunk))
            rows = self._connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", chunk)
            found.update((key, np.frombuffer(vector, dtype="<f4")) for key, vector in rows)
        return found

    def put(self, keys: Sequence[bytes], vectors: FloatArray) -> None:
        """Store one vector a key; the rows are on disk when this returns."""
        rows = ((key, vector.astype("<f4").tobytes()) for key, vector in zip(keys, vectors, strict=True))
        with self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
