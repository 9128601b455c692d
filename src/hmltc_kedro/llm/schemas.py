"""What an answer must look like, one model a task.

The rules beyond the shape (no empty text, no empty list) are validators, not JSON schema keywords:
OpenAI's strict mode refuses a schema with `minLength` in it. What repeats the question instead of answering it (the
prompt's `<the sentence>`, the schema's own words) fits the shape and is refused as well.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from hmltc_kedro.llm.text import clean_text

PLACEHOLDER = re.compile(r"<[^<>]*>|[.…]+")
"""What the prompts write where an answer goes: `<the sentence>`, and `...` for more of a list."""


def _check_text(text: str) -> str:
    cleaned = clean_text(text)
    if not cleaned:
        raise ValueError("the text is empty")
    if PLACEHOLDER.fullmatch(cleaned):
        raise ValueError("that is the placeholder of the format, not an answer")
    return cleaned


def _check_list(texts: list[str]) -> list[str]:
    if not texts:
        raise ValueError("the list is empty")
    return texts


def _refuse_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


def _check_choices(numbers: list[int], info: ValidationInfo) -> list[int]:
    """Refuse numbers that are not on offer; the question, not the schema, knows how many there are."""
    offered = (info.context or {}).get("options")
    for number in numbers:
        if offered is not None and not 1 <= number <= offered:
            raise ValueError(f"there is no number {number}, the numbers go from 1 to {offered}; [] if none is right")
    return list(dict.fromkeys(numbers))


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


Line = Annotated[str, AfterValidator(_check_text)]
"""One line of text, not empty, without control characters."""

Lines = Annotated[list[Line], AfterValidator(_check_list)]
"""At least one line."""

Choices = Annotated[list[Annotated[int, BeforeValidator(_refuse_truth)]], AfterValidator(_check_choices)]
"""Numbers of the options on offer, each once; empty if none is right."""

Confidence = Annotated[Literal["high", "medium", "low"], BeforeValidator(_lower)]
"""How sure the model says it is."""


class Answer(BaseModel):
    """What all answers have in common."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _refuse_echoes(self) -> Self:
        """Refuse a text that is the schema's own description, or the first words of it."""
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            texts = [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
            for text in texts:
                begins = " " in text and (field.description or "").startswith(text.rstrip(". "))
                if begins or text == type(self).__doc__:
                    raise ValueError(f"{name} repeats the words of the question")
        return self


class ClassDescription(Answer):
    """Answer to `describe_class`."""

    description: Line = Field(description="one sharp sentence about the class")


class ClassKeywords(Answer):
    """Answer to `write_keywords`."""

    keywords: Lines = Field(description="words and short phrases typical of the class")


class ClassReviews(Answer):
    """Answer to `write_reviews`."""

    reviews: Lines = Field(description="one text a product, each different")


class DocumentJudgement(Answer):
    """Answer to `judge_document`."""

    choices: Choices = Field(description="numbers of the right paths, empty if none is right")
    confidence: Confidence = Field(description="how sure you are")


class RootJudgement(Answer):
    """Answer to `judge_root`."""

    choices: Choices = Field(description="numbers of the right classes, empty if none is right")
    confidence: Confidence = Field(description="how sure you are")
