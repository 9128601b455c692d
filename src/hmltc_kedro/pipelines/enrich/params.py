"""Parameters of the stage `enrich`."""

from pydantic import Field

from hmltc_kedro.llm.prompts import MAX_NAMED
from hmltc_kedro.pipelines.base import StageParams


class EnrichParams(StageParams):
    """How the language model is asked for keywords and descriptions."""

    temperature: float = Field(0.7, ge=0, le=2)
    """Of the language model, for keywords and descriptions. The paper's."""
    max_tokens: int = Field(200, gt=0)
    """Longest answer. The paper's published code's."""
    keywords: int = Field(10, ge=0)
    """Keywords asked for where a class has none; 0 asks for none."""
    max_siblings: int | None = Field(None, ge=0, le=MAX_NAMED)
    """Siblings named in the question for a description, the first 100 at most; null names as many, since a class with
    several parents has to be told apart from all of them. The paper names 3.
    """
