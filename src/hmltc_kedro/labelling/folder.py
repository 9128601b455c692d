"""The files of a bulk run: a parquet file of labels for each shard of documents, and a manifest of all of them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from hmltc_kedro.corpus.storage import explain_failure, list_files, open_storage, read_bytes, write_bytes

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MANIFEST = "manifest.json"

NOTE = b"hmltc_kedro"
"""Key of what a file of labels says about itself."""

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Shard:
    """Documents that were labelled together; their file of labels says this of itself.

    Attributes:
        source: the file of documents.
        version: of that file, see `StoredFile`.
        columns: of that file that were read.
        digest: sha256 of the documents.
        model: digest of the model that labelled them.
        rows: documents labelled.
        left_out: documents that were not fit to be.
        last: whether the file of documents ends with it.
        seconds: it took.
    """

    source: str
    version: str
    columns: str
    digest: str
    model: str
    rows: int
    left_out: int
    last: bool
    seconds: float


def name_labels(name: str, number: int) -> str:
    """Return what the labels of a shard are called: like the documents; from the second shard on, with its number."""
    return f"{name}.parquet" if number == 0 else f"{name}-{number:05d}.parquet"


def find_owner(labels: str) -> str:
    """Return whose shards such a file of labels would belong to, if it is numbered; empty if it is not."""
    found = re.fullmatch(r"(.*)-\d{5}\.parquet", labels)
    return found[1] if found else ""


def read_note(address: str, options: Options) -> Shard | None:
    """Return what a file of labels says of itself; None for no file, or one that is damaged or another's."""
    import pyarrow.parquet as pq

    system, path = open_storage(address, options)
    try:
        metadata = pq.read_schema(path, filesystem=system).metadata or {}
        return Shard(**json.loads(metadata[NOTE]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_labels(address: str, labels: pd.DataFrame, shard: Shard, options: Options) -> None:
    """Write the labels of a shard, in one move."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _make_schema()
    # Columns of nothing have no type that Arrow could turn into lists.
    table = pa.Table.from_pandas(labels, schema=schema, preserve_index=False) if len(labels) else schema.empty_table()
    note = {NOTE: json.dumps(asdict(shard)).encode()}
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **note}), buffer)
    write_bytes(address, buffer.getvalue(), options)


def _make_schema() -> pa.Schema:
    """Return the columns of labels; by their values alone, a file of no document would have others."""
    import pyarrow as pa

    texts = pa.list_(pa.string())
    return pa.schema(
        {
            "doc_id": pa.string(),
            "class_ids": texts,
            "names": texts,
            "paths": pa.list_(texts),
            "scores": pa.list_(pa.float64()),
            "probabilities": pa.list_(pa.float64()),
            "fits": pa.bool_(),
            "decision": pa.string(),
        }
    )


@dataclass(frozen=True)
class BulkFolder:
    """Where bulk documents come from and where their labels go.

    Attributes:
        source: address of the documents: a folder, a pattern or a file.
        target: folder of the labels.
        columns: of the documents: `key`, those that name one, and `values`, its texts; empty for doc_id and text.
        options: of the storage, credentials among them.
    """

    source: str
    target: str
    columns: Mapping[str, Any]
    options: Options = field(repr=False)  # logs show folders

    def place(self, labels: str) -> str:
        """Return the address of a file of labels."""
        return f"{self.target.rstrip('/')}/{labels}"

    def list_labels(self) -> list[str]:
        """Return the files of labels, by name."""
        system, path = open_storage(self.target, self.options)
        with explain_failure(self.target, "listed", self.options):
            if not system.isdir(path):
                return []
        return [f"{file.name}{file.ending}" for file in list_files(self.target, (".parquet",), self.options)]

    def remove(self, labels: str) -> None:
        """Remove a file of labels."""
        system, path = open_storage(self.place(labels), self.options)
        with explain_failure(self.place(labels), "removed", self.options):
            system.rm(path)

    def read_manifest(self) -> dict[str, Any]:
        """Return the manifest; an empty one where there is none that can be read."""
        try:
            found = json.loads(read_bytes(self.place(MANIFEST), self.options) or b"{}")
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, in one move."""
        write_bytes(self.place(MANIFEST), json.dumps(manifest, indent=2, ensure_ascii=False).encode(), self.options)
