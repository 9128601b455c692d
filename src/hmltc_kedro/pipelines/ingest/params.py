"""Parameters of the stage `ingest`."""

from typing import Literal

from pydantic import Field, field_validator

from hmltc_kedro.corpus.raw_documents import MAX_DOCUMENTS
from hmltc_kedro.pipelines.base import StageParams


class ColumnParams(StageParams):
    """What the columns of your own tables are called: CSV and Parquet corpora, and bulk files."""

    doc_id: str = "doc_id"
    """The column with the document's id."""
    text: list[str] = Field(default=["text"], min_length=1)
    """The column with the text, or several, such as `[title, abstract]`, which are joined by a space."""

    @field_validator("text", mode="before")
    @classmethod
    def _take_one(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


class IngestParams(StageParams):
    """What documents are, and what to do with bad ones."""

    on_invalid: Literal["error", "skip"] = "error"
    """Stop at a bad document, or `skip` it into `rejected_documents`. The default stops: nobody should lose documents
    without knowing.
    """
    columns: ColumnParams = ColumnParams()
    """Columns of tables; files of the form `<doc_id>TAB<text>` have none."""
    max_documents: int | None = Field(MAX_DOCUMENTS, ge=1)
    """Train documents that are fitted on, a sample drawn by the seed where there are more; null for all. Words, moments
    and thresholds of so many say what those of all would; memory and time do not grow with the corpus. Test documents
    are always kept.
    """
