"""How things are shown to people: progress, long texts, nested settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_hidden = False


def show_progress() -> bool:
    """Tell whether progress bars belong on the terminal: only where a person is watching."""
    return sys.stderr.isatty() and not _hidden


@contextmanager
def hidden_progress() -> Iterator[None]:
    """Show no bars inside: those of parts, where the whole has one of its own or another process shows it."""
    global _hidden
    before, _hidden = _hidden, True
    try:
        yield
    finally:
        _hidden = before


def shorten(text: str, length: int, mark: str = "") -> str:
    """Return at most `length` characters of `text`, cut at a word, and with `mark` at the end where it was cut."""
    if len(text) <= length:
        return text
    return text[: length - len(mark)].rsplit(" ", 1)[0] + mark


def flatten(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested settings by dotted name: `head.epochs`, 3; an empty mapping is a value."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def show_path(path: object) -> str:
    """Return a path relative to where the user stands, if it lies below."""
    full, here = Path(str(path)), Path.cwd()
    return str(full.relative_to(here)) if full.is_relative_to(here) else str(full)
