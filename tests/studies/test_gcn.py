"""The GCN study: cosines by hand, the sub-hierarchy and its map."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amazon import needs_amazon, read_amazon_taxonomy
from hmltc_kedro.errors import InputError
from hmltc_kedro.studies.gcn import find_map_root, lay_out_map, mean_cosine, measure_levels, project
from hmltc_kedro.taxonomy import Taxonomy


def draw_vectors(n: int, seed: int = 0, d: int = 5) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# ---------------------------------------------------------------------- cosines


def test_mean_cosine_by_hand() -> None:
    """Cosines 0, 0.6 and 0.8."""
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    assert mean_cosine(vectors) == pytest.approx((0 + 0.6 + 0.8) / 3)


@pytest.mark.parametrize("n", [0, 1])
def test_mean_cosine_needs_a_pair(n: int) -> None:
    assert np.isnan(mean_cosine(draw_vectors(n)))


@settings(max_examples=50)
@given(n=st.integers(2, 30), seed=st.integers(0, 999))
def test_mean_cosine_is_that_of_all_pairs(n: int, seed: int) -> None:
    vectors = draw_vectors(n, seed)
    pairs = (vectors @ vectors.T)[np.triu_indices(n, k=1)]
    assert mean_cosine(vectors) == pytest.approx(pairs.mean(), abs=1e-6)


def test_levels_of_the_diamond(diamond: Taxonomy) -> None:
    """Before: the roots at a right angle, all of level 2 the same. After: all seven the same."""
    before = np.array([[1, 0], [0, 1], [1, 0], [1, 0], [0.6, 0.8], [1, 0], [1, 0]], dtype=np.float32)
    after = np.tile(np.array([[0, 1]], dtype=np.float32), (7, 1))
    study = measure_levels(before, after, diamond, root=0)
    assert study["part"].tolist() == ["all"] * 3 + ["animals"] * 2
    assert study["level"].tolist() == [1, 2, 3, 1, 2]
    assert study["n_classes"].tolist() == [2, 3, 2, 2, 2]
    assert study["n_pairs"].tolist() == [1, 3, 1, 1, 1]
    assert study["mean_cosine_before"].tolist() == pytest.approx([0, 1, 0.6, 1, 0.6])
    assert study["mean_cosine_after"].tolist() == pytest.approx([1] * 5)


def test_a_single_class_has_no_pair() -> None:
    study = measure_levels(draw_vectors(1), draw_vectors(1), Taxonomy.from_edges([("a", "a")], []), root=0)
    assert study[["n_classes", "n_pairs"]].to_numpy().tolist() == [[1, 0]]
    assert study["mean_cosine_after"].isna().all()


# ---------------------------------------------------------------------- the sub-hierarchy


def test_root_with_the_most_classes_below_is_mapped(diamond: Taxonomy) -> None:
    assert find_map_root(diamond, None) == 0


@pytest.mark.parametrize(("wanted", "position"), [("ga", 1), ("garden", 1), ("cats", 3), ("an", 0)])
def test_class_is_found_by_id_or_name(diamond: Taxonomy, wanted: str, position: int) -> None:
    assert find_map_root(diamond, wanted) == position


def test_class_of_another_taxonomy_leaves_the_largest_root(diamond: Taxonomy, caplog: pytest.LogCaptureFixture) -> None:
    assert find_map_root(diamond, "baby_products") == 0
    assert "there is no class 'baby_products'; showing 'animals'" in caplog.text


def test_ambiguous_name_is_refused_with_the_ids() -> None:
    taxonomy = Taxonomy.from_edges([("a", "toys"), ("b", "toys")], [])
    with pytest.raises(InputError, match="2 classes are called 'toys'; give an id, one of a, b"):
        find_map_root(taxonomy, "toys")


def test_map_holds_the_class_and_all_below_it(diamond: Taxonomy) -> None:
    layout = lay_out_map(draw_vectors(7), draw_vectors(7, seed=1), diamond, 0, seed=42)
    assert layout["class_id"].tolist() == ["an", "do", "ca", "be", "ct"]
    assert layout["depth"].tolist() == [0, 1, 1, 2, 2]
    assert layout["group"].tolist() == ["an", "do", "ca", "do", "ca"], "pet_beds, below both, goes with the first"
    assert layout["path"][3] == "animals > dogs > pet beds"
    again = lay_out_map(draw_vectors(7), draw_vectors(7, seed=1), diamond, 0, seed=42)
    pd.testing.assert_frame_equal(layout, again)
    assert not np.allclose(layout["x_before"], layout["x_after"])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 40])
def test_any_number_of_classes_is_laid_out(n: int) -> None:
    plane = project(draw_vectors(n), seed=1)
    assert plane.shape == (n, 2)
    assert np.isfinite(plane).all()
    assert len(np.unique(plane.round(6), axis=0)) == n


def test_three_classes_keep_their_distances() -> None:
    vectors = draw_vectors(3)
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        plane = project(vectors, seed=1)
        assert np.linalg.norm(plane[i] - plane[j]) == pytest.approx(np.linalg.norm(vectors[i] - vectors[j]), abs=1e-6)


def test_neighbours_stay_neighbours() -> None:
    """Two tight bundles far apart: on the plane as well, each point's nearest is of its own."""
    centres = np.repeat(np.array([[1, 0, 0], [0, 1, 0]]), 20, axis=0)
    vectors = centres + 0.05 * np.random.default_rng(0).standard_normal((40, 3))
    plane = project(vectors.astype(np.float32), seed=1)
    distances = np.linalg.norm(plane[:, None] - plane, axis=2) + np.eye(40) * 1e9
    assert ((distances.argmin(axis=1) < 20) == (np.arange(40) < 20)).all()


# ---------------------------------------------------------------------- the paper's taxonomy


@needs_amazon
def test_the_papers_map_has_87_classes() -> None:
    taxonomy = read_amazon_taxonomy()
    root = find_map_root(taxonomy, "baby_products")
    layout = lay_out_map(draw_vectors(531), draw_vectors(531), taxonomy, root, seed=42)
    assert len(layout) == 87
    assert taxonomy.names[find_map_root(taxonomy, None)] == "toys_games"
