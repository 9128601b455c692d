"""Cells of CSV files that people open in spreadsheets, which run what looks like a formula."""

from __future__ import annotations

import re

DANGEROUS = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001 full-width signs are run as well
"""How a cell begins that spreadsheets would run, or that was guarded against it."""

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
"""What begins like a formula and does nothing."""


def guard_cell(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{text}" if DANGEROUS.match(text) and not NUMBER.fullmatch(text) else text


def restore_cell(text: str) -> str:
    """Undo `guard_cell`."""
    return text[1:] if text.startswith("'") and DANGEROUS.match(text) else text
