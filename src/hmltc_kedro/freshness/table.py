"""States as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from hmltc_kedro.freshness.rows import count
from hmltc_kedro.freshness.tracker import State, count_states

HEAD = ("stage", "entry", "rows or shape", "size", "age", "state")
SIDES = "<<>>>"
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
SHOWN = 3
"""Reasons a line has room for."""


def draw_table(states: Sequence[State]) -> list[str]:
    """Return one line an entry; a node that writes nothing stands there in brackets."""
    rows = [HEAD] + [
        (
            state.stage,
            state.entry or f"({state.node})",
            state.shape,
            format_size(state.size) if state.size is not None else "",
            format_age(state.age) if state.age is not None else "",
            f"{state.state}: {shorten(state.reasons)}" if state.reasons else state.state,
        )
        for state in states
    ]
    widths = [max(len(row[c]) for row in rows) for c in range(len(HEAD) - 1)]
    return [
        "  ".join([*(f"{cell:{side}{width}}" for cell, side, width in zip(row, SIDES, widths, strict=False)), row[-1]])
        for row in rows
    ]


def summarise_states(states: Sequence[State]) -> list[str]:
    """Return how many entries are in which state, and what to do about it."""
    counts = count_states(states)
    words = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    advice = "; `kedro refresh` runs what is not fresh" if counts["stale"] or counts["missing"] else ""
    return [f"{words or 'nothing to make'}{advice}"]


def shorten(reasons: Sequence[str]) -> str:
    """Return the first reasons in one line."""
    more = len(reasons) - SHOWN
    return "; ".join(reasons[:SHOWN]) + (f"; {count(more, 'more change')}" if more > 0 else "")


def format_size(size: int) -> str:
    """Return a number of bytes for people: `640 B`, `1.4 MB`."""
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def format_age(seconds: float) -> str:
    """Return an age for people: `now`, `5 min`, `3 d`."""
    for length, unit in UNITS:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return "now"
