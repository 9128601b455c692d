"""Chat clients: one question a class, one checked answer each.

A client never raises for a single question that cannot be answered; it returns an answer without a
value and with the reason, and the stage falls back (a template description, no synthetic review)
and counts it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ValidationError

from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.usage import Usage


@dataclass(frozen=True)
class ChatRequest:
    """One question.

    Attributes:
        task: name of the task, also the name of its prompt file.
        class_id: the class it is about.
        prompt: the rendered prompt.
        schema: the model an answer is checked against.
        temperature: sampling temperature.
        max_tokens: bound on the answer's length.
    """

    task: str
    class_id: str
    prompt: str
    schema: type[BaseModel]
    temperature: float = 0.7
    max_tokens: int = 200


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


class RecordedClient:
    """Answers from a file of earlier answers, by (task, class id), whatever the prompt says.

    The file has one JSON object a line: `{"task": ..., "class_id": ..., "answer": {...}}`. A
    dataset without such a file, or a class that is not in it, is answered without a value.

    Args:
        path: the file; it may be missing.
    """

    name = "recorded"

    def __init__(self, path: str | Path) -> None:
        """Read the recordings.

        Raises:
            InputError: a line that is not such an object, with its number.
        """
        self.path = Path(path)
        self.usage = Usage(cost=0.0)
        self._answers: dict[tuple[str, str], object] = {}
        if not self.path.is_file():
            return
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    if line.strip():
                        row = json.loads(line)
                        self._answers[row["task"], str(row["class_id"])] = row["answer"]
                except (ValueError, KeyError, TypeError, RecursionError) as error:  # bad JSON, bad UTF-8: ValueErrors
                    raise InputError(
                        f"{self.path}:{number}: not a recorded answer ({error}); "
                        'write {"task": ..., "class_id": ..., "answer": {...}}'
                    ) from error

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatAnswer]:
        """Return the recorded answers."""
        answers = [self._answer(request) for request in requests]
        failed = sum(answer.value is None for answer in answers)
        self.usage.failed += failed
        self.usage.cached += len(answers) - failed
        return answers

    def _answer(self, request: ChatRequest) -> ChatAnswer:
        raw = self._answers.get((request.task, request.class_id))
        if raw is None:
            return ChatAnswer(request, None, self.name, f"not recorded in {self.path}")
        try:
            return ChatAnswer(request, request.schema.model_validate(raw), self.name)
        except ValidationError as error:
            return ChatAnswer(request, None, self.name, f"recorded answer is invalid: {error}")
