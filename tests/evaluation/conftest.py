"""Four documents of the diamond: what they are about, and what was predicted of them."""

import pytest
from scipy import sparse

from hmltc_kedro.taxonomy import Taxonomy


@pytest.fixture
def gold(diamond: Taxonomy) -> sparse.csr_array:
    return diamond.to_matrix([["an", "do", "be"], ["ga", "to"], ["an", "ca"], []])


@pytest.fixture
def pred(diamond: Taxonomy) -> sparse.csr_array:
    return diamond.to_matrix([["an", "ca", "be"], ["ga", "to"], ["to"], []])
