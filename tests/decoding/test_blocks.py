"""Probabilities in blocks: what is checked of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoding_problems import PETS
from hmltc_kedro.decoding.baselines import flat, leaf_priority
from hmltc_kedro.decoding.beam import beam_search
from hmltc_kedro.decoding.blocks import round_digits
from hmltc_kedro.taxonomy import Taxonomy


def test_probabilities_are_checked(diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="taxonomy of 7"):
        beam_search(PETS[:, :5], diamond)
    with pytest.raises(ValueError, match="dtype int"):
        beam_search(np.zeros((1, 7), dtype=int), diamond)
    for bad in (1.5, -0.1, math.nan):
        block = np.repeat(PETS, 5, axis=0)
        block[3, 2] = bad
        for function in (beam_search, leaf_priority, flat):
            with pytest.raises(ValueError, match="row 3 "):
                function(block, diamond, block_size=2)


def test_digits_are_those_of_half_precision_and_nothing_is_rounded_to_zero() -> None:
    values = np.array([1.0, 0.7, 0.2, 2**-14, 3e-5, 1e-9, 1e-30, 0.0], dtype=np.float32)
    rounded = round_digits(values)
    assert rounded.dtype == np.float32
    assert rounded[:4].tolist() == values[:4].astype(np.float16).astype(np.float32).tolist()
    assert rounded[4:].tolist() == values[4:].tolist()
    assert round_digits(np.array([0.3], dtype=np.float16)).tolist() == [float(np.float16(0.3))]


@given(st.lists(st.floats(0, 1, width=32), min_size=2))
def test_rounding_keeps_the_order(values: list[float]) -> None:
    rounded = round_digits(np.sort(np.array(values, dtype=np.float32)))
    assert (np.diff(rounded) >= 0).all()
    assert ((rounded > 0) == (np.sort(values) > 0)).all()
