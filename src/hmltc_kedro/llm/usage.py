"""What a client has used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Usage:
    """What a client has used since it was made.

    Attributes:
        calls: completions received, those included that were asked again because they did not fit.
        cached: questions answered from the cache.
        failed: questions set aside without an answer.
        retries: tries that brought no completion and were repeated.
        input_tokens: as reported by the server.
        output_tokens: as reported by the server.
        seconds: time spent in `ask`.
        cost: US dollars; None where the model's price is not known.
        batches: batches whose answers were collected.
        batch_bound: US dollars the batches waited for can cost at most, with a token a byte and the longest answers.
    """

    calls: int = 0
    cached: int = 0
    failed: int = 0
    retries: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = None
    batches: int = 0
    batch_bound: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """Return what two clients have used."""
        unknown = self.cost is None or other.cost is None
        return Usage(
            calls=self.calls + other.calls,
            cached=self.cached + other.cached,
            failed=self.failed + other.failed,
            retries=self.retries + other.retries,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            seconds=round(self.seconds + other.seconds, 3),
            cost=None if unknown else (self.cost or 0.0) + (other.cost or 0.0),
            batches=self.batches + other.batches,
            batch_bound=self.batch_bound + other.batch_bound,
        )

    def __sub__(self, earlier: Usage) -> Usage:
        """Return what was used since `earlier`."""
        unknown = self.cost is None or earlier.cost is None
        return Usage(
            calls=self.calls - earlier.calls,
            cached=self.cached - earlier.cached,
            failed=self.failed - earlier.failed,
            retries=self.retries - earlier.retries,
            input_tokens=self.input_tokens - earlier.input_tokens,
            output_tokens=self.output_tokens - earlier.output_tokens,
            seconds=round(self.seconds - earlier.seconds, 3),
            cost=None if unknown else (self.cost or 0.0) - (earlier.cost or 0.0),
            batches=self.batches - earlier.batches,
            batch_bound=self.batch_bound - earlier.batch_bound,
        )

    def __str__(self) -> str:
        """Say it in one line."""
        bound = "" if self.cost is None else f" of at most {format_cost(self.batch_bound)}"
        noun = "batch" if self.batches == 1 else "batches"
        batched = f" in {self.batches:,} {noun}{bound}" if self.batches else ""
        return (
            f"{self.calls:,} calls{batched}, {self.cached:,} cached, {self.failed:,} set aside; "
            f"{self.input_tokens:,} input and {self.output_tokens:,} output tokens; "
            f"{format_cost(self.cost)}; {self.seconds:,.0f} s"
        )


def format_cost(cost: float | None) -> str:
    """Return a sum for people; small ones with the digits that matter."""
    if cost is None:
        return "price unknown"
    return f"${cost:.2f}" if cost >= 1 or cost == 0 else f"${cost:.4f}"
