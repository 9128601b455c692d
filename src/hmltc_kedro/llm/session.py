"""A list of questions asked side by side: queue, claims, first contact, reasons to stop."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from tqdm import tqdm

from hmltc_kedro.display import show_progress
from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.cache import LEASE, AnswerCache, Claim, StoredAnswer, make_row
from hmltc_kedro.llm.caller import Abandoned, Caller, SetAside
from hmltc_kedro.llm.client import ChatRequest
from hmltc_kedro.llm.failures import Failure
from hmltc_kedro.llm.money import Receipt
from hmltc_kedro.llm.settings import OpenAISettings
from hmltc_kedro.llm.usage import Usage, format_cost

POLL = 0.25
"""Seconds between two looks at answers another process is asking for."""

GIVE_UP_UNHEARD = 3
"""Questions in a row without an answer that end a run while the server was never heard."""

GIVE_UP = 8
"""The same once it has: a server that went away during the run."""


@asynccontextmanager
async def hold_claims(cache: AnswerCache) -> AsyncIterator[None]:
    """Show now and then, while the block runs, that the process lives which claimed questions."""

    async def show_life() -> None:
        while True:
            await asyncio.sleep(LEASE / 4)
            with suppress(sqlite3.Error):  # a file that cannot be written to ends the run elsewhere
                cache.show_life()

    life = asyncio.create_task(show_life())
    try:
        yield
    finally:
        life.cancel()


def explain_unwritable(cache: AnswerCache, error: sqlite3.Error) -> InputError:
    """Return what ends a run whose answers cannot be kept."""
    return InputError(f"{cache.path}: cannot write ({error}); check disk and rights")


class Session:
    """Asks the questions of one call of `ask` that the cache could not answer.

    The first is asked alone: a wrong key or address costs one request, not as many as run side by
    side, and the way to ask for structured answers is known when the others start.

    Args:
        questions: what to ask, by key.
        settings: concurrency and model.
        caller: asks one question.
        cache: where each answer goes as it arrives.
        usage: counts what happens.
        redact: takes the key out of a text.
    """

    def __init__(
        self,
        questions: Mapping[str, ChatRequest],
        settings: OpenAISettings,
        caller: Caller,
        cache: AnswerCache,
        usage: Usage,
        redact: Callable[[str], str],
    ) -> None:
        """Queue the questions."""
        self._questions = questions
        self._queue = deque(questions)
        self._settings = settings
        self._caller = caller
        self._cache = cache
        self._usage = usage
        self._redact = redact
        self._rows: dict[str, StoredAnswer] = {}
        self._busy_in_a_row = 0
        self._failed_in_a_row = 0
        self._stop: Exception | None = None

    async def run(self) -> dict[str, StoredAnswer]:
        """Return one row a question.

        Raises:
            InputError: the run had to stop. All answers until then are in the cache.
            Exception: something nobody foresaw went wrong with one question, likewise after those under way.
        """
        bar = tqdm(total=len(self._questions), desc="llm", unit="answer", disable=not show_progress())
        with bar as self._bar:
            async with hold_claims(self._cache):
                while self._queue and not self._caller.heard and not self._stop:
                    await self._take_next()
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self._settings.concurrency, len(self._queue))):
                        group.create_task(self._work())
        if self._stop:
            raise self._stop
        return self._rows

    async def _work(self) -> None:
        while self._queue and not self._stop:
            await self._take_next()

    async def _take_next(self) -> None:
        """See one question of the queue through, or put it back where another process asks it."""
        key = self._queue.popleft()
        try:
            claim = self._cache.claim(key)
            if claim is Claim.MINE:
                self._busy_in_a_row = 0
                await self._ask(key)
            elif claim is Claim.ANSWERED:
                self._busy_in_a_row = 0
                self._usage.cached += 1
                self._finish(self._cache.find([key])[key])
            else:
                await self._put_back(key)
        except sqlite3.Error as error:
            self._halt(explain_unwritable(self._cache, error))
        except Exception as error:  # the task group would cancel the others, which are paid for
            self._halt(error)

    async def _put_back(self, key: str) -> None:
        """Return a question to the queue; sleep when other processes ask all that are left."""
        self._queue.append(key)
        self._busy_in_a_row += 1
        if self._busy_in_a_row >= len(self._queue):
            await asyncio.sleep(POLL)

    async def _ask(self, key: str) -> None:
        """Ask, and store what came of it."""
        request, receipt, started = self._questions[key], Receipt(), time.monotonic()
        answer, error = None, ""
        try:
            value = await self._caller.answer(request, receipt)
            answer = value.model_dump_json()
            self._failed_in_a_row = 0
        except SetAside as reason:
            error = self._redact(str(reason))
            self._count_failure(reason.failure, error)
        except InputError as problem:
            self._halt(InputError(self._redact(str(problem))))
            return
        except Abandoned:
            return
        tokens = (receipt.input_tokens, receipt.output_tokens)
        row = make_row(key, request, self._settings.model, answer, error, tokens, time.monotonic() - started)
        self._cache.store(row)
        self._finish(row)

    def _finish(self, row: StoredAnswer) -> None:
        self._rows[row.key] = row
        usage = self._usage
        self._bar.set_postfix_str(
            f"{usage.cached} cached, {usage.failed} failed, "
            f"{usage.input_tokens + usage.output_tokens} tokens, {format_cost(usage.cost)}",
            refresh=False,
        )
        self._bar.update()

    def _count_failure(self, failure: Failure, reason: str) -> None:
        """Stop when nothing but failures comes back: a dead server must not cost a night."""
        self._usage.failed += 1
        if failure is Failure.SET_ASIDE:
            return  # the server is well, and so many neighbours in a taxonomy may be refused
        self._failed_in_a_row += 1
        limit = GIVE_UP if self._caller.heard else GIVE_UP_UNHEARD
        if self._failed_in_a_row >= limit:
            self._halt(
                InputError(
                    f"{self._settings.server} left {self._failed_in_a_row} questions in a row "
                    "without an answer "
                    f"({reason}); check the server, llm.model and llm.base_url"
                )
            )

    def _halt(self, error: Exception) -> None:
        """Let the requests under way end, and start no more."""
        self._stop = self._stop or error
        self._caller.stopped.set()
