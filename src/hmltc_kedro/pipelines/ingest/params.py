"""Parameters of the stage `ingest`."""

from typing import Literal

from hmltc_kedro.pipelines.base import StageParams


class IngestParams(StageParams):
    """`on_invalid`: stop at bad documents, or set them aside in `rejected_documents`."""

    on_invalid: Literal["error", "skip"] = "error"
