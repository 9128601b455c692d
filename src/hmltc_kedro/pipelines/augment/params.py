"""Parameters of the stage `augment`."""

from typing import Literal

from pydantic import Field

from hmltc_kedro.pipelines.base import StageParams

StyleChoice = Literal["corpus", "always", "never"]


class AugmentParams(StageParams):
    """How starved classes are fed and how examples are weighted."""

    reviews_per_class: int = Field(5, ge=0)
    """Synthetic documents a starved class; 0 turns augmentation off. The paper's."""
    temperature: float = Field(0.8, ge=0, le=2)
    """Of the language model: higher than for descriptions, the texts of a class should differ. The paper's."""
    max_tokens: int = Field(1000, gt=0)
    """Longest answer, all reviews of a class together."""
    style: StyleChoice = "corpus"
    """Which of the paper's style rules apply: those that most of the corpus follows, all, or none. The default leaves a
    corpus of ordinary prose alone.
    """
    style_examples: int = Field(3, ge=0)
    """Documents of the corpus shown to the language model with each question, as a model of style."""
    synthetic_weight: float = Field(1.0, gt=0)
    """Weight of a synthetic document in the loss. The paper's scale, 1.0."""
    synthetic_ancestors: bool = True
    """Whether the ancestors of a synthetic document's class are positives too. False is the paper's published code,
    which trains them as negatives.
    """
