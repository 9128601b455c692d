"""Parameters of the stage `infer`."""

from pydantic import Field

from hmltc_kedro.decoding.decode import DecodingSettings
from hmltc_kedro.pipelines.base import StageParams


class InferParams(StageParams):
    """How documents are classified; `decoding` is saved with the model as well."""

    batch_size: int = Field(32, gt=0)
    """Texts a batch of the encoder; changes speed and memory only."""
    precision: float | None = Field(0.8, gt=0, lt=1)
    """Expected share of right classes in a label set that is accepted without review; null decides nothing. It takes
    an audit part: see `annotate.audit`.
    """
    decoding: DecodingSettings = DecodingSettings()
