"""The benchmark of annotations: its interval over documents and draws."""

import importlib
import sys
from types import ModuleType

import numpy as np
import pytest

from kedro_project import REPOSITORY


@pytest.fixture(scope="module")
def annotations() -> ModuleType:
    sys.path.insert(0, str(REPOSITORY / "benchmarks"))
    try:
        return importlib.import_module("annotations")
    finally:
        sys.path.remove(str(REPOSITORY / "benchmarks"))


def test_interval_leaves_out_what_is_not_measured(annotations: ModuleType) -> None:
    table = np.full((3, 50), 0.25)
    table[0, :20] = np.nan
    assert annotations.resample_pairs([table], 200) == pytest.approx((0.25, 0.25))
    # Cells count alike: 60 of one table, 180 of the other.
    low, high = annotations.resample_pairs([np.zeros((3, 20)), np.ones((3, 60))], 200)
    assert low == pytest.approx(0.75) == high


def test_interval_is_as_wide_as_documents_and_draws_make_it(annotations: ModuleType) -> None:
    generator = np.random.default_rng(0)
    by_document = np.repeat(generator.standard_normal((1, 400)), 5, axis=0)
    by_draw = np.repeat(generator.standard_normal((5, 1)), 400, axis=1)
    for table, count in ((by_document, 400), (by_draw, 5)):
        low, high = annotations.resample_pairs([table])
        expected = 2 * 1.96 * table.std() / np.sqrt(count)
        assert high - low == pytest.approx(expected, rel=0.15), "repeating the same says no more"
