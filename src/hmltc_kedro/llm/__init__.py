"""The language model layer: what is asked, who answers, and what an answer must look like."""

from hmltc_kedro.llm.client import (
    ChatAnswer,
    ChatClient,
    ChatRequest,
    RecordedClient,
    TemplateClient,
)

__all__ = ["ChatAnswer", "ChatClient", "ChatRequest", "RecordedClient", "TemplateClient"]
