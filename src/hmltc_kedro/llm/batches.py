"""Questions asked at half price: in files that a server answers within a day."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace

from tqdm import tqdm

from hmltc_kedro.display import show_progress
from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.batch_book import Batch, BatchBook
from hmltc_kedro.llm.batch_files import Line, Part, Question, fill_part, read_lines
from hmltc_kedro.llm.batch_server import WINDOW, BatchServer, Passing, Progress
from hmltc_kedro.llm.cache import AnswerCache, Claim, StoredAnswer, make_row
from hmltc_kedro.llm.caller import MODES, SetAside, Structured, ask_again, check_reply
from hmltc_kedro.llm.client import ChatRequest
from hmltc_kedro.llm.failures import Failure, Verdict
from hmltc_kedro.llm.money import Receipt, book
from hmltc_kedro.llm.parsing import UnfitAnswer
from hmltc_kedro.llm.session import GIVE_UP_UNHEARD, explain_unwritable, hold_claims
from hmltc_kedro.llm.settings import Mode, OpenAISettings
from hmltc_kedro.llm.usage import Usage, format_cost

logger = logging.getLogger(__name__)

MISSED_LOOKS = 10
"""Looks in a row at batches that may fail, each after all its tries, before the run ends: the batches go on."""

LOG_EVERY = 600.0
"""Seconds between two log lines on a batch whose status stays the same."""

SMALLEST_SHARE = 0.1
"""Share of the questions left that a batch under `max_cost` must hold: else the money would go in ever smaller ones."""


class BatchSession:
    """Asks the questions of one call of `ask` that the cache could not answer, in batches.

    Batches that hold some of them already, made by a run that was killed, are waited for first. What a batch leaves
    without an answer that fits goes into a second one.

    Args:
        questions: what to ask, by key.
        settings: model, limits, interval of looks.
        structured: how to ask for a shape.
        server: the Batch endpoint.
        cache: where each answer goes.
        usage: counts what happens.
        redact: takes the key out of a text.
    """

    def __init__(
        self,
        questions: Mapping[str, ChatRequest],
        settings: OpenAISettings,
        structured: Structured,
        server: BatchServer,
        cache: AnswerCache,
        usage: Usage,
        redact: Callable[[str], str],
    ) -> None:
        """Look at nothing yet."""
        self._questions = questions
        self._settings = settings
        self._structured = structured
        self._server = server
        self._cache = cache
        self._usage = usage
        self._redact = redact
        self._book = BatchBook(cache, settings.address)
        self._pending = list(questions)
        self._ready: list[Question] = []
        self._again: list[Question] = []
        self._open: list[Batch] = []
        self._receipts: defaultdict[str, Receipt] = defaultdict(Receipt)
        self._rows: dict[str, StoredAnswer] = {}
        self._shown: dict[str, tuple[str, float]] = {}
        self._missed = 0
        self._answered = False
        self._stop = ""
        self._last_reason = ""
        self._fallback: Mode | None = None

    async def run(self) -> dict[str, StoredAnswer]:
        """Return one row a question.

        Raises:
            InputError: the run had to stop. All answers until then are in the cache, and batches under way go on.
        """
        bar = tqdm(total=len(self._questions), desc="llm batch", unit="answer", disable=not show_progress())
        with bar as self._bar:
            try:
                async with hold_claims(self._cache):
                    while len(self._rows) < len(self._questions):
                        await self._go_round()
            except sqlite3.Error as error:
                raise explain_unwritable(self._cache, error) from None
            except InputError as error:
                raise InputError(self._redact(str(error))) from None
            finally:
                if names := ", ".join(batch.batch for batch in self._open if batch.batch):
                    self._say(f"{names} goes on at {self._settings.server}; the next run collects it")
        return self._rows

    async def _go_round(self) -> None:
        """Take what is free, send what is ready, look at what is under way; sleep if nothing came of it."""
        before = len(self._rows)
        await self._sort_pending()
        await self._send_ready()
        for batch in list(self._open):
            await self._look_at(batch)
        if not self._open and not self._ready:
            # Only now: an account has a limit on what is under way, and the first round may have run into it.
            self._ready, self._again = self._again, []
        moved = len(self._rows) > before or (self._ready and not self._open)
        if not moved:
            await asyncio.sleep(self._settings.batch_poll)

    # ------------------------------------------------------------------ on the way there

    async def _sort_pending(self) -> None:
        """Claim the questions nobody else asks, and find out which of them are in a batch already."""
        if not self._pending:
            return
        claims = self._cache.claim_all(self._pending)
        mine = [key for key, claim in claims.items() if claim is Claim.MINE]
        answered = [key for key, claim in claims.items() if claim is Claim.ANSWERED]
        self._pending = [key for key, claim in claims.items() if claim is Claim.BUSY]
        self._usage.cached += len(answered)
        for row in self._cache.find(answered).values():
            self._finish(row)
        # After the claims: until then another process could have put a question into a batch, and died.
        batches = self._book.find(mine)
        held = {key for batch in batches for key in batch.keys}
        self._ready += [self._put(key) for key in mine if key not in held]
        for batch in batches:
            if self._book.claim(batch):
                await self._take_up(batch)
            else:  # a process waits for it that asked other questions of it; when it is done, this one takes its own
                self._pending += sorted(batch.keys)

    def _put(self, key: str) -> Question:
        """Return a question as it is asked first."""
        request = self._questions[key]
        return Question(key, request, [{"role": "user", "content": request.prompt}], self._structured.mode)

    async def _take_up(self, batch: Batch) -> None:
        """Wait for a batch another run has made."""
        self._open.append(batch)
        if not batch.batch:
            batch.batch = await self._server.find(batch.file)
            if not batch.batch:
                self._forget(batch, f"of file {batch.file} was never made")
                return
            self._book.name(batch)
        self._usage.batch_bound += batch.bound
        self._say(f"{batch.batch} of an earlier run is under way with {len(batch.keys):,} of the questions")

    async def _send_ready(self) -> None:
        """Put as many of the ready questions into batches as files and money allow."""
        while self._ready:
            part = fill_part(self._ready, self._settings, self._money_left())
            if part.short and len(part.questions) < max(1.0, SMALLEST_SHARE * len(self._ready)):
                if self._open:
                    return  # they will cost less than they could
                spent, limit = format_cost(self._usage.cost), format_cost(self._settings.max_cost)
                raise InputError(
                    f"llm.max_cost: {spent} of {limit} are spent "
                    f"and a batch of the {len(self._ready):,} questions left could exceed it; raise max_cost"
                )
            await self._send(part)

    async def _send(self, part: Part) -> None:
        file = await self._server.upload(bytes(part.lines))
        last = part.questions[0].last
        batch = Batch(file, "", last, part.bound, keys={question.key for question in part.questions})
        self._book.add(batch)  # before it is made: a process killed in between finds it by its file
        self._open.append(batch)
        self._ready = self._ready[len(part.questions) :]
        batch.batch = await self._server.create(file)
        self._book.name(batch)
        self._usage.batch_bound += batch.bound
        cost = "" if self._settings.price is None else f", surely for no more than {format_cost(batch.bound)}"
        self._say(
            f"{batch.batch} made of {len(batch.keys):,} questions{' asked anew' if last else ''}{cost}; "
            f"{self._settings.server} answers within {WINDOW}, and the run may be interrupted meanwhile"
        )

    def _money_left(self) -> float | None:
        if self._settings.max_cost is None:
            return None
        return self._settings.max_cost - (self._usage.cost or 0.0) - sum(batch.bound for batch in self._open)

    # ------------------------------------------------------------------ on the way back

    async def _look_at(self, batch: Batch) -> None:
        """Look how a batch stands, and collect it if it has ended."""
        try:
            progress = await self._server.look(batch.batch)
        except Passing as error:
            self._missed += 1
            if self._missed >= MISSED_LOOKS:
                raise InputError(
                    f"{self._settings.server} does not say how batch {batch.batch} stands: {error}"
                ) from None
            return
        self._missed = 0
        if progress is None:
            self._forget(batch, f"{batch.batch} is unknown to {self._settings.server}")
            return
        self._show(batch, progress)
        if progress.ended:
            await self._collect(batch, progress)

    async def _collect(self, batch: Batch, progress: Progress) -> None:
        """Store what a batch brought; what it did not is asked anew or set aside."""
        files = [await self._server.download(file) for file in (progress.output, progress.errors) if file]
        left, odd, failed = set(batch.keys), [], 0
        for number, line in enumerate(line for file in files for line in read_lines(file or b"", left, self._settings)):
            if number % 500 == 0:
                await asyncio.sleep(0)  # claims show that they live
            if isinstance(line, str):
                odd.append(line)
                continue
            left.discard(line.key)
            failed += self._take(batch, line)
        if left and odd:
            logger.warning(
                "LLM batch %s: %d unusable lines: %s", batch.batch, len(odd), self._redact("; ".join(odd[:5]))
            )
        reason = f"the batch {progress.status} without an answer to it"
        verdict = progress.problem or Verdict(Failure.BUSY, reason)
        for key in sorted(left):
            failed += self._leave(batch, self._put(key), verdict)
        self._book.drop(batch, batch.keys)
        self._book.release(batch)
        self._open.remove(batch)
        self._usage.batches += 1
        if self._stop:
            raise InputError(self._stop)
        if batch.last and not self._answered and failed >= GIVE_UP_UNHEARD:
            raise InputError(
                f"{self._settings.server} left {failed} questions without an answer in two batches "
                f"({self._last_reason}); check the server, llm.model and llm.base_url"
            )

    def _take(self, batch: Batch, line: Line) -> bool:
        """Check what came back for one question; return whether the server failed it."""
        question, reply = self._put(line.key), line.reply
        if reply is not None and (reply.fault is None or reply.output_tokens):
            book(question.request, reply, self._settings, self._usage, self._receipts[line.key])
        if reply is None or line.verdict is not None:
            return self._leave(batch, question, line.verdict or Verdict(Failure.BUSY, "no answer"))
        if not self._structured.settled:
            self._structured.mode = self._fallback if batch.last and self._fallback else self._structured.mode
            self._structured.settled = True
        try:
            value = check_reply(reply, question.request)
        except SetAside as refusal:
            return self._leave(batch, question, Verdict(refusal.failure, str(refusal)))
        except UnfitAnswer as error:
            question = replace(question, messages=[*question.messages, *ask_again(reply, str(error))])
            return self._leave(batch, question, Verdict(Failure.UNFIT, f"its answer did not fit: {error}"))
        self._answered = True
        self._store(batch, question, value.model_dump_json(), "")
        return False

    def _leave(self, batch: Batch, question: Question, verdict: Verdict) -> bool:
        """Ask a question anew, or set it aside; return whether that speaks against the server."""
        failure, reason = verdict.failure, self._redact(verdict.reason)
        if failure is Failure.STOP:
            self._stop = self._stop or verdict.reason
            return False
        unfit = failure is Failure.UNFIT
        if failure is Failure.SET_ASIDE or batch.last or (unfit and not self._settings.repairs):
            self._usage.failed += 1
            self._last_reason = reason
            self._store(batch, question, None, reason)
            return failure is not Failure.SET_ASIDE
        self._usage.retries += not unfit
        if failure is Failure.REJECTED and not self._structured.settled:
            # One more batch is all there is: it asks in the one way that every server takes.
            self._fallback = MODES[-1]
            question = replace(question, mode=self._fallback)
        self._again.append(replace(question, last=True))
        return False

    def _store(self, batch: Batch, question: Question, answer: str | None, error: str) -> None:
        receipt, seconds = self._receipts[question.key], time.time() - batch.created
        tokens = (receipt.input_tokens, receipt.output_tokens)
        row = make_row(question.key, question.request, self._settings.model, answer, error, tokens, seconds)
        self._cache.store(row)
        self._finish(row)

    def _finish(self, row: StoredAnswer) -> None:
        self._rows[row.key] = row
        self._bar.update()

    def _forget(self, batch: Batch, why: str) -> None:
        """Give up on a batch the server does not have: its questions are asked as if they had never been."""
        logger.warning("LLM batch %s; its questions are asked anew", self._redact(why))
        self._book.drop(batch, batch.keys)
        self._book.release(batch)
        self._open.remove(batch)
        self._pending += sorted(batch.keys)

    # ------------------------------------------------------------------ what people see

    def _say(self, words: str) -> None:
        logger.info("LLM batch %s", self._redact(words))

    def _show(self, batch: Batch, progress: Progress) -> None:
        """Show status and counts: in the bar always, in the log when the status changes, and now and then."""
        self._bar.set_postfix_str(f"{batch.batch}: {progress}", refresh=True)
        status, when = self._shown.get(batch.file, ("", 0.0))
        if status != progress.status or time.monotonic() - when >= LOG_EVERY:
            self._shown[batch.file] = (progress.status, time.monotonic())
            self._say(f"{batch.batch}: {progress}")
