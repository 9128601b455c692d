"""The Batch endpoint of a server: upload, make, look, download; each call is tried again like any other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.batch_files import ENDPOINT, judge_words
from hmltc_kedro.llm.caller import SetAside, check_retry
from hmltc_kedro.llm.failures import Failure, Verdict, judge_error
from hmltc_kedro.llm.limits import back_off
from hmltc_kedro.llm.replies import MOST_TOKENS, NoCompletion, find_words
from hmltc_kedro.llm.settings import OpenAISettings
from hmltc_kedro.llm.usage import Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI

WINDOW: Final = "24h"
"""The only time in which OpenAI promises to answer."""

FILE_TIME = 1800.0
"""Seconds for a file on its way, in which something must move within `timeout` all the time."""

PAGE, MOST_PAGES = 100, 10
"""Batches listed at once, and how often, to find one whose id was never heard."""

ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
"""Statuses that do not change any more."""

NO_ENDPOINT = frozenset({404, 405, 501})


@dataclass(frozen=True)
class Progress:
    """What a server says about a batch.

    Attributes:
        status: in its words.
        total: its questions; 0 until they are counted.
        completed: those with an answer.
        failed: those with an error.
        output: id of the file of answers, empty where there is none.
        errors: id of the file of errors, likewise.
        problem: what is wrong with the batch as a whole.
    """

    status: str
    total: int
    completed: int
    failed: int
    output: str
    errors: str
    problem: Verdict | None

    @property
    def ended(self) -> bool:
        """Whether all answers there will be are there."""
        return self.status in ENDED

    def __str__(self) -> str:
        """Say it in a few words."""
        return f"{self.status}, {self.completed:,} of {self.total:,} answered, {self.failed:,} failed"


class Passing(Exception):
    """A look at a batch failed in a way that may pass."""


class BatchServer:
    """Speaks to the Batch endpoint over one connection.

    Args:
        openai: the connection.
        settings: server, retries, waits.
        usage: where retries are counted.
    """

    def __init__(self, openai: AsyncOpenAI, settings: OpenAISettings, usage: Usage) -> None:
        """Start with a server that was never heard."""
        self._openai = openai
        self._settings = settings
        self._usage = usage
        self._heard = False

    async def upload(self, lines: bytes) -> str:
        """Return the id of a new file of questions."""
        files = self._openai.files.with_raw_response

        async def send() -> str:
            response = await files.create(file=("questions.jsonl", lines, "application/jsonl"), purpose="batch")
            return _read_id(_read_body(response.content))

        return str(await self._insist(send, FILE_TIME))

    async def create(self, file: str) -> str:
        """Return the id of a new batch of the questions in a file."""
        batches = self._openai.batches.with_raw_response
        tried = False

        async def send() -> str:
            nonlocal tried
            # A try that brings no answer may have made it: the next looks first, or the questions are paid twice.
            if tried and (found := await self._find_batch_of(file)):
                return found
            tried = True
            response = await batches.create(input_file_id=file, endpoint=ENDPOINT, completion_window=WINDOW)
            return _read_id(_read_body(response.content))

        return str(await self._insist(send, self._settings.timeout))

    async def find(self, file: str) -> str:
        """Return the id of the batch of a file whose maker died before it heard one; empty if there is none."""
        return str(await self._insist(lambda: self._find_batch_of(file), self._settings.timeout))

    async def look(self, batch: str) -> Progress | None:
        """Return how a batch stands, None if the server knows none of that id.

        Raises:
            Passing: the server cannot say so at the moment.
        """
        retrieve = self._openai.batches.with_raw_response.retrieve

        async def send() -> Progress:
            return _read_progress(_read_body((await retrieve(batch)).content), self._settings)

        progress: Progress | None = await self._insist(send, self._settings.timeout, patient=True, missing=True)
        if progress is None:  # is it the batch that is not there, or everything? Then it must not be forgotten
            await self._insist(self._list, self._settings.timeout, patient=True)
        return progress

    async def download(self, file: str) -> bytes | None:
        """Return the content of a file, None if there is none of that id (any more)."""

        async def send() -> bytes:
            return (await self._openai.files.with_raw_response.content(file)).content

        content: bytes | None = await self._insist(send, FILE_TIME, missing=True)
        return content

    async def _list(self, after: str = "") -> dict[str, Any]:
        from openai import omit

        response = await self._openai.batches.with_raw_response.list(limit=PAGE, after=after or omit)
        return _read_body(response.content)

    async def _find_batch_of(self, file: str) -> str:
        """Return the id of the batch made from `file`, empty if there is none or the server has no list."""
        from openai import APIStatusError

        after = ""
        for _ in range(MOST_PAGES):
            try:
                body = await self._list(after)
            except APIStatusError as error:
                if error.status_code in NO_ENDPOINT:
                    return ""
                raise
            data = body.get("data")
            rows = [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
            for row in rows:
                if row.get("input_file_id") == file:
                    return _read_id(row)
            if not body.get("has_more") or not rows:
                break
            after = _read_id(rows[-1])
        return ""

    async def _insist(
        self, send: Callable[[], Awaitable[object]], seconds: float, patient: bool = False, missing: bool = False
    ) -> Any:
        """Return what `send` brings, trying again as long as the failure is one that passes.

        Args:
            send: makes one try.
            seconds: how long it may take.
            patient: raise `Passing` rather than end the run where only tries ran out.
            missing: return None where the server knows nothing of that id, or does not take it.
        """
        from openai import APIStatusError, OpenAIError

        tries = 0
        while True:
            try:
                async with asyncio.timeout(seconds):
                    result = await send()
                self._heard = True
                return result
            except (OpenAIError, OSError, ValueError) as error:
                if isinstance(error, APIStatusError) and error.status_code in NO_ENDPOINT:
                    if missing:
                        return None
                    raise InputError(
                        f"{self._settings.server} has no Batch endpoint (HTTP {error.status_code}); "
                        "set llm.batch: false, or check llm.base_url"
                    ) from None
                verdict = judge_error(error, self._settings)
            try:
                check_retry(verdict, tries, self._settings, self._heard)
            except SetAside as end:
                if missing and end.failure is Failure.REJECTED:
                    return None
                if patient and tries >= self._settings.max_retries:
                    raise Passing(str(end)) from None
                raise InputError(f"{self._settings.server} does not take the batch: {end}") from None
            self._usage.retries += 1
            wait = back_off(tries, self._settings.backoff, self._settings.max_wait)
            await asyncio.sleep(max(wait, verdict.wait or 0.0))
            tries += 1


def _read_body(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise NoCompletion(f"no word on a batch but: {content[:200].decode(errors='replace')}")
    return body


def _read_id(body: dict[str, Any]) -> str:
    if not (isinstance(body.get("id"), str) and body["id"]):
        raise NoCompletion(f"no id but: {find_words(body)}")
    return str(body["id"])


def _read_progress(body: dict[str, Any], settings: OpenAISettings) -> Progress:
    status = body.get("status")
    if not isinstance(status, str):
        raise NoCompletion(f"no status of a batch but: {find_words(body)}")
    counts = body.get("request_counts")
    counts = counts if isinstance(counts, dict) else {}
    total, completed, failed = (_as_count(counts.get(name)) for name in ("total", "completed", "failed"))
    return Progress(
        status=status,
        total=total,
        completed=completed,
        failed=failed,
        output=_as_text(body.get("output_file_id")),
        errors=_as_text(body.get("error_file_id")),
        problem=_read_problem(body.get("errors"), settings),
    )


def _read_problem(errors: object, settings: OpenAISettings) -> Verdict | None:
    """Return what the first error of a batch as a whole means."""
    rows = errors.get("data") if isinstance(errors, dict) else None
    row = rows[0] if isinstance(rows, list) and rows else None
    if not isinstance(row, dict):
        return None
    return judge_words(find_words(row), str(row.get("code") or ""), settings)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _as_count(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value <= MOST_TOKENS else 0
