"""The settings choose the method."""

import numpy as np
import pytest

from decoding_problems import PETS, Path, found_paths
from hmltc_kedro.decoding.blocks import round_digits
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.modeling.classifier import squash
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


def test_a_document_far_from_every_class_gets_the_nearest_and_not_the_first(diamond: Taxonomy) -> None:
    # In half precision all of these are 0, and the first root is as good as any.
    logits = np.array([[-40, -20, -60, -60, -60, -60, -30], [-18, -25, -19, -60, -17.5, -60, -60]], dtype=np.float32)
    probabilities = squash(logits)
    assert not probabilities.astype(np.float16).any()
    for method, expected in {"top_down": [(1,), (0,)], "leaf_priority": [(1, 6), (0, 2, 4)]}.items():
        decoded = decode(probabilities, diamond, DecodingSettings.model_validate({"method": method}))
        assert [found_paths(decoded, n)[0] for n in range(2)] == expected


def test_a_threshold_has_the_digits_of_the_probabilities(diamond: Taxonomy) -> None:
    row = round_digits(np.array([[0.9, 0.1, 0.2, 0.1, 0.1, 0.1, 0.1]], dtype=np.float32))
    assert row[0, 2] < np.float32(0.2), "0.2 has no eleven digits"
    for method in ("top_down", "flat"):
        settings = DecodingSettings.model_validate(
            {"method": method, "child_threshold": 0.2, "max_paths": 2, "path_ratio": 0.0}
        )
        assert 2 in decode(row, diamond, settings).paths
