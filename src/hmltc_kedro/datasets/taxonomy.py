"""The taxonomy as a parquet table that loads as a `Taxonomy`."""

from __future__ import annotations

from hmltc_kedro.datasets.files import ParquetDataset
from hmltc_kedro.taxonomy import Taxonomy


class TaxonomyDataset(ParquetDataset):
    """One row a class: class_id, name, parents, keywords, level, path."""

    def load(self) -> Taxonomy:
        """Read the table and build the graph."""
        return Taxonomy.from_frame(super().load())

    def save(self, data: Taxonomy) -> None:
        """Write the table, atomically."""
        super().save(data.to_frame())
