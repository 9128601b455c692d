"""The folder of a bulk run: a parquet file of labels for each file of documents, and a manifest of what is done."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import file_digest

ENDINGS = (".parquet", ".csv")
"""Of files that hold documents."""

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Shard:
    """One file of documents, labelled.

    Attributes:
        source: the file.
        digest: sha256 of its bytes.
        model: digest of the model that labelled it.
        rows: documents in it.
        seconds: it took.
    """

    source: str
    digest: str
    model: str
    rows: int
    seconds: float


@dataclass(frozen=True)
class BulkFolder:
    """Where bulk documents come from and where their labels go.

    Attributes:
        source: folder with one or many parquet or CSV files of the columns doc_id and text.
        target: folder of the labels.
    """

    source: Path
    target: Path

    def list_files(self) -> list[Path]:
        """Return the files of documents, by name.

        Raises:
            InputError: there is none, a folder that is called like one, or two whose labels would have one name.
        """
        found = [path for path in self.source.glob("*") if path.suffix in ENDINGS and not path.name.startswith(".")]
        if not found:
            raise InputError(f"{self.source}: no parquet or CSV file here; put the documents to label there")
        names: dict[str, Path] = {}
        for path in sorted(found):
            if path.is_dir():
                raise InputError(f"{path}: a folder, no file; move its files up, each is labelled by itself")
            other = names.setdefault(path.stem, path)
            if other != path:
                raise InputError(f"{path}: {other.name} lies beside it and has the same name; rename one of the two")
        return list(names.values())

    def find_labels(self, file: Path) -> Path:
        """Return where the labels of a file lie, or would."""
        return self.target / f"{file.stem}.parquet"

    def read_manifest(self) -> dict[str, Shard]:
        """Return what is done, by the name of the labels; nothing where there is no manifest that can be read."""
        try:
            entries = json.loads((self.target / MANIFEST).read_text("utf-8"))["shards"]
            return {name: Shard(**values) for name, values in entries.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def is_done(self, file: Path, model: str) -> bool:
        """Tell whether a file was labelled by this model, as it is now."""
        known = self.read_manifest().get(self.find_labels(file).name)
        if known is None or not self.find_labels(file).is_file():
            return False
        return (known.digest, known.model) == (file_digest(file), model)

    def write(self, labels: pd.DataFrame, file: Path, shard: Shard) -> None:
        """Write the labels of a file, then the manifest with it, each moved into place when complete.

        A file that was done before is not done in between: killed there, the labels are of neither version for sure.
        """
        self.target.mkdir(parents=True, exist_ok=True)
        target = self.find_labels(file)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        shards = self.read_manifest()
        try:
            labels.to_parquet(temporary, index=False)
            if shards.pop(target.name, None) is not None:
                self._write_manifest(shards)
            os.replace(temporary, target)
            self._write_manifest({**shards, target.name: shard})
        finally:
            temporary.unlink(missing_ok=True)

    def _write_manifest(self, shards: Mapping[str, Shard]) -> None:
        manifest = self.target / MANIFEST
        draft = manifest.with_name(f".{MANIFEST}.{os.getpid()}.tmp")
        entries = {name: asdict(done) for name, done in sorted(shards.items())}
        try:
            draft.write_text(json.dumps({"shards": entries}, indent=2), "utf-8")
            os.replace(draft, manifest)
        finally:
            draft.unlink(missing_ok=True)
