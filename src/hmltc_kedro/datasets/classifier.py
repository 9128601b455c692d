"""The trained classifier as a directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from hmltc_kedro.atomic import clean_up
from hmltc_kedro.datasets.previews import only_if_made, preview_settings

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview

    from hmltc_kedro.modeling import HierarchicalClassifier


class ClassifierDataset(AbstractDataset["HierarchicalClassifier", "HierarchicalClassifier"]):
    """A `HierarchicalClassifier` in a directory of safetensors and JSON files.

    Args:
        filepath: the directory.
        device: `auto` or a torch device.
        metadata: for Kedro-Viz.
    """

    def __init__(self, *, filepath: str, device: str = "auto", metadata: dict[str, Any] | None = None) -> None:
        """Remember where the directory lies."""
        self._filepath = Path(filepath)
        self._device = device
        self.metadata = metadata

    def load(self) -> HierarchicalClassifier:
        """Read the directory."""
        from hmltc_kedro.modeling import HierarchicalClassifier

        return HierarchicalClassifier.load(self._filepath, device=self._device)

    def save(self, data: HierarchicalClassifier) -> None:
        """Write the directory, atomically."""
        data.save(self._filepath)

    def _exists(self) -> bool:
        if not self._filepath.exists():
            clean_up(self._filepath)
        return (self._filepath / "settings.json").is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    @only_if_made
    def preview(self) -> TablePreview:
        """Return how the model was made and how it decodes, for Kedro-Viz."""
        return preview_settings(json.loads((self._filepath / "settings.json").read_text("utf-8")))
