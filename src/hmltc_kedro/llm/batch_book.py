"""Which questions are under way in which batch: two small tables in the file of the answer cache.

A batch runs at the server for hours, longer than the process that made it may live. So each is written down before it
is made, with the file it is made from, and named when the server has given it an id: whatever happens in between, the
next run finds it again. Who waits for a batch holds a claim on it, as for a question.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hmltc_kedro.llm.cache import CHUNK, AnswerCache, Claim

TABLES = (
    "CREATE TABLE IF NOT EXISTS batches (server, file, batch, last, bound, created, PRIMARY KEY (server, file))",
    "CREATE TABLE IF NOT EXISTS batch_questions (server, key, file, PRIMARY KEY (server, key)) WITHOUT ROWID",
)

KEPT = 30 * 24 * 3600.0
"""Seconds for which a batch is remembered: OpenAI deletes its files then."""


@dataclass
class Batch:
    """One batch under way.

    Attributes:
        file: id of the uploaded file at the server.
        batch: id of the batch there; empty if the process died before it heard of it.
        last: its questions are not asked anew after it.
        bound: US dollars it can cost at most.
        created: seconds since the epoch.
        keys: its questions that are waited for here.
    """

    file: str
    batch: str
    last: bool
    bound: float
    created: float = field(default_factory=time.time)
    keys: set[str] = field(default_factory=set)


class BatchBook:
    """The tables, for the batches of one server.

    Args:
        cache: the file, and who claims.
        server: address of the server: the ids are its own.
    """

    def __init__(self, cache: AnswerCache, server: str) -> None:
        """Make the tables where a cache has none yet, and forget what no server keeps so long."""
        self._cache = cache
        self._server = server
        with cache.transaction() as connection:
            for table in TABLES:
                connection.execute(table)
            old = time.time() - KEPT
            connection.execute("DELETE FROM batches WHERE created < ?", (old,))
            connection.execute(
                "DELETE FROM batch_questions WHERE NOT EXISTS "
                "(SELECT * FROM batches b WHERE b.server = batch_questions.server AND b.file = batch_questions.file)"
            )

    def add(self, batch: Batch) -> None:
        """Write down a batch that is about to be made, and claim it."""
        with self._cache.transaction(durable=True) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?, ?)",
                (self._server, batch.file, batch.batch, batch.last, batch.bound, batch.created),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO batch_questions VALUES (?, ?, ?)",
                [(self._server, key, batch.file) for key in batch.keys],
            )
        self.claim(batch)

    def name(self, batch: Batch) -> None:
        """Write down the id the server gave it."""
        with self._cache.transaction(durable=True) as connection:
            connection.execute(
                "UPDATE batches SET batch = ? WHERE server = ? AND file = ?", (batch.batch, self._server, batch.file)
            )

    def find(self, keys: Sequence[str]) -> list[Batch]:
        """Return the batches that hold any of `keys`, oldest first, each with those of them it holds."""
        found: dict[str, set[str]] = {}
        with self._cache.transaction() as connection:
            for start in range(0, len(keys), CHUNK):
                chunk = keys[start : start + CHUNK]
                marks = ", ".join("?" * len(chunk))
                for key, file in connection.execute(
                    f"SELECT key, file FROM batch_questions WHERE server = ? AND key IN ({marks})",
                    (self._server, *chunk),
                ):
                    found.setdefault(file, set()).add(key)
            rows = connection.execute(
                "SELECT file, batch, last, bound, created FROM batches WHERE server = ? ORDER BY created",
                (self._server,),
            ).fetchall()
        return [
            Batch(file, batch, bool(last), bound, created, found[file])
            for file, batch, last, bound, created in rows
            if file in found
        ]

    def claim(self, batch: Batch) -> bool:
        """Take the right to wait for a batch; false while another process does."""
        return self._cache.claim(self._claim_of(batch)) is Claim.MINE

    def release(self, batch: Batch) -> None:
        """Let other processes have what else is in a batch."""
        self._cache.release([self._claim_of(batch)])

    def drop(self, batch: Batch, keys: Iterable[str]) -> None:
        """Forget questions of a batch, and the batch with the last of them."""
        with self._cache.transaction() as connection:
            connection.executemany(
                "DELETE FROM batch_questions WHERE server = ? AND key = ? AND file = ?",
                [(self._server, key, batch.file) for key in keys],
            )
            connection.execute(
                "DELETE FROM batches WHERE server = ? AND file = ? AND NOT EXISTS "
                "(SELECT * FROM batch_questions q WHERE q.server = batches.server AND q.file = batches.file)",
                (self._server, batch.file),
            )

    def _claim_of(self, batch: Batch) -> str:
        # No key of a question looks like this: those are hexadecimal.
        return json.dumps([self._server, batch.file])
