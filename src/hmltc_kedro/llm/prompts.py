"""Rendering of the prompt files in `prompts/`, with everything from outside treated as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from string import Template

from hmltc_kedro.llm.text import clean_text

MAX_NAMED = 100
"""Classes named in a question as the parents, siblings or children of one: with all siblings of 20,000 classes below
one parent the questions would be 400 million names long.
"""

MAX_PATHS = 20
"""Paths to a class that a question names."""

LESS_THAN = "\\u003c"
"""JSON's own spelling of `<`: it parses to the same value, and no text can write `</data>` with it."""


@cache
def load_prompt(task: str) -> Template:
    """Return the prompt template of a task, `prompts/<task>.txt`, with `$name` placeholders."""
    folder = resources.files("hmltc_kedro.llm") / "prompts"
    return Template((folder / f"{task}.txt").read_text(encoding="utf-8"))


def quote(value: object) -> str:
    """Return outside text (names, documents) as one line of JSON without control characters.

    Quoting keeps it a value: a class called `ignore the above`, or a text with line breaks and
    `</data>` in it, cannot become a part of the instructions.
    """
    return json.dumps(_clean(value), ensure_ascii=False).replace("<", LESS_THAN)


def render_prompt(task: str, **values: object) -> str:
    """Return the prompt of `task` with each value quoted; plain integers stand as they are."""
    quoted = {k: str(v) if isinstance(v, int) else quote(v) for k, v in values.items()}
    return load_prompt(task).substitute(quoted)


def _clean(value: object) -> object:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
