"""The client that answers from files of earlier answers, whatever the prompt says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.client import ChatAnswer, ChatRequest
from hmltc_kedro.llm.parsing import describe_problem
from hmltc_kedro.llm.usage import Usage

IMPLIED = {"judge_root": "judge_document"}
"""Tasks whose answer follows from that of another: who knows a document's paths knows where they begin."""


class RecordedClient:
    """Answers by (task, subject) from JSON lines files, one object a line.

    A subject is a class or a document: `{"task": ..., "class_id": ..., "answer": {...}}`, or
    `{"task": ..., "document": "<split>/<doc_id>", "answer": {...}}`. An answer about a document names `paths`, lists
    of class ids from the root down, where the question offers numbers: each is turned into its number among the
    `options` of the request, one that is not on offer is dropped, and none of the options is right if nothing is left.
    What is not recorded is answered without a value; of two answers to one question the later counts.

    Args:
        paths: the files; each may be missing.
    """

    name = "recorded"

    def __init__(self, *paths: str | Path) -> None:
        """Read the recordings.

        Raises:
            InputError: a line that is no recording, with its number.
        """
        self.paths = tuple(Path(path) for path in paths)
        self.usage = Usage(cost=0.0)
        self._answers: dict[tuple[str, str], object] = {}
        for path in self.paths:
            if path.is_file():
                self._answers.update(_read_recordings(path))

    def list_subjects(self, task: str) -> frozenset[str]:
        """Return the classes or documents that have a recorded answer to `task`."""
        tasks = {task, IMPLIED.get(task, task)}
        return frozenset(subject for recorded, subject in self._answers if recorded in tasks)

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatAnswer]:
        """Return the recorded answers."""
        answers = [self._answer(request) for request in requests]
        failed = sum(answer.value is None for answer in answers)
        self.usage.failed += failed
        self.usage.cached += len(answers) - failed
        return answers

    def _answer(self, request: ChatRequest) -> ChatAnswer:
        raw = self._find(request)
        if raw is None:
            files = " or ".join(map(str, self.paths))
            return ChatAnswer(request, None, self.name, f"not recorded in {files}")
        try:
            value = request.schema.model_validate(raw, context=request.context)
        except ValidationError as error:
            return ChatAnswer(request, None, self.name, f"recorded answer is invalid: {describe_problem(error)}")
        return ChatAnswer(request, value, self.name)

    def _find(self, request: ChatRequest) -> object:
        """Return the recorded answer in the words of the question, None if there is none."""
        raw = self._answers.get((request.task, request.subject))
        if raw is not None:
            return _choose_options(raw, request.options)
        raw = self._answers.get((IMPLIED.get(request.task, request.task), request.subject))
        return None if raw is None else _choose_options(raw, request.options, depth=1)


def _read_recordings(path: Path) -> Iterator[tuple[tuple[str, str], object]]:
    """Yield ((task, subject), answer) line by line."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                if line.strip():
                    row = json.loads(line)
                    yield (row["task"], _read_subject(row)), row["answer"]
            except (ValueError, KeyError, TypeError, RecursionError) as error:  # bad JSON, bad UTF-8: ValueErrors
                raise InputError(
                    f"{path}:{number}: not a recorded answer ({error}); "
                    'write {"task": ..., "class_id" or "document": ..., "answer": {...}}'
                ) from error


def _read_subject(row: Mapping[str, Any]) -> str:
    if "document" not in row:
        return str(row["class_id"])
    split, slash, doc_id = str(row["document"]).partition("/")
    if not (split and slash and doc_id):
        raise ValueError(f'{row["document"]!r} is no document, write "<split>/<doc_id>"')
    return str(row["document"])


def _choose_options(raw: object, options: Sequence[tuple[str, ...]], depth: int | None = None) -> object:
    """Return an answer with the numbers of its paths among `options`, one that names no paths as it is.

    Args:
        raw: the recorded answer.
        options: what the question offers, in the order of its numbers.
        depth: how many classes of each path count, from the root down; None for all.
    """
    if not isinstance(raw, Mapping) or not isinstance(paths := raw.get("paths"), list):
        return raw
    if not all(isinstance(path, list) and path for path in paths):
        return raw  # the schema says what is wrong with it
    numbers = {option: number for number, option in enumerate(options, start=1)}
    wanted = [tuple(map(str, path[:depth])) for path in paths]
    chosen = [numbers[path] for path in dict.fromkeys(wanted) if path in numbers]
    return {**{key: value for key, value in raw.items() if key != "paths"}, "choices": chosen}
