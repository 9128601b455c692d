"""From the text of an answer to a checked value."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hmltc_kedro.llm.text import clean_text

T = TypeVar("T", bound=BaseModel)

THOUGHT = re.compile(r"<(?P<end>/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
"""The marks round a chain of thought."""

BEGUN = re.compile(r'\{\s*"')
"""What begins a JSON object, and no brace of prose."""


class UnfitAnswer(ValueError):
    """An answer is not what was asked for; the message tells the model what to mend."""


def parse_answer(text: str, schema: type[T], finished: bool = True, context: Mapping[str, int] | None = None) -> T:
    """Return the value in `text`, which may wrap it in prose, a code fence or a chain of thought.

    Drafts do not count: what stands in a chain of thought, ended or not, and an object after which another was begun.

    Args:
        text: what the model wrote.
        schema: what it should have written, as JSON. The last object that fits counts, without keys nobody asked for.
        finished: whether the model came to an end. If not, only an object with nothing after it counts, as it stands.
        context: what the schema's checks must know of the question, see `ChatRequest.context`.

    Raises:
        UnfitAnswer: nothing in it fits.
    """
    try:
        return schema.model_validate_json(text, context=context)
    except ValidationError as error:
        problem = describe_problem(error)
    rest = _drop_thoughts(text)
    for found, end in reversed(_find_objects(rest)):
        if finished:
            found = {key: value for key, value in found.items() if key in schema.model_fields}
        elif rest[end:].strip("`\n "):
            break
        try:
            return schema.model_validate(found, context=context)
        except ValidationError as error:
            problem = describe_problem(error)
    raise UnfitAnswer(problem)


def describe_problem(error: ValidationError) -> str:
    """Return what is wrong in one line, without the values themselves."""
    problems = "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'answer'}: {item['msg']}"
        for item in error.errors(include_url=False, include_context=False, include_input=False)[:3]
    )
    return clean_text(problems)


def _drop_thoughts(text: str) -> str:
    """Return `text` without chains of thought; one without a beginning or an end reaches to the text's own."""
    kept: list[str] = []
    start, inside = 0, False
    for mark in THOUGHT.finditer(text):
        if mark["end"]:
            if not inside:
                kept.clear()  # chat templates put the first mark into the prompt
            start, inside = mark.end(), False
        elif not inside:
            kept.append(text[start : mark.start()])
            inside = True
    return " ".join(kept if inside else [*kept, text[start:]])


def _find_objects(text: str) -> list[tuple[dict[str, Any], int]]:
    """Return the JSON objects in `text` that are not inside of one another, and where each ends.

    An object that was begun and not ended voids those before it: the model was about to write a better one.
    """
    decoder, found = json.JSONDecoder(), []
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
            found.append((value, end))
        except (ValueError, RecursionError):
            end = position + 1
            if BEGUN.match(text, position):
                found.clear()
        position = text.find("{", end)
    return found
