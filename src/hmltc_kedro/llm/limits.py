"""How fast requests may follow one another, and how long to wait before the next try."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime


class Pacer:
    """Spreads requests evenly so that neither limit is exceeded; seconds of a monotonic clock.

    Not `aiolimiter`: its bucket lets a whole minute's requests go at once and as many in the minute that follows, it
    refuses a request of more tokens than a minute has, and a wait in it does not end when the run does.

    Args:
        requests_per_minute: None for no limit.
        tokens_per_minute: None for no limit.
    """

    def __init__(self, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        """Start free."""
        self._per_request = 60 / requests_per_minute if requests_per_minute else 0.0
        self._per_token = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._next = 0.0
        self._paused_until = 0.0

    def reserve(self, now: float, tokens: int) -> float:
        """Take the next free place for a request of `tokens` and return the seconds until then."""
        start = max(now, self._next)
        self._next = start + max(self._per_request, tokens * self._per_token)
        return start - now

    def pause(self, now: float, seconds: float) -> None:
        """Send nothing for `seconds`: the server asked for it."""
        self._paused_until = max(self._paused_until, now + seconds)

    def paused(self, now: float) -> float:
        """Return the seconds that are left of the pause, 0 if there is none."""
        return max(0.0, self._paused_until - now)


def back_off(tries: int, first: float, longest: float) -> float:
    """Return the wait after so many `tries`: doubling, bounded, cut by up to a half at random.

    The randomness keeps requests that failed together from coming back together. (Not `tenacity`: it would replace
    this line, while what decides about another try, and the pause that all requests share, would stay.)
    """
    return min(longest, first * 2.0**tries) * random.uniform(0.5, 1.0)


def parse_retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return the seconds a server asks to wait: `retry-after-ms`, `Retry-After` in both forms.

    Args:
        headers: of the answer; names in lower case or a case-insensitive mapping.
        now: seconds since the epoch; the present by default.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        if seconds >= 0:  # False for nan as well
            return seconds
    try:
        date = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    present = time.time() if now is None else now
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - present)
