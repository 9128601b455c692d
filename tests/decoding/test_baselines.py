"""Leaf priority and flat: against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoding_problems import PETS, as_row, found_paths, label_sets, problems
from hmltc_kedro.decoding.baselines import flat, leaf_priority
from hmltc_kedro.decoding.paths import union_paths
from hmltc_kedro.taxonomy import Taxonomy

# ---------------------------------------------------------------------- leaf priority


def test_leaf_priority_goes_up_from_the_best_leaf(diamond: Taxonomy) -> None:
    decoded = leaf_priority(PETS, diamond, n_paths=4)
    assert found_paths(decoded) == [(0, 3, 4), (0, 3, 5), (1, 6)]
    assert decoded.scores[0].tolist() == pytest.approx([0.7, 0.3, 0.1, -np.inf], rel=1e-6)
    # The leaf alone decides, whatever its root: the weakness of the baseline.
    assert found_paths(leaf_priority(as_row(0.9, 0.1, 0.9, 0.9, 0.5, 0.5, 0.6), diamond)) == [(1, 6)]
    # Ties: the first leaf, the first parent.
    assert found_paths(leaf_priority(np.full((1, 7), 0.5), diamond)) == [(0, 2, 4)]


def test_leaf_priority_refuses(diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="n_paths"):
        leaf_priority(PETS, diamond, n_paths=0)


@given(problems(), st.integers(1, 3), st.integers(1, 6))
def test_leaf_priority_is_path_consistent(problem: tuple[Taxonomy, np.ndarray], n_paths: int, block_size: int) -> None:
    taxonomy, probabilities = problem
    decoded = leaf_priority(probabilities, taxonomy, n_paths=n_paths)
    blocks = leaf_priority(probabilities, taxonomy, n_paths=n_paths, block_size=block_size)
    assert (decoded.paths == blocks.paths).all()
    assert (decoded.scores == blocks.scores).all()
    labels = label_sets(decoded, taxonomy, max_paths=n_paths, path_ratio=0.0)
    assert taxonomy.is_path_consistent(labels).all()
    leaves = taxonomy.leaves
    for document, row in enumerate(probabilities):
        found = found_paths(decoded, document)
        best = leaves[np.argsort(-row[leaves], kind="stable")][:n_paths].tolist()
        assert [path[-1] for path in found] == best
        assert all(path in taxonomy.iterate_paths([path[-1]]) for path in found)


# ---------------------------------------------------------------------- flat


def test_flat_takes_the_best_classes_wherever_they_are(diamond: Taxonomy) -> None:
    decoded = flat(PETS, diamond, max_labels=3)
    assert decoded.paths.tolist() == [[[0, -1, -1], [3, -1, -1], [4, -1, -1]]]
    assert decoded.paths.dtype == np.int32
    assert decoded.scores[0].tolist() == pytest.approx([0.9, 0.8, 0.7])
    assert found_paths(flat(PETS, diamond, max_labels=9)) == [(0,), (3,), (4,), (2,)]
    assert found_paths(flat(PETS, diamond, max_labels=9, threshold=0.0)) == [(0,), (3,), (4,), (2,), (5,), (1,), (6,)]
    # The best class stays, however unlikely; ties go to the first; a leaf comes without its parents.
    assert found_paths(flat(PETS, diamond, max_labels=2, threshold=1.0)) == [(0,)]
    assert found_paths(flat(np.full((1, 7), 0.3), diamond, max_labels=2)) == [(0,)]
    leaf = union_paths(flat(as_row(0.1, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1), diamond, max_labels=3), diamond)
    assert diamond.to_label_sets(leaf) == [["be"]]
    assert not diamond.is_path_consistent(leaf).any()


@given(problems(), st.integers(1, 12), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(1, 6))
def test_flat_agrees_with_sorting_each_row(
    problem: tuple[Taxonomy, np.ndarray], max_labels: int, threshold: float, block_size: int
) -> None:
    taxonomy, probabilities = problem
    decoded = flat(probabilities, taxonomy, max_labels=max_labels, threshold=threshold, block_size=block_size)
    assert decoded.paths.shape == (len(probabilities), max_labels, taxonomy.depth)
    for document, row in enumerate(probabilities):
        order = np.argsort(-row, kind="stable")[:max_labels].tolist()
        expected = [c for place, c in enumerate(order) if place == 0 or row[c] >= threshold]
        assert found_paths(decoded, document) == [(c,) for c in expected]
        scores = decoded.scores[document]
        assert scores[scores > -np.inf].tolist() == [row[c] for c in expected]


def test_flat_compares_in_the_precision_of_the_probabilities(diamond: Taxonomy) -> None:
    half = as_row(0.9, 0.1, 0.2, 0.1, 0.1, 0.1, 0.1).astype(np.float16)  # float16(0.2) < 0.2
    assert found_paths(flat(half, diamond, max_labels=7, threshold=0.2)) == [(0,), (2,)]


def test_flat_refuses(diamond: Taxonomy) -> None:
    for options in ({"max_labels": 0}, {"threshold": 1.1}, {"threshold": -0.1}, {"block_size": 0}):
        with pytest.raises(ValueError, match="max_labels"):
            flat(PETS, diamond, **options)  # type: ignore[arg-type]
