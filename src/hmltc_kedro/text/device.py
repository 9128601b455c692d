"""Where and in which precision to compute."""

from __future__ import annotations

import torch


def choose_device(name: str = "auto") -> torch.device:
    """Return the torch device of a setting: `auto` takes CUDA, then Apple's MPS, then the CPU."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the compute type of a setting: `auto` is bfloat16 on CUDA cards that have it, else float32."""
    if name == "auto":
        has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if has_bfloat16 else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
