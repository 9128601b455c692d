"""Probabilities in blocks: what is checked of them."""

import math

import numpy as np
import pytest

from decoding_problems import PETS
from hmltc_kedro.decoding.baselines import flat, leaf_priority
from hmltc_kedro.decoding.beam import beam_search
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
