"""The settings of a chat client. The API key is none of them: it is a credential."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

Mode = Literal["json_schema", "json_object", "text"]
"""How an answer's shape is asked for, strongest first: schema, any JSON, the prompt's words."""


class Price(BaseModel):
    """What a model costs, in US dollars for a million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0)
    output: float = Field(ge=0)


LIST_PRICES: dict[str, Price] = {
    "gpt-4o-mini": Price(input=0.15, output=0.60),
    "gpt-4o": Price(input=2.50, output=10.00),
    "gpt-4.1": Price(input=2.00, output=8.00),
    "gpt-4.1-mini": Price(input=0.40, output=1.60),
    "gpt-4.1-nano": Price(input=0.10, output=0.40),
}
"""OpenAI's list prices when this was written; `prices` in the settings overrides and adds."""


OPENAI = "https://api.openai.com/v1"
"""Where OpenAI itself answers."""


class OpenAISettings(BaseModel):
    """Settings of `OpenAIClient` and `ReplayClient`.

    Attributes:
        model: name of the model at the server.
        base_url: address of a compatible server (`http://localhost:11434/v1`); None for OpenAI.
        structured: how the answer's shape is asked for; `auto` tries schema, JSON mode and plain
            text in turn.
        concurrency: requests under way at once.
        requests_per_minute: pace; None for no limit but the server's.
        tokens_per_minute: pace in tokens, asked and answered; None for no limit but the server's.
        timeout: seconds for one request, from the first byte sent to the last received.
        max_retries: further tries of a request after a rate limit, a server error or a broken
            connection.
        repairs: how often a question is asked again because its answer did not fit.
        backoff: seconds before the first retry; they double with each further one.
        max_wait: longest wait between two tries in seconds; a server that asks for more ends the
            run.
        max_cost: US dollars one run may spend; None for no limit.
        prices: by model name, added to the built-in table; 0 for a server of your own.
        token_limit: name of the field that bounds an answer; newer OpenAI models want
            `max_completion_tokens`.
        extra_body: further fields of each request, as the server names them.
        batch: questions go in files to the server's Batch endpoint, which answers within a day at a lower price.
        batch_poll: seconds between two looks at a batch under way.
        batch_discount: share of the list price that an answer out of a batch costs.
    """

    # A wrong setting may be a key in the wrong place: errors do not show it.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    model: str = Field(default="gpt-4o-mini", min_length=1)
    base_url: str | None = None
    structured: Literal["auto"] | Mode = "auto"
    concurrency: int = Field(default=16, ge=1, le=512)
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    timeout: float = Field(default=60.0, gt=0)
    max_retries: int = Field(default=6, ge=0, le=20)
    repairs: int = Field(default=2, ge=0, le=5)
    backoff: float = Field(default=0.5, gt=0)
    max_wait: float = Field(default=120.0, gt=0)
    max_cost: float | None = Field(default=None, ge=0)
    prices: dict[str, Price] = Field(default_factory=dict)
    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    extra_body: dict[str, Any] = Field(default_factory=dict)
    batch: bool = False
    batch_poll: float = Field(default=30.0, gt=0, le=3600)
    batch_discount: float = Field(default=0.5, ge=0, le=1)

    @field_validator("base_url")
    @classmethod
    def _check_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            parts = urlsplit(url)
            sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:  # its message quotes the address
            sound = False
        if not sound or not url.isprintable() or " " in url:
            raise ValueError("base_url is no http(s) address; write https://<server>/v1")
        if "@" in parts.netloc or parts.query or parts.fragment:
            # The address stands in logs and errors; a secret in it would stand there too.
            raise ValueError("base_url carries a login or a query; give the key as a credential")
        return url

    @property
    def price(self) -> Price | None:
        """What `model` is paid the way it is asked, None where no table has a price."""
        listed = self.prices.get(self.model) or LIST_PRICES.get(self.model)
        if listed is None or not self.batch:
            return listed
        return Price(input=self.batch_discount * listed.input, output=self.batch_discount * listed.output)

    @property
    def address(self) -> str:
        """Where the questions go."""
        return self.base_url or OPENAI

    @property
    def is_openai(self) -> bool:
        """Whether they go to OpenAI itself, in whatever region."""
        parts = urlsplit(self.address)
        return parts.scheme == "https" and f".{parts.hostname}".endswith(".api.openai.com")

    @property
    def key_variable(self) -> str:
        """The environment variable that holds the key of this server, and of no other."""
        return "OPENAI_API_KEY" if self.is_openai else "LLM_API_KEY"

    @property
    def server(self) -> str:
        """Address for messages."""
        return self.base_url or "OpenAI"
