"""The client that asks: OpenAI, or any server that speaks its chat completions."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from pydantic import SecretStr, ValidationError

from hmltc_kedro.display import shorten
from hmltc_kedro.errors import InputError, import_extra
from hmltc_kedro.llm.batch_server import BatchServer
from hmltc_kedro.llm.batches import BatchSession
from hmltc_kedro.llm.cache import AnswerCache, StoredAnswer, request_key
from hmltc_kedro.llm.caller import Caller, Structured
from hmltc_kedro.llm.client import ChatAnswer, ChatRequest
from hmltc_kedro.llm.connection import connect
from hmltc_kedro.llm.money import estimate
from hmltc_kedro.llm.session import Session
from hmltc_kedro.llm.settings import OpenAISettings
from hmltc_kedro.llm.text import clean_text
from hmltc_kedro.llm.usage import Usage

logger = logging.getLogger(__name__)

LONGEST_REASON = 300
"""Characters of an error that are kept."""


class OpenAIClient:
    """Asks each question once, side by side, and keeps every answer in a cache on disk.

    Args:
        settings: model, server, limits, prices.
        cache: file of the answer cache.
        api_key: key of the server in the settings; None for the environment variable of that server, OPENAI_API_KEY
            for OpenAI itself and LLM_API_KEY for any other. It appears in no log, cache, error or representation.
    """

    def __init__(
        self,
        settings: OpenAISettings,
        cache: str | Path,
        api_key: str | SecretStr | None = None,
    ) -> None:
        """Keep the settings; nothing is opened before the first question.

        Raises:
            InputError: `max_cost` without a price, or a key that is none.
        """
        if settings.max_cost is not None and settings.price is None:
            raise InputError(
                f"llm.max_cost needs a price for {settings.model!r}; add llm.prices: "
                f"{{{settings.model}: {{input: <USD a million tokens>, output: <USD>}}}}, "
                "0 for your own server"
            )
        self.settings = settings
        self.name = settings.model
        self.usage = Usage(cost=0.0 if settings.price else None)
        self._cache_path = Path(cache)
        self._key = _check_key(api_key)
        self._structured = Structured.start(settings)

    def __repr__(self) -> str:
        """Show everything but the key."""
        place = f"server={self.settings.server!r}, cache={str(self._cache_path)!r}"
        return f"OpenAIClient({self.name!r}, {place})"

    def list_subjects(self, task: str) -> None:
        """Return None: it can be asked about anything."""

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatAnswer]:
        """Return one answer a request, in their order; each new one is on disk by then.

        An interruption (Ctrl-C) ends the requests under way and keeps every answer that has
        arrived.

        Raises:
            InputError: no request would succeed (key, network, address, quota), or `max_cost` is
                reached.
        """
        keys = [request_key(request, self.settings) for request in requests]
        questions = dict(zip(reversed(keys), reversed(requests), strict=True))
        started = time.monotonic()
        found = self._look_up(list(questions))
        rows = {key: row for key, row in found.items() if read_row(questions[key], row, self.name).value is not None}
        unfit = [row for key, row in found.items() if key not in rows]
        todo = {key: questions[key] for key in dict.fromkeys(keys) if key not in rows}
        if requests:
            logger.info("LLM plan: %s", estimate(requests, self.settings, rows))
        self.usage.cached += len(requests) - len(todo)
        try:
            if todo:
                rows |= self._run(todo, unfit)
        finally:
            self.usage.seconds += time.monotonic() - started
            logger.info("LLM usage: %s", self.usage)
        return [read_row(request, rows[key], self.name) for key, request in zip(keys, requests, strict=True)]

    def _look_up(self, keys: Sequence[str]) -> dict[str, StoredAnswer]:
        """Return the answers the cache has."""
        if not self._cache_path.exists():
            return {}
        try:
            with closing(AnswerCache(self._cache_path)) as cache:
                return cache.find(keys)
        except sqlite3.Error as error:
            raise InputError(f"{self._cache_path}: not a sound answer cache ({error}); move it away") from error

    def _run(self, todo: Mapping[str, ChatRequest], unfit: Sequence[StoredAnswer]) -> dict[str, StoredAnswer]:
        """Run the session in a thread with its own loop: a notebook has one in this thread."""
        self._find_key()
        for package in ("openai", "anyio"):
            import_extra(package, "llm", f"asking {self.settings.model}")
        from anyio.from_thread import start_blocking_portal

        try:
            with start_blocking_portal() as portal:
                return portal.call(self._converse, todo, unfit)
        except InputError as error:
            # The cause would show the request, and with it the key, in a long traceback.
            raise InputError(
                f"{error}. Answers so far are kept in {self._cache_path}; the next run asks for the rest"
            ) from None
        except KeyboardInterrupt:
            logger.info(
                "LLM: interrupted; answers so far are kept in %s, the next run asks for the rest",
                self._cache_path,
            )
            raise

    async def _converse(
        self, todo: Mapping[str, ChatRequest], unfit: Sequence[StoredAnswer]
    ) -> dict[str, StoredAnswer]:
        with closing(AnswerCache(self._cache_path)) as cache:
            cache.reject(unfit)
            async with connect(self.settings, self._key) as openai:
                if self.settings.batch:
                    server = BatchServer(openai, self.settings, self.usage)
                    batches = BatchSession(
                        todo, self.settings, self._structured, server, cache, self.usage, self._redact
                    )
                    return await batches.run()
                caller = Caller(openai, self.settings, self.usage, self._structured)
                session = Session(todo, self.settings, caller, cache, self.usage, self._redact)
                return await session.run()

    def _find_key(self) -> None:
        """Look for a key in the environment where none was given.

        Raises:
            InputError: OpenAI itself is to be asked, and there is no key.
        """
        self._key = self._key or _check_key(os.environ.get(self.settings.key_variable))
        if self._key is None and self.settings.is_openai:
            raise InputError(
                "no API key: set the environment variable OPENAI_API_KEY or the credential of `llm`"
                ", give llm.base_url of a server without keys, or use another client"
            )

    def _redact(self, text: str) -> str:
        """Return a reason as one short line without the key in it."""
        secret = self._key.get_secret_value() if self._key else ""
        return shorten(clean_text(text.replace(secret, "***") if secret else text), LONGEST_REASON, mark="…")


def read_row(request: ChatRequest, row: StoredAnswer, source: str) -> ChatAnswer:
    """Return what a row of the cache says to `request`."""
    if row.answer is None:
        return ChatAnswer(request, None, source, row.error)
    try:
        return ChatAnswer(request, request.schema.model_validate_json(row.answer, context=request.context), source)
    except ValidationError as error:
        return ChatAnswer(request, None, source, f"the cached answer is invalid: {error}")


def _check_key(key: str | SecretStr | None) -> SecretStr | None:
    """Return a key without white space around it, None for an empty one.

    Raises:
        InputError: it has characters that no header can carry; the message does not show it.
    """
    text = (key.get_secret_value() if isinstance(key, SecretStr) else key or "").strip()
    if not text.isascii() or not all(ch.isprintable() and ch != " " for ch in text):
        raise InputError("the API key of `llm` has a space, a line break or a letter beyond ASCII; copy it again")
    return SecretStr(text) if text else None
