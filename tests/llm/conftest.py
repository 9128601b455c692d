from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fake_llm import KEY
from hmltc_kedro.llm.openai_client import OpenAIClient
from hmltc_kedro.llm.settings import OpenAISettings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests off the machine's own key and proxies."""
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "LLM_API_KEY",
        "HTTPS_PROXY",
        "https_proxy",
        "NO_PROXY",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_client(tmp_path: Path) -> Callable[..., OpenAIClient]:
    """Return a maker of clients with waits short enough for tests."""

    def make(base_url: str, cache: str = "answers.sqlite", **settings: Any) -> OpenAIClient:
        quick = {"backoff": 0.01, "max_wait": 5.0, "timeout": 10.0, **settings}
        return OpenAIClient(OpenAISettings(base_url=base_url, **quick), tmp_path / cache, api_key=KEY)

    return make
