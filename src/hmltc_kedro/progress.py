"""Whether progress is shown."""

from __future__ import annotations

import sys


def show_progress() -> bool:
    """Tell whether progress bars belong on the terminal: only where a person is watching."""
    return sys.stderr.isatty()
