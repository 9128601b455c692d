"""Parameters of the stage `annotate`."""

from pydantic import Field

from hmltc_kedro.pipelines.base import StageParams


class AnnotateParams(StageParams):
    """Which documents a language model is asked about, and how."""

    max_documents: int = Field(2000, ge=0)
    """Documents asked about in all; 0 asks about none. A thousand cost some ten cents."""
    share: float = Field(0.2, ge=0, le=1)
    """Of the corpus, and of its test documents, that is asked about at most: a small corpus is not read as a whole."""
    audit: int = Field(200, ge=0)
    """Documents drawn at random, whose judgements say what the run is worth; at most half of all."""
    candidates: int = Field(20, ge=1)
    """Paths on offer. The right one is among the best 20 for nine documents of ten where it was measured."""
    max_characters: int = Field(1500, ge=1)
    """Of a text that are shown."""
    temperature: float = Field(0.0, ge=0, le=2)
    """Of the language model: the same question should get the same answer."""
    max_tokens: int = Field(100, gt=0)
    """Longest answer, a few numbers and a word."""
