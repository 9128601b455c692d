"""Where and in which precision to compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hmltc_kedro.text.cores import count_cores


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


def bound_threads() -> None:
    """Let torch use no more threads than this process has cores: in a container it would count the machine's."""
    torch.set_num_threads(min(torch.get_num_threads(), count_cores()))


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: steps of a millisecond are too small to share.

    Threads that wait for each other stand still while another process has one of their cores: on a busy machine two
    were up to fifty times slower than one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
