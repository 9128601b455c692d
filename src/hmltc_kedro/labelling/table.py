"""One table of documents to one table of their labels, for people: no manifest, nothing to resume."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from tqdm import tqdm

from hmltc_kedro.atomic import write_file
from hmltc_kedro.corpus import spreadsheets
from hmltc_kedro.corpus.csv_cells import guard_cell
from hmltc_kedro.corpus.raw_files import read_header
from hmltc_kedro.corpus.shards import ENDINGS, find_pieces
from hmltc_kedro.corpus.spreadsheets import SheetTable
from hmltc_kedro.display import hidden_progress, show_progress
from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import content_digest
from hmltc_kedro.labelling.folder import BulkFolder
from hmltc_kedro.labelling.shard import Job, label_piece
from hmltc_kedro.modeling.predictions import REVIEW, write_cells
from hmltc_kedro.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pyarrow.parquet as pq

OWN_ID = "doc_id"
"""The column of ids that a table need not have."""


@dataclass
class Labelled:
    """What was done.

    Attributes:
        rows: documents labelled.
        left_out: documents that were not fit to be.
        review: documents whose label set somebody should look at; 0 where nothing was decided.
        unfit: documents that may fit no class.
        numbered: whether rows were numbered, for want of ids.
    """

    rows: int = 0
    left_out: int = 0
    review: int = 0
    unfit: int = 0
    numbered: bool = False

    def describe(self) -> str:
        """Return a line for people."""
        said = [f"{self.rows:,} documents labelled"]
        said += [f"{self.review:,} to review"] if self.review else []
        said += [f"{self.unfit:,} may fit no class"] if self.unfit else []
        said += [f"{self.left_out:,} left out"] if self.left_out else []
        said += [f"rows numbered, there is no column {OWN_ID}"] if self.numbered else []
        return ", ".join(said)


def label_table(
    source: Path,
    target: Path,
    model: Path,
    *,
    id_column: str = OWN_ID,
    text_columns: Sequence[str] = ("text",),
    batch_size: int = 32,
    skip_invalid: bool = False,
) -> Labelled:
    """Label the documents of a table shard by shard, so that memory does not grow; the target is written in one move.

    Args:
        source: CSV, Parquet or Excel, of which the first sheet counts.
        target: likewise: doc_id and the columns of `predictions.write_cells`, in the order of the documents.
        model: directory of a trained model.
        id_column: of the source; where there is none called `doc_id` rows are numbered from 0.
        text_columns: of the source; several are joined by a space.
        batch_size: texts a batch of the encoder.
        skip_invalid: whether bad documents are left out, or refused with file and line.

    Raises:
        InputError: files of another kind, no such file or folder, the same file twice, or documents not in order.
    """
    check_files(source, target)
    if source.suffix.lower() == spreadsheets.ENDING:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / f"{source.stem}.csv"
            spreadsheets.copy_sheet(source, copy)
            with name_source(copy, source):
                return _label_table(copy, target, model, id_column, text_columns, batch_size, skip_invalid)
    return _label_table(source, target, model, id_column, text_columns, batch_size, skip_invalid)


@contextmanager
def name_source(copy: Path, source: Path) -> Iterator[None]:
    """Let errors name the source where they name its copy."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(str(copy), str(source))) from error


def _label_table(
    source: Path,
    target: Path,
    model: Path,
    id_column: str,
    text_columns: Sequence[str],
    batch_size: int,
    skip_invalid: bool,
) -> Labelled:
    known = {name.strip().casefold() for name in read_header(source)}
    done = Labelled(numbered=id_column == OWN_ID and OWN_ID not in known)
    columns = {"key": [] if done.numbered else [id_column], "values": list(text_columns)}
    taxonomy, digest = Taxonomy.read(model / "taxonomy.json"), content_digest(model)
    pieces = find_pieces(str(source.absolute()), {})
    bar = tqdm(total=sum(p.rows for p in pieces), desc="label", unit="doc", disable=not show_progress())
    with tempfile.TemporaryDirectory() as folder, open_table(target) as table, bar, hidden_progress():
        place = BulkFolder(str(source), folder, columns, {})
        for number, piece in enumerate(pieces):
            is_end = number == len(pieces) - 1
            outcome = label_piece(
                Job(piece, number, is_end, place, model, digest, batch_size, skip_invalid), report=bar.update
            )
            if outcome.failure:
                raise InputError(outcome.failure)
            for name, shard in outcome.shards.items():
                labels = pd.read_parquet(place.place(name))
                cells = write_cells(labels, taxonomy)
                cells.insert(0, OWN_ID, labels["doc_id"])
                table.write(cells)
                done.rows, done.left_out = done.rows + shard.rows, done.left_out + shard.left_out
                done.review += int((labels["decision"] == REVIEW).sum())
                done.unfit += int((~labels["fits"].astype(bool)).sum())
    return done


def check_files(source: Path, target: Path) -> None:
    """Refuse what cannot be read or must not be written.

    Raises:
        InputError: see `label_table`.
    """
    for path in (source, target):
        if path.suffix.lower() not in (*ENDINGS, spreadsheets.ENDING):
            raise InputError(f"{path}: not .csv, .parquet or .xlsx; save it as one of them")
    if not source.is_file():
        raise InputError(f"{source}: no such file; give the table of your documents")
    if not target.parent.is_dir():
        raise InputError(f"{target.parent}: no such folder; make it or give another one")
    if target.exists() and target.samefile(source):
        raise InputError(f"{target}: the documents themselves; give another file to write to")


class CsvTable:
    """A CSV file that grows; no cell is run by a spreadsheet, see `csv_cells`."""

    def __init__(self, path: Path) -> None:
        """Begin the file."""
        self._handle = path.open("w", encoding="utf-8-sig", newline="")  # Excel looks for the mark

    def write(self, cells: pd.DataFrame) -> None:
        """Add rows, the first time below a header."""
        texts: list[str] = list(cells.select_dtypes("str").columns)
        guarded = cells.assign(**{name: cells[name].map(guard_cell) for name in texts})
        guarded.to_csv(self._handle, index=False, header=self._handle.tell() == 0, lineterminator="\r\n")

    def close(self) -> None:
        """End the file."""
        self._handle.close()


class ParquetTable:
    """A Parquet file that grows."""

    def __init__(self, path: Path) -> None:
        """Remember where."""
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def write(self, cells: pd.DataFrame) -> None:
        """Add rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pandas(cells, preserve_index=False)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table.cast(self._writer.schema))

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()


Table = CsvTable | ParquetTable | SheetTable

TABLES: dict[str, Callable[[Path], Table]] = {
    ".csv": CsvTable,
    ".parquet": ParquetTable,
    spreadsheets.ENDING: SheetTable,
}


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Give a table to write to, which is moved to its place when all is written and removed if something fails."""
    with write_file(path) as part:
        table = TABLES[path.suffix.lower()](part)
        try:
            yield table
        finally:
            table.close()
