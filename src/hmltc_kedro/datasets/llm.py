"""The language model as a catalog entry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit

from kedro.io import AbstractDataset, DatasetError
from pydantic import SecretStr, ValidationError

from hmltc_kedro.datasets.previews import preview_settings
from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import file_digest
from hmltc_kedro.llm import (
    ChatClient,
    OpenAIClient,
    OpenAISettings,
    RecordedClient,
    ReplayClient,
    TemplateClient,
)
from hmltc_kedro.llm.parsing import describe_problem

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview

ClientName = Literal["openai", "recorded", "replay", "template"]

KEYS = ("api_key", "base_url_key")
"""Names of credentials: the key of OpenAI, and that of the server under `base_url`."""


class LLMDataset(AbstractDataset[None, ChatClient]):
    """A resource: `load()` gives a chat client, the same object for the same settings.

    One object a process, because what a client has used, and what it may still spend, belongs to the run and not to
    the node that asks.

    Args:
        client: `openai` (that API, or any server that speaks it), `recorded` (answers from a file), `replay` (the
            exact answers of an earlier run) or `template` (no answers: every stage uses its fall-back).
        recordings: file or files of the client `recorded`; each may be missing.
        cache: file of the answers that `openai` writes and `replay` reads.
        settings: of `openai` and `replay`, see `hmltc_kedro.llm.OpenAISettings`.
        credentials: of `openai`: `api_key` is sent to OpenAI alone, `base_url_key` to the server of `base_url` alone; a
            mapping has the keys of several, by `host` or `host:port`, and any other is sent none. Without a key the
            client takes the environment variable of that server.
        metadata: for Kedro-Viz.
    """

    def __init__(
        self,
        *,
        client: ClientName,
        recordings: str | list[str],
        cache: str,
        settings: dict[str, Any] | None = None,
        credentials: object = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember the settings.

        Raises:
            InputError: an unknown client, or credentials of another shape.
        """
        if client not in get_args(ClientName):
            raise InputError(f"llm: there is no client {client!r}; use one of {', '.join(get_args(ClientName))}")
        self._client = client
        self._recordings = (recordings,) if isinstance(recordings, str) else tuple(recordings)
        self._cache = cache
        self._settings = settings or {}
        self._keys = _check_credentials(credentials)
        self.metadata = metadata

    def load(self) -> ChatClient:
        """Return the client.

        Raises:
            InputError: a setting that is unknown or out of range.
        """
        settings = json.dumps(self._settings, sort_keys=True)
        key = SecretStr("")
        if self._client == "openai":
            key = _choose_key(self._keys, _parse_settings(settings))
        return _open_client(
            self._client, self._recordings, tuple(self._digest_recordings()), self._cache, settings, key
        )

    def save(self, data: None) -> None:
        """Refuse: the client is a resource."""
        raise DatasetError("the language model is read-only")

    def identify(self) -> dict[str, Any]:
        """Say who answers: the client, and its recordings or its model, server and further fields; never the key."""
        if self._client == "template":
            return {"client": self._client}
        if self._client == "recorded":
            return {"client": self._client, "answers": self._digest_recordings()}
        settings = _parse_settings(json.dumps(self._settings))
        further = hashlib.sha256(json.dumps(settings.extra_body, sort_keys=True).encode()).hexdigest()
        return {
            "client": self._client,
            "model": settings.model,
            "base_url": settings.base_url,
            "extra_body": further if settings.extra_body else None,
        }

    def _digest_recordings(self) -> list[str | None]:
        """Return one digest a file of recordings, None where it is missing or nobody asks for it."""
        wanted = self._client == "recorded"
        return [file_digest(path) if wanted and path.is_file() else None for path in map(Path, self._recordings)]

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        """Say what answers; the credentials stay out."""
        source = {"recorded": ", ".join(self._recordings), "template": None}.get(self._client, self._cache)
        return {"client": self._client, "answers": source, "model": self._settings.get("model")}

    def preview(self) -> TablePreview:
        """Return what answers, for Kedro-Viz; the credentials stay out."""
        return preview_settings(self._describe())


@lru_cache(maxsize=4)
def _open_client(
    client: ClientName,
    recordings: tuple[str, ...],
    digests: tuple[str | None, ...],
    cache: str,
    settings: str,
    key: SecretStr,
) -> ChatClient:
    """Return one client for the same arguments; `digests` are among them so that changed recordings are read again."""
    if client == "template":
        return TemplateClient()
    if client == "recorded":
        return RecordedClient(*recordings)
    parsed = _parse_settings(settings)
    return ReplayClient(parsed, cache) if client == "replay" else OpenAIClient(parsed, cache, key)


def _parse_settings(settings: str) -> OpenAISettings:
    try:
        return OpenAISettings.model_validate_json(settings)
    except ValidationError as error:
        # The error itself would show the values, and one may be a secret in the wrong place.
        raise InputError(f"catalog entry `llm`, settings: {describe_problem(error)}") from None


def _choose_key(keys: Mapping[str, SecretStr], settings: OpenAISettings) -> SecretStr:
    """Return the key of the server that the settings name, empty where there is none."""
    names = ("api_key",) if settings.is_openai else (f"//{_find_server(settings.address)}", "base_url_key")
    return next((keys[name] for name in names if name in keys), SecretStr(""))


def _find_server(address: str) -> str:
    """Return `host` or `host:port` of an address, with or without `https://` and a path."""
    return urlsplit(address if "//" in address else f"//{address}").netloc.lower()


def _check_credentials(credentials: object) -> dict[str, SecretStr]:
    """Return the keys by their names, those of a mapping by `//<server>`; where nothing is given there is none.

    Raises:
        InputError: something else was written; the message does not show it.
    """
    given = {} if credentials is None else credentials
    if not isinstance(given, dict):
        problem = "this is no mapping"
    elif unknown := sorted(map(str, given.keys() - set(KEYS))):
        problem = f"there is no {', '.join(unknown)}"
    else:
        servers = given.get("base_url_key")
        by_server = servers if isinstance(servers, dict) else {}
        keys = {**given, **{f"//{_find_server(str(name))}": key for name, key in by_server.items()}}
        keys = {name: key for name, key in keys.items() if key is not by_server}
        odd = [name for name, key in keys.items() if not isinstance(key, str | None)]
        if not odd:
            return {name: SecretStr(key) for name, key in keys.items() if key}
        problem = f"{'base_url_key' if odd[0] not in KEYS else odd[0]} is no text, put it into quotes"
    raise InputError(f"credentials of `llm`: write {{api_key: <key>}} or {{base_url_key: <key>}}; {problem}")
