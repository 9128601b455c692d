"""Amazon-531, the paper's dataset, where it lies beside the checkout: it is no part of the project."""

import pytest

from hmltc_kedro.taxonomy import Taxonomy
from kedro_project import REPOSITORY

AMAZON = REPOSITORY.parent / "shared" / "data" / "amazon531"

needs_amazon = pytest.mark.skipif(not AMAZON.is_dir(), reason=f"{AMAZON} is absent; it is not part of the project")


def read_amazon_taxonomy() -> Taxonomy:
    """Return the 531 classes with their names, without keywords."""
    classes, edges = (
        [tuple(line.split("\t")) for line in (AMAZON / name).read_text("utf-8").splitlines()]
        for name in ("classes.txt", "class_hierarchy.txt")
    )
    return Taxonomy.from_edges(classes, edges)
