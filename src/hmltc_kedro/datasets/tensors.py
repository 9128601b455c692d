"""Tensors with row ids, in safetensors files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from hmltc_kedro.corpus.tensors import TensorTable, read_tensors, write_tensors
from hmltc_kedro.datasets.previews import only_if_made

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview


class TensorDataset(AbstractDataset[TensorTable, TensorTable]):
    """A `TensorTable` in one safetensors file, memory-mapped on load.

    Args:
        filepath: the file.
        metadata: for Kedro-Viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Remember where the file lies."""
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> TensorTable:
        """Open the file; the arrays are read when they are touched."""
        return read_tensors(self._filepath)

    def save(self, data: TensorTable) -> None:
        """Write the file, atomically."""
        write_tensors(data, self._filepath)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    @only_if_made
    def preview(self, nrows: int = 10, ncolumns: int = 8) -> TablePreview:
        """Return shapes and the corner of each tensor for Kedro-Viz."""
        table = self.load()
        data: list[list[Any]] = []
        for name, array in table.arrays.items():
            shape = f"{'x'.join(map(str, array.shape))} {array.dtype}"
            corner = array[:nrows].reshape(len(array[:nrows]), math.prod(array.shape[1:]))
            for row, values in zip(table.ids[:nrows], corner, strict=True):
                data.append([name, shape, row, *(round(float(v), 4) for v in values[:ncolumns])])
        width = max((len(row) for row in data), default=3)
        head = ["tensor", "shape", "id", *(str(i) for i in range(width - 3))]
        rows = [row + [None] * (width - len(row)) for row in data]
        return {"index": list(range(len(rows))), "columns": head, "data": rows}
