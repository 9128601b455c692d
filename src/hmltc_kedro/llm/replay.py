"""The client that repeats a run bit for bit from its answer cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.cache import find_answers, request_key
from hmltc_kedro.llm.client import ChatAnswer, ChatRequest
from hmltc_kedro.llm.openai_client import read_row
from hmltc_kedro.llm.settings import OpenAISettings
from hmltc_kedro.llm.usage import Usage


class ReplayClient:
    """Answers by exact key from the cache of an earlier run, which is only read; asks nobody.

    A question that run set aside is set aside again, for the same reason, so that what follows is
    the same too.

    Args:
        settings: those of the run; model and extra_body enter the key.
        cache: the run's cache file.
    """

    def __init__(self, settings: OpenAISettings, cache: str | Path) -> None:
        """Keep the settings."""
        self.settings = settings
        self.name = settings.model
        self.usage = Usage(cost=0.0)
        self._cache_path = Path(cache)

    def __repr__(self) -> str:
        """Show model and file."""
        return f"ReplayClient({self.name!r}, cache={str(self._cache_path)!r})"

    def list_subjects(self, task: str) -> None:
        """Return None: it may have been asked about anything."""

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatAnswer]:
        """Return the answers of the run.

        Raises:
            InputError: there is no such cache, or it lacks an answer; the message names task and
                subject.
        """
        keys = [request_key(request, self.settings) for request in requests]
        rows = find_answers(self._cache_path, keys) if requests else {}
        missing = [
            f"{self._cache_path}: no answer to {request.task} for {request.subject!r} "
            f"with this prompt, its parameters and {self.name}; replay what that run asked, "
            "or use the openai client"
            for key, request in zip(keys, requests, strict=True)
            if key not in rows
        ]
        if missing:
            raise InputError.from_problems(missing)
        answers = [read_row(request, rows[key], self.name) for key, request in zip(keys, requests, strict=True)]
        failed = sum(answer.value is None for answer in answers)
        self.usage.cached += len(answers) - failed
        self.usage.failed += failed
        return answers
