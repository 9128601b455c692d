"""Parameters of the stage `ingest`."""

from typing import Literal

from pydantic import Field

from hmltc_kedro.pipelines.base import StageParams


class IngestParams(StageParams):
    """What to do with bad documents."""

    on_invalid: Literal["error", "skip"] = "error"
    """Stop at a bad document, or `skip` it into `rejected_documents`. The default stops: nobody should lose documents
    without knowing.
    """
    max_documents: int | None = Field(200_000, ge=1)
    """Train documents that are fitted on, a sample drawn by the seed where there are more; null for all. Words, moments
    and thresholds of so many say what those of all would; memory and time do not grow with the corpus. Test documents
    are always kept.
    """
