"""What an error of the server or of the way there means for the question and for the run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from hmltc_kedro.llm.limits import parse_retry_after
from hmltc_kedro.llm.settings import OpenAISettings

if TYPE_CHECKING:
    from openai import APIStatusError

OVERFLOW = re.compile(
    r"context_length|context[ _](length|size|window)|exceed_context|"
    r"too many tokens|prompt is too long",
    re.I,
)
FILTERED = re.compile(r"content[ _]?(filter|management|policy)|moderation", re.I)


class Failure(Enum):
    """What to do about it."""

    STOP = "end the run: the next request would fail as well"
    UNREACHABLE = "try again: nothing came back that is a chat completion"
    BUSY = "try again: the server is overloaded, limited or broken"
    REJECTED = "the server does not take this request, or this way of asking"
    SET_ASIDE = "the server will not answer this question"


@dataclass(frozen=True)
class Verdict:
    """What an error means.

    Attributes:
        failure: what to do.
        reason: for people; it may quote the server.
        wait: seconds the server asks to wait, if it does.
    """

    failure: Failure
    reason: str
    wait: float | None = None


def judge_error(error: Exception, settings: OpenAISettings) -> Verdict:
    """Return what an exception of the `openai` package, a time-out or an unreadable body means."""
    from openai import APIStatusError, APITimeoutError

    if isinstance(error, APIStatusError):
        return _judge_status(error, settings)
    if isinstance(error, TimeoutError | APITimeoutError):
        return Verdict(Failure.UNREACHABLE, f"no answer within {settings.timeout:g} s")
    cause = error.__cause__ or error
    return Verdict(Failure.UNREACHABLE, f"{type(cause).__name__}: {cause}" if str(cause) else repr(cause))


def _judge_status(error: APIStatusError, settings: OpenAISettings) -> Verdict:
    status, text = error.status_code, f"{error.code or ''} {error.message}"
    wait = parse_retry_after(error.response.headers)
    if status in {401, 403} and not FILTERED.search(text):
        # The server's own words may quote the key.
        return Verdict(
            Failure.STOP,
            f"{settings.server} refuses the API key (HTTP {status}); check the credential of `llm` "
            "(OPENAI_API_KEY) and that it may use the model",
        )
    if status in {404, 405}:
        return Verdict(
            Failure.STOP,
            f"{settings.server} has no chat model {settings.model!r} there (HTTP {status}); "
            "check llm.model and llm.base_url (it ends in /v1 for most servers)",
        )
    if status == 429 and "insufficient_quota" in text:
        return Verdict(
            Failure.STOP,
            f"the account at {settings.server} has no credit left; check its plan and billing",
        )
    if status in {408, 409, 429} or status >= 500:
        return Verdict(Failure.BUSY, f"HTTP {status}: {error.message}", wait)
    if OVERFLOW.search(text) or status == 413:
        return Verdict(Failure.SET_ASIDE, f"the prompt is too long for {settings.model}: {error.message}")
    if FILTERED.search(text):
        return Verdict(Failure.SET_ASIDE, f"stopped by the content filter: {error.message}")
    return Verdict(Failure.REJECTED, f"HTTP {status}: {error.message}")
