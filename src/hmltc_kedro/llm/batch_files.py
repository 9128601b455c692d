"""The files of a batch: questions as JSON lines on the way there, answers and errors on the way back."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hmltc_kedro.llm.caller import Message, build_body
from hmltc_kedro.llm.client import ChatRequest
from hmltc_kedro.llm.failures import Failure, Verdict, judge_error, judge_status
from hmltc_kedro.llm.money import bound_cost
from hmltc_kedro.llm.replies import Reply, find_words, read_reply
from hmltc_kedro.llm.settings import Mode, OpenAISettings

ENDPOINT: Final = "/v1/chat/completions"

MAX_REQUESTS = 50_000
"""Questions a file may have at OpenAI."""

MAX_BYTES = 200_000_000
"""Its size at most."""


@dataclass(frozen=True)
class Question:
    """One question on its way into a batch.

    Attributes:
        key: see `request_key`; the `custom_id` of its line.
        request: what is asked.
        messages: how, with the answer that did not fit where there was one.
        mode: how its shape is asked for.
        last: it is not asked anew after this.
    """

    key: str
    request: ChatRequest
    messages: list[Message]
    mode: Mode
    last: bool = False

    def write(self, settings: OpenAISettings) -> bytes:
        """Return its line."""
        body = build_body(self.request, self.messages, self.mode, settings)
        extra = body.pop("extra_body") or {}
        line = {"custom_id": self.key, "method": "POST", "url": ENDPOINT, "body": {**body, **extra}}
        return json.dumps(line).encode("ascii") + b"\n"

    def bound(self, settings: OpenAISettings) -> float:
        """Return what it can cost at most."""
        return bound_cost(self.request, [message["content"] for message in self.messages], settings)


@dataclass
class Part:
    """What goes into one file.

    Attributes:
        questions: all of one round.
        lines: the file.
        bound: US dollars it can cost at most.
        short: more would fit, but not into the money.
    """

    questions: list[Question] = field(default_factory=list)
    lines: bytearray = field(default_factory=bytearray)
    bound: float = 0.0
    short: bool = False


def fill_part(questions: Sequence[Question], settings: OpenAISettings, money: float | None) -> Part:
    """Return as many of the first questions as a file takes and `money` covers; None is enough for all."""
    part = Part()
    for question in questions:
        line, bound = question.write(settings), question.bound(settings)
        full = len(part.questions) >= MAX_REQUESTS or len(part.lines) + len(line) > MAX_BYTES
        if part.questions and (full or question.last is not part.questions[0].last):
            break
        if money is not None and part.bound + bound > money:
            part.short = True
            break
        part.questions.append(question)
        part.lines += line
        part.bound += bound
    return part


@dataclass(frozen=True)
class Line:
    """What came back for one question: a completion, or what its error means."""

    key: str
    reply: Reply | None
    verdict: Verdict | None = None


def read_lines(content: bytes, keys: Collection[str], settings: OpenAISettings) -> Iterator[Line | str]:
    """Go through a file of answers or errors.

    Args:
        content: the file; like every body it is data from outside.
        keys: the questions that are waited for.
        settings: server and model, for messages.

    Yields:
        What came back for one of `keys`, or, for a line that is none of that, why not.
    """
    for number, raw in enumerate(content.splitlines(), start=1):
        if not raw.strip():
            continue
        try:
            line = json.loads(raw)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            yield f"line {number} is no JSON object"
            continue
        key = line.get("custom_id")
        if not isinstance(key, str) or key not in keys:
            yield f"line {number} answers no question that was asked"
            continue
        yield _read_line(key, line, settings)


def _read_line(key: str, line: dict[str, Any], settings: OpenAISettings) -> Line:
    response = line.get("response")
    response = response if isinstance(response, dict) else {}
    status, body = response.get("status_code"), response.get("body")
    if line.get("error") or not isinstance(status, int) or not 200 <= status < 300:
        error = line.get("error") or body
        said = find_words(error) or "there is no answer in its line"
        inner = error.get("error", error) if isinstance(error, dict) else None
        code = str(inner.get("code") or "") if isinstance(inner, dict) else ""
        if isinstance(status, int) and status >= 300:
            return Line(key, None, judge_status(status, f"HTTP {status}: {said}", code, {}, settings))
        return Line(key, None, judge_words(said, code, settings))
    try:
        reply = read_reply(json.dumps(body).encode("ascii"))
    except ValueError as error:
        return Line(key, None, judge_error(error, settings))
    if reply.fault is not None:
        return Line(key, reply, judge_error(reply.fault, settings))
    return Line(key, reply)


NO_STATUS = {"model_not_found": 404, "invalid_api_key": 401}
"""What codes of errors without a status stand for; any other is worth another try."""


def judge_words(said: str, code: str, settings: OpenAISettings) -> Verdict:
    """Return what an error means that has a code and no status."""
    special = judge_status(400, said, code, {}, settings)
    if special.failure is not Failure.REJECTED:  # the filter, an overflow, no credit: their words are enough
        return special
    return judge_status(NO_STATUS.get(code, 500), said, code, {}, settings)
