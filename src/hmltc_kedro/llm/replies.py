"""What a server sent back, checked field by field: its body is data from outside like any other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_TOKENS = 10**9
"""No completion has more: a larger number is none that could be counted or priced."""

WORDS_IN = ("message", "error", "detail", "msg")
"""Where servers put the words of an error, in the order in which they are looked for."""


class NoCompletion(ValueError):
    """A body is no chat completion at all; the message quotes it."""


class ServerFault(Exception):
    """The server says inside of a good status that something failed (gateways do, with a limit or a dead model).

    Args:
        words: what it says.
        status: the HTTP status it names, 0 if it names none.
    """

    def __init__(self, words: str, status: int = 0) -> None:
        """Keep the words as the message."""
        super().__init__(words)
        self.status = status


@dataclass(frozen=True)
class Reply:
    """What matters of a chat completion.

    Attributes:
        text: what the model wrote, empty where it wrote nothing that is text.
        refusal: why it refuses, else empty.
        finish_reason: why it stopped, empty if nobody says.
        input_tokens: as the server counts; None where it gives no number.
        output_tokens: likewise.
        fault: an error in place of an answer.
    """

    text: str
    refusal: str
    finish_reason: str
    input_tokens: int | None
    output_tokens: int | None
    fault: ServerFault | None = None

    @property
    def finished(self) -> bool:
        """Whether the model came to an end by itself, as far as the server says."""
        return self.finish_reason not in {"length", "max_tokens"}


def read_reply(content: bytes) -> Reply:
    """Return the first choice of a completion.

    Args:
        content: the body of an answer with a good status.

    Raises:
        NoCompletion: the body is something else.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or not ("choices" in body or body.get("error")):
        raise NoCompletion(f"no chat completion but: {find_words(body) or content[:200].decode(errors='replace')}")
    choice = _as_dict(_first(body.get("choices")))
    message = _as_dict(choice.get("message"))
    text, refusal = _read_content(message.get("content"))
    error = choice.get("error") or body.get("error")
    usage = _as_dict(body.get("usage"))
    return Reply(
        text=_drop_halves(text),
        refusal=_drop_halves(_as_text(message.get("refusal")) or refusal),
        finish_reason=_as_text(choice.get("finish_reason")),
        input_tokens=_as_count(usage.get("prompt_tokens")),
        output_tokens=_as_count(usage.get("completion_tokens")),
        fault=_read_fault(error) if error and not text else None,
    )


def find_words(body: object) -> str:
    """Return what a body says to people: servers wrap it in objects and lists of many shapes."""
    for _ in range(5):
        if isinstance(body, list):
            body = _first(body)
        elif isinstance(body, Mapping):
            body = next((body[key] for key in WORDS_IN if body.get(key)), json.dumps(body)[:200])
        else:
            break
    return _drop_halves(body) if isinstance(body, str) else ""


def _read_fault(error: object) -> ServerFault:
    code = _as_dict(error).get("code")
    status = int(code) if isinstance(code, int | str) and str(code).isdecimal() and len(str(code)) == 3 else 0
    named = f"{code}: " if isinstance(code, str) and not status else ""
    return ServerFault(named + find_words(error), status if 400 <= status <= 599 else 0)


def _read_content(content: object) -> tuple[str, str]:
    """Return text and refusal of a message's content: a text, or parts of which only those two kinds count."""
    if isinstance(content, str):
        return content, ""
    parts = [_as_dict(part) for part in content] if isinstance(content, list) else []
    texts = [_as_text(part.get("text")) for part in parts if part.get("type") in ("text", "output_text")]
    refusals = [_as_text(part.get("refusal")) for part in parts if part.get("type") == "refusal"]
    return "".join(texts), "".join(refusals)


def _first(items: object) -> object:
    return items[0] if isinstance(items, list) and items else None


def _as_dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _as_count(value: object) -> int | None:
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
    return value if sound else None  # type: ignore[return-value]


def _drop_halves(text: str) -> str:
    """Return `text` without half characters, which JSON can spell and UTF-8 cannot."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
