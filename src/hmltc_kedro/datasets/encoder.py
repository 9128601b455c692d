"""The sentence encoder as a catalog entry."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

from hmltc_kedro.datasets.previews import preview_settings
from hmltc_kedro.text.backends import choose_backend
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.models import fingerprint_model, locate_model

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview

# Kedro calls load() for every node that takes the encoder; the model is to be read once a process.
_open_encoder = lru_cache(maxsize=4)(TextEncoder)


class EncoderDataset(AbstractDataset[None, TextEncoder]):
    """A resource: `load()` gives a `TextEncoder`, the same object for the same settings.

    Args:
        model: `embedded`, a directory or a hub name.
        max_length: word pieces the model reads at once.
        max_windows: a longer text is read in windows, at most so many; 1 cuts it.
        batch_size: texts a batch.
        device: `auto` or a torch device.
        backend: `auto`, `torch`, `openvino`, `openvino-bf16` or `openvino-int8`.
        cache: file of the vector cache.
        metadata: for Kedro-Viz.
    """

    def __init__(
        self,
        *,
        model: str,
        max_length: int = 128,
        max_windows: int = 1,
        batch_size: int = 32,
        device: str = "auto",
        backend: str = "torch",
        cache: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember the settings."""
        self._settings: dict[str, Any] = {
            "model": model,
            "max_length": max_length,
            "max_windows": max_windows,
            "batch_size": batch_size,
            "device": device,
            "backend": backend,
            "cache": cache,
        }
        self.metadata = metadata

    def load(self) -> TextEncoder:
        """Return the encoder; its model is read when the first text has to be encoded."""
        return _open_encoder(**self._settings)

    def save(self, data: None) -> None:
        """Refuse: the encoder is a resource."""
        raise DatasetError("the encoder is read-only; a trained one is in the entry `classifier`")

    def identify(self) -> dict[str, Any]:
        """Say which vectors come out, without loading the model: name, length, backend, a digest of its files."""
        directory = locate_model(self._settings["model"])
        shaping = {name: self._settings[name] for name in ("max_length", "max_windows", "backend")}
        weights = "not on this disk"
        if directory is not None:
            shaping["backend"] = choose_backend(shaping["backend"], directory, self._settings["device"])
            weights = fingerprint_model(directory, **shaping)
        return {"model": self._settings["model"], **shaping, "weights": weights}

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return dict(self._settings)

    def preview(self) -> TablePreview:
        """Return the settings for Kedro-Viz."""
        return preview_settings(self._describe())
