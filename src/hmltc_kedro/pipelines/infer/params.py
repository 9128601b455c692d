"""Parameters of the stage `infer`."""

from pydantic import Field

from hmltc_kedro.decoding.decode import DecodingSettings
from hmltc_kedro.pipelines.base import StageParams


class InferParams(StageParams):
    """How documents are classified; `decoding` is saved with the model as well."""

    batch_size: int = Field(32, gt=0)
    """Texts a batch of the encoder; changes speed and memory only."""
    decoding: DecodingSettings
