"""What an answer must look like, one model a task.

The rules beyond the shape (no empty text, no empty list) are validators, not JSON schema keywords:
OpenAI's strict mode refuses a schema with `minLength` in it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hmltc_kedro.llm.text import clean_text


def _check_text(text: str) -> str:
    cleaned = clean_text(text)
    if not cleaned:
        raise ValueError("the text is empty")
    return cleaned


def _check_list(texts: list[str]) -> list[str]:
    if not texts:
        raise ValueError("the list is empty")
    return texts


Line = Annotated[str, AfterValidator(_check_text)]
"""One line of text, not empty, without control characters."""

Lines = Annotated[list[Line], AfterValidator(_check_list)]
"""At least one line."""


class ClassDescription(BaseModel):
    """Answer to `describe_class`."""

    model_config = ConfigDict(extra="forbid")

    description: Line = Field(description="one sharp sentence about the class")


class ClassKeywords(BaseModel):
    """Answer to `write_keywords`."""

    model_config = ConfigDict(extra="forbid")

    keywords: Lines = Field(description="words and short phrases typical of the class")


class ClassReviews(BaseModel):
    """Answer to `write_reviews`."""

    model_config = ConfigDict(extra="forbid")

    reviews: Lines = Field(description="one text a product, each different")
