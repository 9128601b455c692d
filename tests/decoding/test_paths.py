"""From decoded paths to label sets."""

import numpy as np
import pytest

from decoding_problems import PETS, label_sets
from hmltc_kedro.decoding.beam import beam_search
from hmltc_kedro.decoding.paths import DecodedPaths
from hmltc_kedro.taxonomy import Taxonomy


def test_label_sets_are_unions_of_good_paths(diamond: Taxonomy) -> None:
    decoded = beam_search(PETS, diamond)  # scores 0.796 and 0.2; dogs is a worse way to the same beds
    for max_paths, ratio, expected in [
        (1, 1.0, ["an", "ca", "be"]),
        (1, 0.0, ["an", "ca", "be"]),
        (2, 1.0, ["an", "ca", "be"]),
        (2, 0.9, ["an", "ca", "be"]),
        (9, 0.2, ["an", "ga", "ca", "be"]),
        (9, 0.0, ["an", "ga", "ca", "be"]),
    ]:
        labels = label_sets(decoded, diamond, max_paths=max_paths, path_ratio=ratio)
        assert diamond.to_label_sets(labels) == [expected]
        assert labels.dtype == np.int32
        assert set(labels.data.tolist()) == {1}
        assert labels.has_sorted_indices


def test_a_tie_of_the_best_is_taken_at_ratio_one(diamond: Taxonomy) -> None:
    decoded = beam_search(np.full((1, 7), 0.5, dtype=np.float32), diamond)
    labels = label_sets(decoded, diamond, max_paths=2)
    assert labels.toarray().tolist() == [[1, 0, 1, 1, 1, 1, 0]]


def test_a_document_without_a_path_has_no_label(diamond: Taxonomy) -> None:
    nothing = DecodedPaths(np.full((2, 1, 3), -1, dtype=np.int32), np.full((2, 1), -np.inf, dtype=np.float32))
    assert label_sets(nothing, diamond, path_ratio=0.0).nnz == 0


def test_choose_paths_refuses(diamond: Taxonomy) -> None:
    decoded = beam_search(PETS, diamond)
    for options in ({"max_paths": 0}, {"path_ratio": 1.1}, {"path_ratio": -0.1}):
        with pytest.raises(ValueError, match="max_paths"):
            label_sets(decoded, diamond, **options)  # type: ignore[arg-type]
