"""Answers on disk: one SQLite file, one row an answer, each paid for once.

The key of an answer is everything that shapes it: model, parameters, prompt and schema. A row is
committed as the answer arrives. Before a process asks, it claims the key, so that two processes on
one file do not pay for the same answer; the claim of a process that died is void. (Both must run on
one machine: SQLite's write-ahead log, which lets them read and write at once, does not work over a
network drive.)
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

import pandas as pd

from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.client import ChatRequest
from hmltc_kedro.llm.settings import OpenAISettings
from hmltc_kedro.llm.tokens import answer_schema

FORMAT = 1
"""Version of the file's tables, kept in its `user_version`."""

LEASE = 30.0
"""Seconds after its last sign of life from which the claims of a process are void."""

CHUNK = 500
"""Keys looked up at once."""


def request_key(request: ChatRequest, settings: OpenAISettings) -> str:
    """Return the sha256 of what shapes an answer: model, parameters, prompt and schema."""
    parts = {
        "model": settings.model,
        "extra_body": settings.extra_body,
        "temperature": float(request.temperature),
        "max_tokens": request.max_tokens,
        "sample": 0,  # a field of old: without it, every answer paid for so far would be asked again
        "prompt": request.prompt,
        "schema": answer_schema(request.schema),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest()


@dataclass(frozen=True)
class StoredAnswer:
    """One row of the cache: an answer, or the reason why there is none.

    Attributes:
        key: see `request_key`.
        task: name of the task.
        subject: the class or document it is about.
        model: name of the model.
        temperature: sampling temperature.
        max_tokens: bound on the answer's length.
        prompt: the question.
        answer: the checked value as JSON; None where the question was set aside.
        error: why it was set aside, else empty.
        input_tokens: of all calls it took.
        output_tokens: of all calls it took.
        seconds: from the first call to the last answer.
        created: time of the answer, UTC.
    """

    key: str
    task: str
    subject: str
    model: str
    temperature: float
    max_tokens: int
    prompt: str
    answer: str | None
    error: str
    input_tokens: int
    output_tokens: int
    seconds: float
    created: str


def make_row(
    key: str,
    request: ChatRequest,
    model: str,
    answer: str | None,
    error: str,
    tokens: tuple[int, int],
    seconds: float,
) -> StoredAnswer:
    """Return the row of a question that came to an end now; `tokens` are those asked and answered."""
    return StoredAnswer(
        key=key,
        task=request.task,
        subject=request.subject,
        model=model,
        temperature=request.temperature,
        max_tokens=request.max_tokens,
        prompt=request.prompt,
        answer=answer,
        error=error,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        seconds=round(seconds, 3),
        created=now(),
    )


# Rows are read and written by position: files from before `subject` call that column `class_id`.
COLUMNS = tuple(field.name for field in fields(StoredAnswer))

TABLES = f"""
CREATE TABLE IF NOT EXISTS answers ({", ".join(COLUMNS)}, PRIMARY KEY (key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (key PRIMARY KEY, owner, pid, seen) WITHOUT ROWID;
PRAGMA user_version = {FORMAT};
"""


class Claim(Enum):
    """What became of the wish to ask a question."""

    MINE = "mine"
    BUSY = "busy"
    ANSWERED = "answered"


class AnswerCache:
    """The file, opened for reading and writing, by one owner of claims.

    Args:
        path: the file; made where it is missing.
    """

    def __init__(self, path: str | Path) -> None:
        """Open the file.

        Raises:
            InputError: it cannot be opened, or is no such cache.
        """
        self.path = Path(path)
        self._owner = uuid.uuid4().hex
        self._unfit: set[tuple[str, str | None]] = set()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            version = _check_format(self._connection, self.path)
            _use_write_ahead_log(self._connection)
            if version == 0:
                self._connection.executescript(f"BEGIN IMMEDIATE; {TABLES} COMMIT;")
        except (sqlite3.Error, OSError) as error:
            raise InputError(f"{self.path}: cannot be used as an answer cache ({error}); move it away") from error

    def find(self, keys: Sequence[str]) -> dict[str, StoredAnswer]:
        """Return the answers of those `keys` that have one; a question set aside has none."""
        found = _find_rows(self._connection, keys)
        return {k: row for k, row in found.items() if row.answer is not None and (k, row.answer) not in self._unfit}

    def reject(self, rows: Iterable[StoredAnswer]) -> None:
        """Let rows count as no answer from now on: what they say does not fit any more. They stay until replaced."""
        self._unfit.update((row.key, row.answer) for row in rows)

    def claim(self, key: str) -> Claim:
        """Take the right to ask `key`, unless it is answered or a living process asks it."""
        return self.claim_all([key])[key]

    def claim_all(self, keys: Sequence[str]) -> dict[str, Claim]:
        """Do that with many keys in one transaction: a batch may have fifty thousand."""
        with self.transaction() as connection:
            answered = self.find(keys)
            return {key: Claim.ANSWERED if key in answered else self._take(key, connection) for key in keys}

    def _take(self, key: str, connection: sqlite3.Connection) -> Claim:
        holder = connection.execute(
            "SELECT pid, seen FROM claims WHERE key = ? AND owner <> ?", (key, self._owner)
        ).fetchone()
        if holder and _is_alive(*holder):
            return Claim.BUSY
        connection.execute(
            "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)",
            (key, self._owner, os.getpid(), time.time()),
        )
        return Claim.MINE

    def release(self, keys: Iterable[str]) -> None:
        """Give claims of this owner back."""
        with self.transaction() as connection:
            connection.executemany(
                "DELETE FROM claims WHERE key = ? AND owner = ?", [(key, self._owner) for key in keys]
            )

    def store(self, row: StoredAnswer) -> None:
        """Write a row and give its claim back. An answer that fits is never overwritten, nor any by a failure."""
        marks = ", ".join("?" * len(COLUMNS))
        with self.transaction():
            there = _find_rows(self._connection, [row.key]) if row.answer is None else self.find([row.key])
            if row.key not in there or there[row.key].answer is None:
                self._connection.execute(f"INSERT OR REPLACE INTO answers VALUES ({marks})", astuple(row))
            self._connection.execute("DELETE FROM claims WHERE key = ?", (row.key,))

    def show_life(self) -> None:
        """Keep the claims of this owner from becoming void."""
        self._connection.execute("UPDATE claims SET seen = ? WHERE owner = ?", (time.time(), self._owner))

    def close(self) -> None:
        """Give all claims back and close the file."""
        with closing(self._connection), suppress(sqlite3.Error):
            # Claims that cannot be given back, on a full disk say, are void after `LEASE`.
            self._connection.execute("DELETE FROM claims WHERE owner = ?", (self._owner,))

    @contextmanager
    def transaction(self, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Do all of a block or nothing of it, while no other process writes; it gets the connection.

        Args:
            durable: not even a power cut may undo it.
        """
        # In NORMAL, a killed process loses nothing; a power cut may take the last few answers.
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def find_answers(path: Path, keys: Sequence[str]) -> dict[str, StoredAnswer]:
    """Return the rows of `keys`, those set aside included, from a file that is only read."""
    with _open_readonly(path) as connection:
        return _find_rows(connection, keys)


def read_answers(path: str | Path) -> pd.DataFrame:
    """Return all rows of a cache, oldest first, one column for each field of `StoredAnswer`.

    Raises:
        InputError: there is no such file, or it is no cache.
    """
    with _open_readonly(Path(path)) as connection:
        rows = connection.execute("SELECT * FROM answers ORDER BY created, key").fetchall()
    return pd.DataFrame(rows, columns=list(COLUMNS))


def now() -> str:
    """Return the present for the column `created`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _find_rows(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, StoredAnswer]:
    found: dict[str, StoredAnswer] = {}
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        marks = ", ".join("?" * len(chunk))
        rows = connection.execute(f"SELECT * FROM answers WHERE key IN ({marks})", chunk)
        found.update((row[0], StoredAnswer(*row)) for row in rows)
    return found


def _use_write_ahead_log(connection: sqlite3.Connection, patience: float = 60.0) -> None:
    """Let readers and a writer work at once; the file remembers it.

    SQLite does not wait for its turn to switch, as it does for everything else: when several
    processes open a new file together, all but one are told that it is locked.
    """
    end = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.02)


@contextmanager
def _open_readonly(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a cache without leaving a trace beside it, even on a disk that cannot be written to."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such answer cache")
    # A write-ahead log beside the file holds answers of a process at work or killed.
    live = path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.resolve().as_uri()}?mode=ro" + ("" if live else "&immutable=1")
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=60)) as connection:
            if _check_format(connection, path) == 0:
                raise InputError(f"{path}: not an answer cache")
            yield connection
    except sqlite3.Error as error:
        raise InputError(f"{path}: not a sound answer cache ({error})") from error


def _check_format(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the file's tables, 0 for a new file."""
    # One statement sees one state, even while another process makes the tables.
    version, tables = connection.execute(
        "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    if version not in {0, FORMAT} or (version == 0 and tables):
        raise InputError(f"{path}: not an answer cache of this version; move it away")
    return int(version)


def _is_alive(pid: int, seen: float) -> bool:
    """Tell whether a holder of claims still works on them."""
    if time.time() - seen > LEASE:
        return False
    if os.name != "posix":
        return True  # elsewhere, signal 0 would not ask but kill
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
