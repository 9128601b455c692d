"""The student of judged documents as a directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from hmltc_kedro.atomic import clean_up, write_folder
from hmltc_kedro.datasets.previews import only_if_made, preview_settings
from hmltc_kedro.taxonomy import Taxonomy

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview

    from hmltc_kedro.modeling.student import Student


class StudentDataset(AbstractDataset["Student", "Student"]):
    """A `Student` in a directory of safetensors and JSON files, with the taxonomy it is of.

    Args:
        filepath: the directory.
        metadata: for Kedro-Viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Remember where the directory lies."""
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Student:
        """Read the directory."""
        from hmltc_kedro.modeling.student import Student

        return Student.load(self._filepath, Taxonomy.read(self._filepath / "taxonomy.json"))

    def save(self, data: Student) -> None:
        """Write the directory, atomically."""
        with write_folder(self._filepath) as temporary:
            data.save(temporary)
            data.table.taxonomy.write(temporary / "taxonomy.json")

    def _exists(self) -> bool:
        if not self._filepath.exists():
            clean_up(self._filepath)
        return (self._filepath / "student.json").is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    @only_if_made
    def preview(self) -> TablePreview:
        """Return what it was taught, for Kedro-Viz."""
        return preview_settings(json.loads((self._filepath / "student.json").read_text("utf-8")))
