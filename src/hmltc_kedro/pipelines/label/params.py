"""Parameters of the stage `label`."""

from pydantic import Field

from hmltc_kedro.pipelines.base import StageParams


class LabelParams(StageParams):
    """Which documents are labelled in bulk."""

    source: str | None = None
    """Folder of parquet or CSV files with the columns doc_id and text; null is `bulk/` beside the raw files."""
    batch_size: int = Field(32, gt=0)
    """Texts a batch of the encoder; changes speed and memory only."""
