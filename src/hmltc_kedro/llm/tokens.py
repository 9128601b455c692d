"""Counting of tokens without a download."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hmltc_kedro.llm.client import ChatRequest

VOCABULARIES = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
"""Where tiktoken has its vocabularies from; the sha1 of it names the copy on disk."""

OVERHEAD = 16
"""Tokens a chat message and the answer's frame take beside the text."""


@cache
def answer_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of an answer, as it is sent and as it enters the cache key."""
    return schema.model_json_schema()


@cache
def load_tokenizer(model: str) -> Callable[[str], list[int]] | None:
    """Return tiktoken's encoder of `model`; None unless package and vocabulary are on disk."""
    try:
        tiktoken = import_module("tiktoken")
        name = tiktoken.encoding_name_for_model(model)
    except (ImportError, KeyError):
        return None
    default = str(Path(tempfile.gettempdir()) / "data-gym-cache")
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR", default))
    copy = hashlib.sha1(VOCABULARIES.format(name=name).encode()).hexdigest()
    if not folder or not (Path(folder) / copy).is_file():
        return None
    try:
        encode: Callable[[str], list[int]] = tiktoken.get_encoding(name).encode_ordinary
    except (OSError, ValueError):  # the copy on disk is broken
        return None
    return encode


def count_tokens(text: str, model: str) -> int:
    """Return the tokens of `text`: counted if that can be, else a quarter of its characters."""
    encode = load_tokenizer(model)
    return len(encode(text)) if encode else -(-len(text) // 4)


def count_input(request: ChatRequest, model: str) -> int:
    """Return the tokens of a question: prompt, schema and frame."""
    schema = json.dumps(answer_schema(request.schema))
    return count_tokens(request.prompt, model) + count_tokens(schema, model) + OVERHEAD


def bound_tokens(text: str) -> int:
    """Return a number of tokens `text` cannot exceed: each stands for one byte at least."""
    return len(text.encode("utf-8", errors="replace"))
