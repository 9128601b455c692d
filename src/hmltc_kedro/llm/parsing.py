"""From the text of an answer to a checked value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from hmltc_kedro.llm.text import clean_text

T = TypeVar("T", bound=BaseModel)


class UnfitAnswer(ValueError):
    """An answer is not what was asked for; the message tells the model what to mend."""


def parse_answer(text: str, schema: type[T]) -> T:
    """Return the value in `text`, which may wrap it in prose, a code fence or a chain of thought.

    Args:
        text: what the model wrote.
        schema: what it should have written, as JSON. The last object that fits counts.

    Raises:
        UnfitAnswer: nothing in it fits.
    """
    try:
        return schema.model_validate_json(text)
    except ValidationError as error:
        problem = describe_problem(error)
    for found in reversed(list(_find_objects(text))):
        try:
            return schema.model_validate(found)
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


def _find_objects(text: str) -> Iterator[dict[str, object]]:
    """Yield the JSON objects in `text` that are not inside of one another."""
    decoder = json.JSONDecoder()
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
            yield value
        except (ValueError, RecursionError):
            end = position + 1
        position = text.find("{", end)
