"""Parameters of the stage `label`."""

from pydantic import Field

from hmltc_kedro.labelling.engines import EngineName
from hmltc_kedro.pipelines.base import StageParams


class LabelParams(StageParams):
    """Which documents are labelled in bulk, and by whom."""

    source: str | None = None
    """Parquet or CSV files: a folder, a pattern or a file, anywhere fsspec reads, such as `s3://bucket/prefix/*.parquet`;
    null is `bulk/` beside the raw files.
    """
    engine: EngineName = "serial"
    """Who labels: this process, processes of this machine, or the workers of a Dask scheduler."""
    workers: int | None = Field(None, gt=0)
    """Processes of this machine, which share its cores; null is one a core. Each holds the model."""
    address: str | None = None
    """Of a Dask scheduler, `tcp://host:8786`; null starts one on this machine for the run."""
    batch_size: int = Field(32, gt=0)
    """Texts a batch of the encoder; changes speed and memory only."""
