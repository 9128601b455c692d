"""The language model layer: what is asked, who answers, and what an answer must look like."""

from hmltc_kedro.llm.cache import read_answers
from hmltc_kedro.llm.client import (
    ChatAnswer,
    ChatClient,
    ChatRequest,
    TemplateClient,
)
from hmltc_kedro.llm.openai_client import OpenAIClient
from hmltc_kedro.llm.recorded import RecordedClient
from hmltc_kedro.llm.replay import ReplayClient
from hmltc_kedro.llm.settings import OpenAISettings
from hmltc_kedro.llm.usage import Usage

__all__ = [
    "ChatAnswer",
    "ChatClient",
    "ChatRequest",
    "OpenAIClient",
    "OpenAISettings",
    "RecordedClient",
    "ReplayClient",
    "TemplateClient",
    "Usage",
    "read_answers",
]
