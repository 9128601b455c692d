"""What a transformer's arithmetic runs on: PyTorch or, on CPUs, OpenVINO in single, half or 8-bit precision."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import file_digest

Backend = Literal["auto", "torch", "openvino", "openvino-bf16", "openvino-int8"]

PACKAGES = {
    "torch": (),
    "openvino": ("openvino",),
    "openvino-bf16": ("openvino",),
    "openvino-int8": ("openvino", "nncf"),
}
"""Backends, and what each needs beyond what this package needs."""

LOSSLESS = ("torch", "openvino")
"""Backends whose vectors differ by some 1e-7, as those of batches of another shape do: label sets stay."""

TRIED = ("bert", "distilbert", "mpnet", "roberta", "xlm-roberta")
"""Architectures, as their config.json calls them, that `auto` gives to OpenVINO."""


def choose_backend(name: str, directory: Path, device: str = "auto") -> str:
    """Return the backend that encodes: for `auto` OpenVINO in single precision where that is right, else torch.

    Right is what is installed, on a CPU, for an architecture that was tried, in single precision. A model without a
    transformer, such as a static one, has nothing to run elsewhere. Nothing is loaded: `kedro status` asks as well.

    Args:
        name: one of `Backend`.
        directory: of the sentence-transformers model.
        device: `auto` or a torch device name.

    Raises:
        InputError: no such backend, its packages are missing, or it does not run on this device.
    """
    if name != "auto" and name not in PACKAGES:
        raise InputError(f"encoder_backend: there is no {name!r}; use one of auto, {', '.join(PACKAGES)}")
    on_cpu = device == "cpu" or (device == "auto" and not has_accelerator())
    config = _read_transformer(directory)
    if name == "auto":
        precision = (config or {}).get("dtype") or (config or {}).get("torch_dtype") or "float32"
        fits = config is not None and config.get("model_type") in TRIED and precision == "float32"
        return "openvino" if fits and on_cpu and not list_missing("openvino") else "torch"
    if config is None:
        return "torch"
    if missing := list_missing(name):
        what = f"needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed"
        raise InputError(f"encoder_backend: {name} {what}; pip install 'hmltc_kedro[openvino]'")
    if name != "torch" and device not in ("auto", "cpu"):
        raise InputError(f"encoder_backend: {name} runs on the CPU and the encoder's device is {device}; make it cpu")
    return name


def list_missing(backend: str) -> list[str]:
    """Return the packages that a backend needs and that are not installed."""
    return [package for package in PACKAGES[backend] if find_version(package) is None]


def find_version(package: str) -> str | None:
    """Return the version of an installed package, None for one that is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def has_accelerator() -> bool:
    """Tell whether this machine may have a graphics card that torch uses, without loading torch."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    drivers = (Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))
    return any(driver.exists() for driver in drivers) or shutil.which("nvidia-smi") is not None


def identify_backend(backend: str) -> str:
    """Return what of a backend shapes the vectors: its name and, where it rounds, its versions and its code."""
    if backend in LOSSLESS:
        return backend
    versions = ",".join(f"{package}={find_version(package)}" for package in PACKAGES[backend])
    code = ",".join(file_digest(Path(__file__).with_name(name)) for name in ("compiled.py", "openvino_model.py"))
    return f"{backend},{versions},{code}"


def _read_transformer(directory: Path) -> dict[str, object] | None:
    """Return the config.json of the transformer that a model begins with, None for a model that begins otherwise."""
    try:
        first = json.loads((directory / "modules.json").read_text("utf-8"))[0]
        if not str(first["type"]).endswith(".Transformer"):
            return None
        found = json.loads((directory / first.get("path", "") / "config.json").read_text("utf-8"))
    except (OSError, ValueError, LookupError, TypeError):  # what cannot be read is said where the model is opened
        return None
    return found if isinstance(found, dict) else None
