"""Raw text tables: read-only, with line numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

from hmltc_kedro.corpus.raw_files import (
    Columns,
    RawTable,
    make_rows,
    read_corpus_frame,
    read_csv_table,
    read_text_table,
)
from hmltc_kedro.datasets.previews import preview_frame
from hmltc_kedro.errors import InputError

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview


class RawTableDataset(AbstractDataset[None, RawTable]):
    """One raw file of a dataset, as `hmltc_kedro.corpus.raw_files.RawTable`.

    Args:
        filepath: the text file. For a corpus a file of the same name with the ending `.csv` or `.parquet` serves
            as well.
        separator: between key and value.
        columns: of a CSV file: `key`, the columns that name a row (joined by `/`), and `value`, what it says.
        corpus: whether CSV and Parquet are looked for.
        optional: whether the file may be missing; it then loads as an empty table.
        metadata: for Kedro-Viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        separator: str = "\t",
        columns: dict[str, Any] | None = None,
        corpus: bool = False,
        optional: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember where the file lies."""
        self._filepath = Path(filepath)
        self._separator = separator
        self._columns = Columns(tuple(columns["key"]), columns["value"]) if columns else None
        self._endings = [self._filepath.suffix, *([".csv", ".parquet"] if corpus else [])]
        self.optional = optional
        self.metadata = metadata

    def find_file(self) -> Path | None:
        """Return the file that is read, whatever its ending, or the folder of its Parquet parts; None for none.

        Raises:
            InputError: there are two, and one of them would be read for the other.
        """
        candidates = [self._filepath.with_suffix(ending) for ending in self._endings]
        found = [path for path in candidates if path.is_file() or (path.suffix == ".parquet" and path.is_dir())]
        if len(found) > 1:
            others = " and ".join(path.name for path in found[1:])
            raise InputError(f"{found[0]}: {others} lies beside it and holds the same; remove all but one")
        return found[0] if found else None

    def load(self) -> RawTable:
        """Read the file."""
        path = self.find_file()
        if path is None:
            return RawTable(str(self._filepath), make_rows([], [], [], []), exists=False)
        if self._columns is not None:
            return read_csv_table(path, self._columns)
        if path.suffix == ".txt":
            return read_text_table(path, self._separator)
        return read_corpus_frame(path)

    def save(self, data: None) -> None:
        """Refuse: raw data is what the user gave."""
        raise DatasetError(f"{self._filepath}: raw files are read-only")

    def _exists(self) -> bool:
        return self.find_file() is not None

    def _describe(self) -> dict[str, Any]:
        return {
            "filepath": str(self._filepath),
            "separator": self._separator,
            "optional": self.optional,
        }

    def preview(self, nrows: int = 10) -> TablePreview:
        """Return the first lines for Kedro-Viz."""
        return preview_frame(self.load().rows.head(nrows)[["line", "key", "value"]])
