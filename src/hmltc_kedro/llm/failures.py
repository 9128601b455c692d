"""What an error of the server or of the way there means for the question and for the run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from hmltc_kedro.llm.limits import parse_retry_after
from hmltc_kedro.llm.replies import NoCompletion, ServerFault, find_words
from hmltc_kedro.llm.settings import OpenAISettings

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
    UNFIT = "the server answers, but not what was asked for"


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
        words = find_words(error.body) or error.message
        said = f"HTTP {error.status_code}: {words}"
        return judge_status(error.status_code, said, error.code or "", error.response.headers, settings)
    if isinstance(error, ServerFault):
        said = f"in place of an answer: {error}"
        special = OVERFLOW.search(said) or FILTERED.search(said)
        return judge_status(error.status or (400 if special else 500), said, "", {}, settings)
    if isinstance(error, TimeoutError | APITimeoutError):
        return Verdict(Failure.UNREACHABLE, f"no answer within {settings.timeout:g} s")
    cause = error.__cause__ or error
    named = str(cause) if isinstance(cause, NoCompletion) else f"{type(cause).__name__}: {cause}"
    return Verdict(Failure.UNREACHABLE, named if str(cause) else repr(cause))


def judge_status(status: int, said: str, code: str, headers: Mapping[str, str], settings: OpenAISettings) -> Verdict:
    """Return what a bad status means.

    Args:
        status: of the HTTP answer.
        said: it and the server's words.
        code: the server's name for the error.
        headers: of the answer, which may ask for a pause.
        settings: server and model.
    """
    text = f"{code} {said}"
    if 300 <= status < 400:
        place = headers.get("location", "another place").split("?")[0]
        return Verdict(Failure.STOP, f"{settings.server} points to {place} (HTTP {status}); write that in llm.base_url")
    if status in {401, 403} and not FILTERED.search(text):
        # The server's own words may quote a part of the key.
        others = "" if settings.is_openai else ", or base_url_key in credentials.yml; OPENAI_API_KEY is not sent there"
        return Verdict(
            Failure.STOP,
            f"{settings.server} refuses the API key (HTTP {status}); check the credential of `llm` "
            f"({settings.key_variable}{others}) and that it may use the model",
        )
    if status in {404, 405}:
        return Verdict(
            Failure.STOP,
            f"{settings.server} has no chat model {settings.model!r} there ({said}); "
            "check llm.model and llm.base_url (it ends in /v1 for most servers)",
        )
    if "insufficient_quota" in text:
        return Verdict(
            Failure.STOP,
            f"the account at {settings.server} has no credit left; check its plan and billing",
        )
    if status in {408, 409, 429} or status >= 500:
        return Verdict(Failure.BUSY, said, parse_retry_after(headers))
    if OVERFLOW.search(text) or status == 413:
        return Verdict(Failure.SET_ASIDE, f"the prompt is too long for {settings.model}: {said}")
    if FILTERED.search(text):
        return Verdict(Failure.SET_ASIDE, f"stopped by the content filter: {said}")
    return Verdict(Failure.REJECTED, said)
