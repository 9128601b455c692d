"""Rendering of the prompt files in `prompts/`, with everything from outside treated as data."""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from importlib import resources
from string import Template


@cache
def load_prompt(task: str) -> Template:
    """Return the prompt template of a task, `prompts/<task>.txt`, with `$name` placeholders."""
    folder = resources.files("hmltc_kedro.llm") / "prompts"
    return Template((folder / f"{task}.txt").read_text(encoding="utf-8"))


def quote(value: object) -> str:
    """Return outside text (names, keywords, documents) as one line of JSON without control characters.

    Quoting keeps it a value: a class called `ignore the above` or a text with line breaks and delimiters in it
    cannot become a part of the instructions.
    """
    text = json.dumps(value, ensure_ascii=False)
    return "".join(ch if unicodedata.category(ch) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} else " " for ch in text)


def render_prompt(task: str, **values: object) -> str:
    """Return the prompt of `task` with each value quoted; plain integers stand as they are."""
    quoted = {k: str(v) if isinstance(v, int) else quote(v) for k, v in values.items()}
    return load_prompt(task).substitute(quoted)
