"""Child thresholds: by hand, and as their definition says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoding_problems import PETS, as_row, label_sets, problems
from hmltc_kedro.decoding.beam import beam_search
from hmltc_kedro.decoding.thresholds import child_thresholds
from hmltc_kedro.taxonomy import Taxonomy


def test_fixed_thresholds(diamond: Taxonomy) -> None:
    thresholds = child_thresholds(PETS, diamond, value=0.25)
    assert thresholds.dtype == np.float32
    assert thresholds.tolist() == [0, 0, *[0.25] * 5]


def test_quantiles_by_hand(diamond: Taxonomy) -> None:
    # Level 2 (do, ca, to; all below roots): 0.75, 0.5, 0.25 and 0.125 three times.
    probabilities = np.array(
        [
            [0.9, 0.1, 0.75, 0.5, 0.875, 0.0625, 0.25],
            [0.1, 0.9, 0.125, 0.125, 1.0, 1.0, 0.125],
        ],
        dtype=np.float32,
    )
    level = child_thresholds(probabilities, diamond, method="level_quantile", value=0.5)
    # The third of six is 0.125: every parent is active, so be, ct give 0.0625, 0.875, 1, 1.
    assert level.tolist() == [0, 0, 0.125, 0.125, 0.875, 0.875, 0.125]
    level = child_thresholds(probabilities, diamond, method="level_quantile", value=0.75)
    # The fifth of six is 0.5: do and ca are active in the first document alone: 0.0625, 0.875.
    assert level.tolist() == [0, 0, 0.5, 0.5, 0.875, 0.875, 0.5]
    one = child_thresholds(probabilities, diamond, method="quantile", value=0.5)
    # At 0.125 all ten pairs count, and 4 of them reach no higher. Just above it do and ca of the
    # second document close, 8 pairs are left, and 4 of these reach no higher.
    just_above = float(np.nextafter(np.float16(0.125), np.float16(1)))
    assert one.tolist() == [0, 0, *[just_above] * 5]


def test_quantile_of_saturated_probabilities_leaves_children_open(diamond: Taxonomy) -> None:
    ones = np.ones((3, 7), dtype=np.float16)
    for method in ("quantile", "level_quantile"):
        for value in (0.0, 0.5, 1.0):
            thresholds = child_thresholds(ones, diamond, method=method, value=value)  # type: ignore[arg-type]
            assert thresholds.tolist() == [0, 0, 1, 1, 1, 1, 1]


def test_a_level_below_inactive_parents_inherits(diamond: Taxonomy) -> None:
    row = as_row(1, 1, 0.25, 0.25, 0.5, 0.5, 0.75)
    thresholds = child_thresholds(row, diamond, method="level_quantile", value=1.0)
    assert thresholds.tolist() == [0, 0, *[0.75] * 5]


def test_child_thresholds_without_edges_or_documents(diamond: Taxonomy) -> None:
    flat = Taxonomy.from_edges([("a", "a"), ("b", "b")], [])
    assert child_thresholds(np.zeros((0, 2)), flat, method="quantile").tolist() == [0, 0]
    with pytest.raises(ValueError, match="at least one document"):
        child_thresholds(np.zeros((0, 7)), diamond, method="quantile")
    assert child_thresholds(np.zeros((0, 7)), diamond).tolist() == [0, 0, *[0.5] * 5]


def test_child_thresholds_refuses(diamond: Taxonomy) -> None:
    with pytest.raises(ValueError, match="no method 'median'"):
        child_thresholds(PETS, diamond, method="median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="value 1.5"):
        child_thresholds(PETS, diamond, value=1.5)


def round_down(row: np.ndarray) -> np.ndarray:
    half = row.astype(np.float16)
    return np.where(half > row, np.nextafter(half, np.float16(-1)), half).astype(np.float32)


def is_active(row: np.ndarray, taxonomy: Taxonomy, threshold: np.ndarray, below: int) -> list[bool]:
    """Return which classes of a level above `below` are active, by the words of the docstring."""
    active = taxonomy.is_root.tolist()
    for c in taxonomy.topological_order:
        if taxonomy.parents[c] and taxonomy.levels[c] < below:
            active[c] = bool(row[c] >= threshold[c]) and any(active[p] for p in taxonomy.parents[c])
    return active


@given(problems(), st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9, 1.0]), st.integers(1, 6))
def test_quantiles_agree_with_their_definition(
    problem: tuple[Taxonomy, np.ndarray], value: float, block_size: int
) -> None:
    taxonomy, probabilities = problem
    if not taxonomy.n_edges:
        return
    down = round_down(probabilities)
    candidates = np.unique(down)
    n_levels = int(taxonomy.levels.max())
    inner = [c for c in range(len(taxonomy)) if taxonomy.parents[c]]

    def observe(threshold: np.ndarray, classes: list[int], below: int) -> np.ndarray:
        return np.array(
            [
                row[c]
                for row in down
                for active in [is_active(row, taxonomy, threshold, below)]
                for c in classes
                if any(active[p] for p in taxonomy.parents[c])
            ]
        )

    def holds(t: float) -> bool:
        seen = observe(np.full(len(taxonomy), t), inner, below=n_levels + 1)
        return (seen <= t).sum() >= max(value * len(seen) - 1e-9, 1)

    thresholds = child_thresholds(probabilities, taxonomy, method="quantile", value=value, block_size=block_size)
    found = float(thresholds[inner[0]])
    assert set(thresholds[inner].tolist()) == {found}
    assert holds(found)
    # Between two observed numbers more parents close; just above each is where that happens.
    grid = [c for t in candidates for c in (t, np.nextafter(np.float16(t), np.float16(2)))]
    assert not any(holds(float(t)) for t in grid if t < found)

    levelwise = child_thresholds(probabilities, taxonomy, method="level_quantile", value=value, block_size=block_size)
    for level in range(2, n_levels + 1):
        classes = np.flatnonzero(taxonomy.levels == level).tolist()
        seen = observe(levelwise, classes, below=level)
        if len(seen):
            expected = float(np.quantile(seen, value, method="inverted_cdf"))
        else:
            expected = float(levelwise[taxonomy.levels == level - 1].max())
        assert set(levelwise[classes].tolist()) == {expected}


def test_quantile_thresholds_steer_the_share_of_open_children(diamond: Taxonomy) -> None:
    probabilities = np.random.default_rng(0).random((4000, 7), dtype=np.float32)
    for value in (0.3, 0.8):
        thresholds = child_thresholds(probabilities, diamond, method="level_quantile", value=value)
        share = (probabilities[:, [2, 3, 6]] >= thresholds[[2, 3, 6]]).mean()
        assert share == pytest.approx(1 - value, abs=2e-3)
        labels = label_sets(beam_search(probabilities, diamond, child_threshold=thresholds), diamond)
        assert diamond.is_path_consistent(labels).all()
