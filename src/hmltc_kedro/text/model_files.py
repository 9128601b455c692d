"""Which files of a sentence-transformers directory are the model."""

from __future__ import annotations

import json
from pathlib import Path

SHAPING = (".safetensors", ".json", ".txt", ".model", ".codes", ".spm", ".tokenizer")
"""Endings of a model's files that shape its vectors; what else lies there (README, images) does not."""


def list_shaping(directory: Path) -> list[Path]:
    """Return the files that shape a model's vectors: those of `SHAPING` in its own folder and in those of its modules.

    What else may lie in a clone (`onnx/`, checkpoints) is none of the model's; without a list of modules all counts.
    """
    folders = _list_folders(directory)
    found = [file for folder in folders for file in folder.glob("*") if file.is_file() and file.suffix in SHAPING]
    return sorted([*found, *list_pickled(directory)])


def list_pickled(directory: Path) -> list[Path]:
    """Return weights as PyTorch keeps them that have no safetensors beside them, which would be read in their place."""
    folders = [folder for folder in _list_folders(directory) if not any(folder.glob("*.safetensors"))]
    return [file for folder in folders for file in folder.glob("pytorch_model*.bin")]


def _list_folders(directory: Path) -> set[Path]:
    try:
        modules = json.loads((directory / "modules.json").read_text("utf-8"))
        return {directory, *(directory / module["path"] for module in modules)}
    except (OSError, ValueError, LookupError, TypeError):  # said where the model is opened
        return {directory, *(folder for folder in directory.rglob("*") if folder.is_dir())}
