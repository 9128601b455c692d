"""The header of a safetensors file, read with the standard library alone: `kedro status` has no time for more."""

from __future__ import annotations

import json
import os
from typing import Any, BinaryIO

MAX_HEADER = 100_000_000
"""Bytes that readers of the format accept; the ids live in the header, so some five million documents fit."""


def read_tensor_header(handle: BinaryIO) -> dict[str, Any]:
    """Return the header of a safetensors file, and leave the handle at the first tensor.

    Raises:
        ValueError: the file does not begin with a header; whatever length it claims, no more than the file is read.
    """
    length = int.from_bytes(handle.read(8), "little")
    if length > min(MAX_HEADER, os.fstat(handle.fileno()).st_size):
        raise ValueError(f"{handle.name}: no safetensors file, its header claims {length:,} bytes")
    try:
        header: dict[str, Any] = json.loads(handle.read(length))
    except RecursionError as error:
        raise ValueError(f"{handle.name}: no safetensors file") from error
    return header
