"""What a run will cost, what it may cost, and what it did cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Container, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.cache import request_key
from hmltc_kedro.llm.client import ChatRequest
from hmltc_kedro.llm.replies import Reply
from hmltc_kedro.llm.settings import OpenAISettings, Price
from hmltc_kedro.llm.tokens import OVERHEAD, answer_schema, bound_tokens, count_input, count_tokens, load_tokenizer
from hmltc_kedro.llm.usage import Usage, format_cost


def price_tokens(price: Price, input_tokens: int, output_tokens: int) -> float:
    """Return US dollars."""
    return (price.input * input_tokens + price.output * output_tokens) / 1_000_000


def bound_cost(request: ChatRequest, texts: Iterable[str], settings: OpenAISettings) -> float:
    """Return what a request can cost at most.

    Args:
        request: the question.
        texts: of all messages that are sent.
        settings: its price; without one it costs nothing.
    """
    if settings.price is None:
        return 0.0
    asked = sum(bound_tokens(text) + OVERHEAD for text in texts)
    asked += bound_tokens(str(answer_schema(request.schema)))
    return price_tokens(settings.price, asked, request.max_tokens)


@dataclass
class Receipt:
    """Tokens one question has used."""

    input_tokens: int = 0
    output_tokens: int = 0


def book(request: ChatRequest, reply: Reply, settings: OpenAISettings, usage: Usage, receipt: Receipt) -> None:
    """Add a completion to usage and receipt; what the server does not count is estimated."""
    model, asked, answered = settings.model, reply.input_tokens, reply.output_tokens
    asked = count_input(request, model) if asked is None else asked
    answered = count_tokens(reply.text, model) if answered is None else answered
    receipt.input_tokens += asked
    receipt.output_tokens += answered
    usage.calls += 1
    usage.input_tokens += asked
    usage.output_tokens += answered
    if settings.price is not None:
        usage.cost = (usage.cost or 0.0) + price_tokens(settings.price, asked, answered)


@dataclass(frozen=True)
class Plan:
    """What a run would ask.

    Attributes:
        model: name of the model.
        calls: questions to be asked.
        cached: questions the cache can answer, or that stand in the list twice.
        input_tokens: tokens of the questions to be asked.
        output_tokens: tokens of their answers at most.
        cost: US dollars at most, if every answer fits at once; None where the price is not known.
        exact: the input tokens are counted; otherwise a quarter of the characters.
        discount: share of the list price that is paid because the questions go in batches; None where they do not.
    """

    model: str
    calls: int
    cached: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    exact: bool
    discount: float | None = None

    def __str__(self) -> str:
        """Say it in one line."""
        counted = "counted" if self.exact else "estimated: characters / 4"
        batched = "" if self.discount is None else f"in batches at {self.discount:g} of the list price, "
        return (
            f"{self.model}: {self.calls:,} calls, {self.cached:,} cached; "
            f"{self.input_tokens:,} input tokens "
            f"({counted}) and at most {self.output_tokens:,} output tokens; "
            f"{batched}at most {format_cost(self.cost)}"
        )


def estimate(requests: Iterable[ChatRequest], settings: OpenAISettings, cached: Container[str] = ()) -> Plan:
    """Return what asking `requests` would take.

    Args:
        requests: the questions.
        settings: model and prices.
        cached: keys of the questions that have an answer already.
    """
    keys = [(request_key(request, settings), request) for request in requests]
    todo = {key: request for key, request in keys if key not in cached}
    input_tokens = sum(count_input(request, settings.model) for request in todo.values())
    output_tokens = sum(request.max_tokens for request in todo.values())
    price = settings.price
    return Plan(
        model=settings.model,
        calls=len(todo),
        cached=len(keys) - len(todo),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost=price_tokens(price, input_tokens, output_tokens) if price else None,
        exact=load_tokenizer(settings.model) is not None,
        discount=settings.batch_discount if settings.batch else None,
    )


class Budget:
    """Keeps a run under `max_cost`: a request reserves what it may cost before it is sent.

    Args:
        usage: where spent money is booked.
        limit: US dollars; None for no limit.
    """

    def __init__(self, usage: Usage, limit: float | None) -> None:
        """Start with nothing reserved."""
        self._usage = usage
        self._limit = limit
        self._reserved: list[float] = []
        self._settled = asyncio.Condition()

    @asynccontextmanager
    async def reserve(self, worst: float) -> AsyncIterator[None]:
        """Hold `worst` dollars for the block, waiting for others if they leave too little.

        Raises:
            InputError: nothing is under way any more and there is still too little.
        """
        async with self._settled:
            while not self._affords(worst):
                if not self._reserved:
                    raise InputError(
                        f"llm.max_cost: {format_cost(self._usage.cost)} of "
                        f"{format_cost(self._limit)} are spent "
                        "and the next request could exceed it; raise max_cost"
                    )
                await self._settled.wait()
            self._reserved.append(worst)
        try:
            yield
        finally:
            self._reserved.remove(worst)
            async with self._settled:
                self._settled.notify_all()

    def _affords(self, worst: float) -> bool:
        spent = (self._usage.cost or 0.0) + sum(self._reserved)
        return self._limit is None or spent + worst <= self._limit
