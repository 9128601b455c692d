"""The language model as a catalog entry."""

from __future__ import annotations

from typing import Any, Literal

from kedro.io import AbstractDataset, DatasetError

from hmltc_kedro.llm import ChatClient, RecordedClient, TemplateClient


class LLMDataset(AbstractDataset[None, ChatClient]):
    """A resource: `load()` gives a chat client.

    Args:
        client: `recorded` (answers from a file) or `template` (no answers: every stage uses its fall-back).
        recordings: file of the recorded client; it may be missing.
        metadata: for Kedro-Viz.
    """

    def __init__(
        self,
        *,
        client: Literal["recorded", "template"],
        recordings: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember the settings.

        Raises:
            DatasetError: an unknown client.
        """
        if client not in ("recorded", "template"):
            raise DatasetError(f"llm: there is no client {client!r}; use recorded or template")
        self._client = client
        self._recordings = recordings
        self.metadata = metadata

    def load(self) -> ChatClient:
        """Return the client."""
        return RecordedClient(self._recordings) if self._client == "recorded" else TemplateClient()

    def save(self, data: None) -> None:
        """Refuse: the client is a resource."""
        raise DatasetError("the language model is read-only")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"client": self._client, "recordings": self._recordings}
