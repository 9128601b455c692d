"""What an answer must look like, one model a task."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ClassDescription(BaseModel):
    """Answer to `describe_class`."""

    model_config = ConfigDict(extra="forbid")

    description: str = Field(min_length=1, description="one sharp sentence about the class")


class ClassReviews(BaseModel):
    """Answer to `write_reviews`."""

    model_config = ConfigDict(extra="forbid")

    reviews: list[str] = Field(min_length=1, description="one text a product, each different")
