"""Documents in bulk, and their labels, as a catalog entry."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from hmltc_kedro.corpus.shards import ENDINGS
from hmltc_kedro.corpus.storage import check_address, list_files
from hmltc_kedro.datasets.previews import preview_frame
from hmltc_kedro.errors import InputError
from hmltc_kedro.labelling.folder import BulkFolder

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview


class BulkDataset(AbstractDataset[None, BulkFolder]):
    """A resource: `load()` gives the folder of bulk documents and the folder of their labels.

    Args:
        source: address of the documents: a folder, a pattern or a file, of this machine or as fsspec takes it.
        target: folder of the labels.
        columns: of the documents; they come from the parameter `ingest.columns`.
        credentials: options of the storage.
        metadata: for Kedro-Viz.
    """

    def __init__(
        self,
        *,
        source: str,
        target: str,
        columns: dict[str, Any] | None = None,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember the addresses.

        Raises:
            InputError: one of them has a password in it.
        """
        for address in (source, target):
            check_address(address)
        self._folder = BulkFolder(source, target, columns or {}, credentials or {})
        self.metadata = metadata

    def load(self) -> BulkFolder:
        """Return the addresses."""
        return self._folder

    def save(self, data: None) -> None:
        """Refuse: labels are written one shard at a time."""
        raise DatasetError(f"{self._folder.target}: written by the stage `label`, shard by shard")

    def identify(self) -> dict[str, Any]:
        """Say where the documents come from and how they are read, so that `kedro refresh` sees what is new."""
        folder = self._folder
        try:
            files = list_files(folder.source, ENDINGS, folder.options)
        except InputError:  # nothing there; the stage says so if it is run
            files = []
        listed = "".join(f"{file.address}\n{file.version}\n" for file in files)  # may be of very many
        documents = hashlib.sha256(listed.encode()).hexdigest() if files else ""
        return {"source": folder.source, "columns": dict(folder.columns), "documents": documents}

    def preview(self) -> TablePreview:
        """Return what is labelled, for Kedro-Viz: a row a shard."""
        columns = ["labels", "rows", "seconds"]
        shards = self._folder.read_manifest().get("shards", {})
        rows = [{"labels": name, "rows": shard["rows"], "seconds": shard["seconds"]} for name, shard in shards.items()]
        return preview_frame(pd.DataFrame(rows, columns=columns))

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"source": self._folder.source, "target": self._folder.target}
