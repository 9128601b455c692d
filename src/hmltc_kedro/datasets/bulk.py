"""Documents in bulk, and their labels, as a catalog entry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from hmltc_kedro.datasets.previews import preview_frame
from hmltc_kedro.freshness.digests import content_digest
from hmltc_kedro.labelling.folder import BulkFolder

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview


class BulkDataset(AbstractDataset[None, BulkFolder]):
    """A resource: `load()` gives the folder of bulk documents and the folder of their labels.

    Args:
        source: folder of the documents.
        target: folder of the labels.
        metadata: for Kedro-Viz.
    """

    def __init__(self, *, source: str, target: str, metadata: dict[str, Any] | None = None) -> None:
        """Remember the folders."""
        self._folder = BulkFolder(Path(source), Path(target))
        self.metadata = metadata

    def load(self) -> BulkFolder:
        """Return the folders."""
        return self._folder

    def save(self, data: None) -> None:
        """Refuse: labels are written one file at a time."""
        raise DatasetError(f"{self._folder.target}: written by the stage `label`, file by file")

    def identify(self) -> dict[str, Any]:
        """Say where the documents come from and what they are, so that `kedro refresh` sees new ones."""
        source = self._folder.source
        return {"source": str(source), "documents": content_digest(source) if source.is_dir() else ""}

    def preview(self) -> TablePreview:
        """Return what is labelled, for Kedro-Viz: a row a file."""
        done = self._folder.read_manifest()
        rows = [{"labels": name, "rows": shard.rows, "seconds": shard.seconds} for name, shard in done.items()]
        return preview_frame(pd.DataFrame(rows, columns=["labels", "rows", "seconds"]))

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"source": str(self._folder.source), "target": str(self._folder.target)}
