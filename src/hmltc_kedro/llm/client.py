"""Chat clients: one question a class or a document, one checked answer each.

A client never raises for a single question that cannot be answered; it returns an answer without a
value and with the reason, and the stage falls back (a template description, no synthetic review)
and counts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

from hmltc_kedro.llm.usage import Usage


@dataclass(frozen=True)
class ChatRequest:
    """One question.

    Attributes:
        task: name of the task, also the name of its prompt file.
        subject: what it is about: a class id, or `<split>/<doc_id>` of a document.
        prompt: the rendered prompt.
        schema: the model an answer is checked against.
        temperature: sampling temperature.
        max_tokens: bound on the answer's length.
        options: what is on offer, paths of class ids in the order of the numbers the prompt gives them, from 1; empty
            where the answer is free.
    """

    task: str
    subject: str
    prompt: str
    schema: type[BaseModel]
    temperature: float = 0.7
    max_tokens: int = 200
    options: tuple[tuple[str, ...], ...] = ()

    @property
    def context(self) -> dict[str, int]:
        """What the schema cannot know of the question: how many `options` there are."""
        return {"options": len(self.options)}


@dataclass(frozen=True)
class ChatAnswer:
    """The answer to one question: a checked value, or the reason why there is none."""

    request: ChatRequest
    value: BaseModel | None
    source: str
    error: str = ""


class ChatClient(Protocol):
    """Whatever answers questions. `name` is the `source` of what is made from its answers."""

    name: str
    usage: Usage

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatAnswer]:
        """Return one answer a request, in the order of the requests."""
        ...

    def list_subjects(self, task: str) -> frozenset[str] | None:
        """Return what it can be asked about: classes or documents; None for anything."""
        ...


class TemplateClient:
    """Answers nothing, so that every stage falls back: the chain without a language model."""

    name = "template"

    def __init__(self) -> None:
        """Start with nothing used."""
        self.usage = Usage(cost=0.0)

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatAnswer]:
        """Return an answer without a value for each request."""
        self.usage.failed += len(requests)
        return [ChatAnswer(request, None, self.name, "no language model is configured") for request in requests]

    def list_subjects(self, task: str) -> frozenset[str]:
        """Return nothing: it answers no question."""
        return frozenset()
