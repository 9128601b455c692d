"""Parameters of the stage `pseudo_label`."""

from typing import Literal

from pydantic import Field

from hmltc_kedro.pipelines.base import StageParams


class StarvedParams(StageParams):
    """Classes with fewer silver documents than `threshold` are starved."""

    unit: Literal["documents", "share_of_mean"]
    threshold: float = Field(ge=0)


class PseudoLabelParams(StageParams):
    """How candidates are scored and which labels are kept; see `scoring` and `silver` for the formulas."""

    views: tuple[Literal["text", "path"], ...] = Field(min_length=1)
    hubness_prior: float = Field(ge=0)
    lexical_weight: float = Field(ge=0)
    top_k: int = Field(ge=2)
    gap_quantile: float = Field(ge=0, lt=1)
    starved: StarvedParams
