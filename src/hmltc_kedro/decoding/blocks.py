"""What all decoders share: documents in blocks, checked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from hmltc_kedro.arrays import AnyArray, FloatArray, IntArray
from hmltc_kedro.taxonomy import Taxonomy

HALF_ONE = 0x3C00
"""The bits of 1.0 in half precision; 0..HALF_ONE are those of all numbers from 0 to 1, in order."""


SMALLEST_HALF = np.finfo(np.float16).smallest_normal
"""Half precision has fewer digits below."""


def place_within(group: IntArray, order: IntArray) -> IntArray:
    """Return the place of each item within its group, given an order that sorts by group first."""
    ordered = group[order]
    new = np.append(True, ordered[1:] != ordered[:-1])[: len(order)]
    starts = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - starts
    return place


def log_probabilities(probabilities: AnyArray) -> npt.NDArray[np.float64]:
    """Return the natural logarithm as float64; -inf for 0, which is a score like any other."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(probabilities.astype(np.float64)))


def round_digits(probabilities: AnyArray) -> FloatArray:
    """Return probabilities with the eleven binary digits of half precision, float32, but none of them rounded to 0.

    A text that is encoded in another batch differs in later digits, and label sets should not. Half precision itself
    ends at 6e-8: below it all classes would tie, and a document that fits none would have the first.
    """
    half = probabilities.astype(np.float16)
    return np.where(half >= SMALLEST_HALF, half, probabilities).astype(np.float32)


def check_shape(probabilities: AnyArray, taxonomy: Taxonomy) -> None:
    """Check that there is one float a document and class; a ValueError says what is there instead."""
    if probabilities.ndim != 2 or probabilities.shape[1] != len(taxonomy):
        raise ValueError(f"probabilities of shape {probabilities.shape}, a taxonomy of {len(taxonomy)} classes")
    if not np.issubdtype(probabilities.dtype, np.floating):
        raise ValueError(f"probabilities of dtype {probabilities.dtype}; give floats")


def broadcast_thresholds(child_threshold: float | AnyArray, taxonomy: Taxonomy) -> AnyArray:
    """Return one threshold a class, shape (C,), of one for all or one each; a ValueError for anything else."""
    thresholds = np.asarray(child_threshold, dtype=np.float64)
    if thresholds.shape not in ((), (len(taxonomy),)) or np.isnan(thresholds).any():
        raise ValueError(f"child_threshold must be a number or {len(taxonomy)} numbers, one a class")
    return np.broadcast_to(thresholds, (len(taxonomy),))


def read_blocks(probabilities: AnyArray, block_size: int, progress: bool) -> Iterator[tuple[int, AnyArray]]:
    """Yield (first row, block) after checking that the block holds probabilities.

    Raises:
        ValueError: a value outside [0, 1], or not a number.
    """
    bar = tqdm(total=len(probabilities), desc="decode", unit=" documents", disable=not progress)
    with bar:
        for start in range(0, len(probabilities), block_size):
            block = np.asarray(probabilities[start : start + block_size])
            fine = ((block >= 0) & (block <= 1)).all(axis=1)
            if not fine.all():
                raise ValueError(f"row {start + int(fine.argmin())} is not in 0..1 throughout")
            yield start, block
            bar.update(len(block))
