"""The few Kedro datasets that nobody ships.

Names are resolved on first use, so that a catalog can be described without importing what it does not need.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "BulkDataset": "bulk",
    "ClassifierDataset": "classifier",
    "EncoderDataset": "encoder",
    "CSVDataset": "files",
    "HTMLDataset": "files",
    "JSONDataset": "files",
    "ParquetDataset": "files",
    "PlotlyDataset": "files",
    "LLMDataset": "llm",
    "RawTableDataset": "raw",
    "StudentDataset": "student",
    "TaxonomyDataset": "taxonomy",
    "TensorDataset": "tensors",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a dataset class from its module."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
