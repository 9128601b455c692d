"""The settings choose the method."""

import pytest

from decoding_problems import PETS, Path, found_paths
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.taxonomy import Taxonomy


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("top_down", [(0, 3, 4)]),  # path_ratio 1: the best path and its ties
        ("leaf_priority", [(0, 3, 4)]),
        ("flat", [(0,), (3,), (4,)]),
    ],
)
def test_settings_choose_the_method(diamond: Taxonomy, method: str, expected: list[Path]) -> None:
    chosen = DecodingSettings.model_validate({"method": method, "max_paths": 3})
    assert found_paths(decode(PETS, diamond, chosen)) == expected


def test_flat_reads_the_threshold_and_the_number_of_labels_alone(diamond: Taxonomy) -> None:
    chosen = DecodingSettings(
        method="flat", max_paths=5, child_threshold=0.65, min_length=3, path_ratio=1.0, threshold_method="quantile"
    )
    assert found_paths(decode(PETS, diamond, chosen)) == [(0,), (3,), (4,)]
