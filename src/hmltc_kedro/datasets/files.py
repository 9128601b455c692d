"""kedro-datasets' file formats, written to a temporary name and moved into place.

A run that is killed while it saves leaves the old file or the new one, never half of either.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro_datasets.json import JSONDataset as KedroJSONDataset
from kedro_datasets.pandas import CSVDataset as KedroCSVDataset
from kedro_datasets.pandas import ParquetDataset as KedroParquetDataset
from kedro_datasets.plotly import JSONDataset as KedroPlotlyDataset
from kedro_datasets.text import TextDataset as KedroTextDataset

from hmltc_kedro.atomic import write_file
from hmltc_kedro.corpus.csv_cells import guard_cell, restore_cell
from hmltc_kedro.datasets.previews import only_if_made, preview_frame, preview_page, preview_settings

if TYPE_CHECKING:
    import pandas as pd
    from kedro.io import Version
    from kedro_datasets._typing import TablePreview


class _AtomicSave:
    """Mix-in in front of a kedro-datasets class with one local file."""

    _filepath: PurePosixPath
    _protocol: str
    _version: Version | None

    def save(self, data: Any) -> None:
        """Save to a temporary name beside the file, then move it into place.

        A version is a new file, and another file system has moves of its own: both are left to kedro-datasets.
        """
        if self._version is not None or self._protocol != "file":
            super().save(data)  # type: ignore[misc]
            return
        twin = copy.copy(self)
        with write_file(Path(self._filepath)) as temporary:
            twin._filepath = PurePosixPath(temporary)
            super(_AtomicSave, twin).save(data)  # type: ignore[misc]


class ParquetDataset(_AtomicSave, KedroParquetDataset):  # type: ignore[misc]
    """A pandas frame in one parquet file; the preview shows list columns as lists."""

    @only_if_made
    def preview(self, nrows: int = 10) -> TablePreview:
        """Return the first rows for Kedro-Viz."""
        import pyarrow.parquet as pq

        file = pq.ParquetFile(str(self._get_load_path()))
        batch = next(file.iter_batches(batch_size=nrows), None)
        return preview_frame((batch if batch is not None else file.schema_arrow.empty_table()).to_pandas())


class CSVDataset(_AtomicSave, KedroCSVDataset):  # type: ignore[misc]
    """A pandas frame in one CSV file, in which no text is a formula that a spreadsheet would run."""

    def save(self, data: pd.DataFrame) -> None:
        """Write the frame, its texts guarded."""
        super().save(_change_texts(data, guard_cell))

    def load(self) -> pd.DataFrame:
        """Read the frame, its texts as they were."""
        return _change_texts(super().load(), restore_cell)

    preview = only_if_made(KedroCSVDataset.preview)


def _change_texts(frame: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    texts = frame.select_dtypes(["object", "str"]).columns
    changed = {name: frame[name].map(lambda cell: change(cell) if isinstance(cell, str) else cell) for name in texts}
    return frame.assign(**changed)


class JSONDataset(_AtomicSave, KedroJSONDataset):  # type: ignore[misc]
    """A JSON object; the preview is a table of its values.

    Args:
        optional: whether the file may be missing; it then loads as an empty object.
        settings: those of kedro-datasets.
    """

    def __init__(self, *, optional: bool = False, **settings: Any) -> None:
        """Remember where the file lies."""
        super().__init__(**settings)
        self.optional = optional

    def load(self) -> Any:
        """Read the file."""
        return {} if self.optional and not self.exists() else super().load()

    @only_if_made
    def preview(self) -> TablePreview:
        """Return the values for Kedro-Viz."""
        return preview_settings(self.load())


class PlotlyDataset(_AtomicSave, KedroPlotlyDataset):  # type: ignore[misc]
    """A Plotly figure as JSON."""

    preview = only_if_made(KedroPlotlyDataset.preview)


class HTMLDataset(_AtomicSave, KedroTextDataset):  # type: ignore[misc]
    """A page of HTML in UTF-8, whatever the machine's own encoding is.

    The preview has the key figures at its head, its sections and its address.
    """

    DEFAULT_FS_ARGS = {
        "open_args_save": {"mode": "w", "encoding": "utf-8"},
        "open_args_load": {"mode": "r", "encoding": "utf-8"},
    }

    @only_if_made
    def preview(self) -> TablePreview:
        """Return one row a figure for Kedro-Viz."""
        return preview_page(self.load(), Path(self._filepath).absolute().as_uri())
