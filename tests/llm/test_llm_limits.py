from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.limits import Pacer, back_off, parse_retry_after
from hmltc_kedro.llm.money import Budget
from hmltc_kedro.llm.usage import Usage


@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 5000)), min_size=2, max_size=200),
    st.integers(1, 600),
    st.integers(1000, 100_000),
)
def test_no_minute_exceeds_a_limit(asked, requests: int, tokens: int) -> None:
    """However they arrive, the requests of any minute fit into it, but for the last."""
    pacer, now, starts = Pacer(requests, tokens), 0.0, []
    for gap, size in asked:
        now += gap
        starts.append((now + pacer.reserve(now, size), size))
    for i, (start, _) in enumerate(starts):
        minute = [size for at, size in starts[i:] if at < start + 60 - 1e-6]
        assert len(minute) - 1 <= requests
        assert sum(minute[:-1]) <= tokens * (1 + 1e-6)


def test_pacer_without_limits_never_waits() -> None:
    pacer = Pacer(None, None)
    assert [pacer.reserve(1.0, 10**6) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_pause_is_the_longest_asked_for() -> None:
    pacer = Pacer(None, None)
    pacer.pause(10.0, 5.0)
    pacer.pause(11.0, 1.0)
    assert pacer.paused(12.0) == 3.0 and pacer.paused(20.0) == 0.0


@given(st.integers(0, 1000))
def test_back_off_doubles_within_bounds(tries: int) -> None:
    assert min(60, 0.5 * 2.0 ** min(tries, 30)) / 2 <= back_off(tries, 0.5, 60.0) <= 60


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 70.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:10 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-1"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers, now=30.0) == seconds


def test_budget_waits_for_what_is_under_way_and_then_refuses() -> None:
    usage = Usage(cost=0.0)
    budget = Budget(usage, 1.0)
    order = []

    async def spend(name: str, worst: float, real: float) -> None:
        async with budget.reserve(worst):
            order.append(name)
            await asyncio.sleep(0.01)
            usage.cost = (usage.cost or 0.0) + real

    async def run() -> None:
        await asyncio.gather(spend("a", 0.8, 0.1), spend("b", 0.8, 0.2))
        with pytest.raises(InputError, match="max_cost"):
            await spend("c", 0.8, 0.1)

    asyncio.run(run())
    assert order == ["a", "b"] and usage.cost == pytest.approx(0.3)
