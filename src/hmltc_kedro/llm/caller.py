"""One question to an OpenAI-compatible server, seen through to a checked answer or a reason."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.client import ChatRequest
from hmltc_kedro.llm.failures import Failure, Verdict, judge_error
from hmltc_kedro.llm.limits import Pacer, back_off
from hmltc_kedro.llm.money import Budget, Receipt, book, bound_cost
from hmltc_kedro.llm.parsing import UnfitAnswer, parse_answer
from hmltc_kedro.llm.replies import Reply, ServerFault, read_reply
from hmltc_kedro.llm.settings import Mode, OpenAISettings
from hmltc_kedro.llm.tokens import answer_schema, count_input
from hmltc_kedro.llm.usage import Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Message = dict[str, str]

MODES: tuple[Mode, ...] = ("json_schema", "json_object", "text")

FIRST_TRIES = 2
"""Retries over a broken connection before the server was ever heard: a wrong address shows soon."""

QUOTED = 2000
"""Characters of an unfit answer that are shown to the model when it is asked again."""


class SetAside(Exception):
    """A question stays without an answer.

    Args:
        reason: why.
        failure: what it says about the server.
    """

    def __init__(self, reason: str, failure: Failure = Failure.SET_ASIDE) -> None:
        """Keep the reason as the message."""
        super().__init__(reason)
        self.failure = failure


class Abandoned(Exception):
    """The run ended while the question waited for its next try."""


@dataclass
class Structured:
    """How this server can be asked for a shape: remembered as long as its client lives.

    Attributes:
        mode: the strongest way that has not been rejected.
        settled: a request of that mode has been answered, or the user chose it.
    """

    mode: Mode
    settled: bool

    @classmethod
    def start(cls, settings: OpenAISettings) -> Structured:
        """Return the state before the first request."""
        if settings.structured == "auto":
            return cls(MODES[0], settled=False)
        return cls(settings.structured, settled=True)


class Caller:
    """Asks single questions over one connection; those under way share all limits.

    Args:
        openai: the connection.
        settings: model, limits, prices.
        usage: where every completion is booked.
        structured: how to ask for a shape.
    """

    def __init__(self, openai: AsyncOpenAI, settings: OpenAISettings, usage: Usage, structured: Structured) -> None:
        """Start with free limits and an unheard server."""
        self._openai = openai
        self._settings = settings
        self._usage = usage
        self._structured = structured
        self._pacer = Pacer(settings.requests_per_minute, settings.tokens_per_minute)
        self._budget = Budget(usage, settings.max_cost)
        self.heard = False
        self.stopped = asyncio.Event()

    async def answer(self, request: ChatRequest, receipt: Receipt) -> BaseModel:
        """Return the checked answer, asking again where one does not fit.

        Raises:
            SetAside: there is none to be had.
            InputError: nor would there be for the next question; the message says what to check.
            Abandoned: `stopped` was set meanwhile.
        """
        question = [{"role": "user", "content": request.prompt}]
        messages, problem = question, ""
        for _ in range(1 + self._settings.repairs):
            reply = await self._complete(request, messages, receipt)
            try:
                return check_reply(reply, request)
            except UnfitAnswer as error:
                problem = str(error)
                messages = [*question, *ask_again(reply, problem)]
        raise SetAside(f"{1 + self._settings.repairs} answers did not fit: {problem}", Failure.UNFIT)

    async def _complete(self, request: ChatRequest, messages: list[Message], receipt: Receipt) -> Reply:
        """Return a completion in the strongest mode the server takes."""
        first: SetAside | None = None
        for mode in self._open_modes():
            try:
                reply = await self._try(request, messages, mode, receipt)
            except SetAside as error:
                if error.failure is not Failure.REJECTED:
                    raise
                first = first or error
                continue
            if not self._structured.settled:
                self._structured.mode, self._structured.settled = mode, True
            return reply
        # No mode was taken, so the mode was not the matter: the first complaint is the telling one.
        raise first or SetAside("no mode to ask in")

    def _open_modes(self) -> tuple[Mode, ...]:
        if self._structured.settled:
            return (self._structured.mode,)
        return MODES[MODES.index(self._structured.mode) :]

    async def _try(self, request: ChatRequest, messages: list[Message], mode: Mode, receipt: Receipt) -> Reply:
        """Return a completion, trying again as long as the failure is one that passes."""
        from openai import OpenAIError

        tries = 0
        while True:
            try:
                return await self._send(request, messages, mode, receipt)
            except (InputError, Abandoned):
                raise
            except (OpenAIError, ServerFault, OSError, ValueError) as error:
                verdict = judge_error(error, self._settings)
            self._check_retry(verdict, tries)
            self._usage.retries += 1
            if verdict.wait is not None:
                self._pacer.pause(time.monotonic(), verdict.wait)
            wait = back_off(tries, self._settings.backoff, self._settings.max_wait)
            await self._sleep(max(wait, verdict.wait or 0.0))
            tries += 1

    def _check_retry(self, verdict: Verdict, tries: int) -> None:
        """Raise if there must be no other try."""
        self.heard = self.heard or verdict.failure is Failure.SET_ASIDE
        check_retry(verdict, tries, self._settings, self.heard)

    async def _send(self, request: ChatRequest, messages: list[Message], mode: Mode, receipt: Receipt) -> Reply:
        """Send one request when pace and budget allow it, and book what it used."""
        settings = self._settings
        tokens = count_input(request, settings.model) + request.max_tokens
        texts = [message["content"] for message in messages]
        await self._keep_pace(tokens)
        async with self._budget.reserve(bound_cost(request, texts, settings)):
            async with asyncio.timeout(settings.timeout):
                response = await self._openai.chat.completions.with_raw_response.create(
                    **build_body(request, messages, mode, settings)
                )
            reply = read_reply(response.content)
            if reply.fault is None or reply.output_tokens:
                book(request, reply, settings, self._usage, receipt)
            if reply.fault is not None:
                raise reply.fault
            self.heard = True
            return reply

    async def _keep_pace(self, tokens: int) -> None:
        await self._sleep(self._pacer.reserve(time.monotonic(), tokens))
        while left := self._pacer.paused(time.monotonic()):
            await self._sleep(left)

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but wake and leave when the run has been stopped."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopped.wait()
        except TimeoutError:
            return
        raise Abandoned


def check_retry(verdict: Verdict, tries: int, settings: OpenAISettings, heard: bool) -> None:
    """Raise if there must be no other try.

    Args:
        verdict: what the last one came to.
        tries: how many there were before it.
        settings: how many there may be, and the longest wait.
        heard: the server has answered something in this run.

    Raises:
        SetAside: not for this question.
        InputError: for none, and the run ends.
    """
    failure = verdict.failure
    if failure is Failure.STOP:
        raise InputError(verdict.reason)
    if failure in {Failure.REJECTED, Failure.SET_ASIDE}:
        raise SetAside(verdict.reason, failure)
    if verdict.wait is not None and verdict.wait > settings.max_wait:
        raise InputError(
            f"{settings.server} asks for a pause of {verdict.wait:.0f} s ({verdict.reason}); "
            "run again then, or raise llm.max_wait"
        )
    unheard = failure is Failure.UNREACHABLE and not heard
    if unheard and tries >= min(FIRST_TRIES, settings.max_retries):
        raise InputError(f"cannot reach {settings.server} ({verdict.reason}); check the network and llm.base_url")
    if tries >= settings.max_retries:
        raise SetAside(f"given up after {tries + 1} tries: {verdict.reason}", failure)


def build_body(request: ChatRequest, messages: list[Message], mode: Mode, settings: OpenAISettings) -> dict[str, Any]:
    """Return the arguments of the call."""
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": messages,
        "temperature": request.temperature,
        settings.token_limit: request.max_tokens,
        "extra_body": settings.extra_body or None,
    }
    if mode == "json_schema":
        schema = {
            "name": request.task,
            "schema": answer_schema(request.schema),
            "strict": True,
        }
        body["response_format"] = {"type": mode, "json_schema": schema}
    elif mode == "json_object":
        body["response_format"] = {"type": mode}
    return body


def check_reply(reply: Reply, request: ChatRequest) -> BaseModel:
    """Return the value of a reply.

    Raises:
        SetAside: the model or a filter refused.
        UnfitAnswer: it is empty, cut off or of another shape.
    """
    if reply.refusal:
        raise SetAside(f"the model refuses: {reply.refusal}")
    if reply.finish_reason == "content_filter":
        raise SetAside("stopped by the content filter")
    try:
        return parse_answer(reply.text, request.schema, reply.finished, request.context)
    except UnfitAnswer as error:
        if not reply.finished:
            raise UnfitAnswer(f"it was cut off after {request.max_tokens} tokens") from error
        if not reply.text.strip():
            raise UnfitAnswer("there is no text in it") from error
        raise


def ask_again(reply: Reply, problem: str) -> list[Message]:
    """Return the messages that follow the question when its answer did not fit."""
    if not reply.text.strip():
        return []
    return [
        {"role": "assistant", "content": reply.text[:QUOTED]},
        {
            "role": "user",
            "content": f"That answer does not fit: {problem}. Answer again, shorter if it was "
            "cut off, with the JSON object asked for and nothing else.",
        },
    ]
