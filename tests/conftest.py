"""Fixtures shared by all tests."""

import pytest

from hmltc_kedro.taxonomy import Taxonomy

DIAMOND_CLASSES = [
    ("an", "animals"),
    ("ga", "garden"),
    ("do", "dogs"),
    ("ca", "cats"),
    ("be", "pet_beds"),
    ("ct", "cat_toys"),
    ("to", "tools"),
]
DIAMOND_EDGES = [
    ("an", "do"),
    ("an", "ca"),
    ("do", "be"),
    ("ca", "be"),
    ("ca", "ct"),
    ("ga", "to"),
]


@pytest.fixture
def diamond() -> Taxonomy:
    r"""Return a 7-class DAG with two roots and one class (4) of two parents.

    ::

        animals 0      garden 1
         /     \          |
      dogs 2  cats 3   tools 6
         \     /  \
      pet_beds 4  cat_toys 5
    """
    keywords = {"do": ["puppy", "leash"], "be": ["cushion"]}
    return Taxonomy.from_edges(DIAMOND_CLASSES, DIAMOND_EDGES, keywords)
