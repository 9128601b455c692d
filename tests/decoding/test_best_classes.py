"""The best classes of each document read like all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoding_problems import problems
from hmltc_kedro.decoding import best_classes
from hmltc_kedro.decoding.beam import beam_search
from hmltc_kedro.decoding.best_classes import BestClasses, keep_best, open_probabilities, store_probabilities
from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.taxonomy import Taxonomy
from large_graphs import make_star, within


def test_a_kept_class_brings_those_above_it(diamond: Taxonomy) -> None:
    # an, ga, do, ca, be (below do and ca), ct (below ca), to (below ga)
    row = np.array([[0.1, 0.5, 0.2, 0.05, 0.9, 0.6, 0.4]], dtype=np.float32)
    best = keep_best(row, diamond, 4)
    assert best.classes.tolist() == [[0, 2, 3, 4]], "beds, and all that is above them"
    assert best[:].tolist() == [pytest.approx([0.1, 0, 0.2, 0.05, 0.9, 0, 0])]
    assert keep_best(row, diamond, 1).classes.tolist() == [[0]], "a root in any case"
    assert keep_best(np.zeros((1, 7), dtype=np.float32), diamond, 3).classes[0].tolist() == [0, 1, 2]


@given(problems(), st.integers(1, 9))
def test_what_is_kept_hangs_together_and_holds_the_best(problem: tuple[Taxonomy, np.ndarray], k: int) -> None:
    taxonomy, probabilities = problem
    k = min(k, len(taxonomy))
    best = keep_best(probabilities, taxonomy, k)
    for row, kept in zip(probabilities, best.classes.tolist(), strict=True):
        assert len(set(kept)) == k and kept == sorted(kept)
        assert all(p in kept for c in kept for p in taxonomy.parents[c])
        left = [c for c in range(len(taxonomy)) if c not in kept]
        ends = [c for c in kept if not set(kept) & set(taxonomy.children[c])]
        below = {c: taxonomy.close_descendants(taxonomy.to_matrix([[taxonomy.class_ids[c]]])).indices for c in ends}
        worst = min(row[below[c]].max() for c in ends)
        assert all(row[c] <= worst for c in left)


@given(problems(), st.data())
def test_it_reads_like_the_dense_array(problem: tuple[Taxonomy, np.ndarray], data: st.DataObject) -> None:
    taxonomy, probabilities = problem
    n, n_classes = probabilities.shape
    best = keep_best(probabilities, taxonomy, data.draw(st.integers(1, n_classes)))
    dense = np.zeros_like(probabilities)
    np.put_along_axis(dense, best.classes, np.take_along_axis(probabilities, best.classes, axis=1), axis=1)
    assert (best.shape, best.ndim, best.dtype, len(best)) == (dense.shape, 2, dense.dtype, n)
    rows = np.array(data.draw(st.lists(st.integers(0, n - 1))), dtype=np.int64)
    classes = np.array(data.draw(st.lists(st.integers(0, n_classes - 1), min_size=3, max_size=3)))
    np.testing.assert_array_equal(best[1:], dense[1:])
    np.testing.assert_array_equal(best[rows], dense[rows])
    np.testing.assert_array_equal(best.take(rows)[:], dense[rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(best_classes, "BLOCK", 2)
        np.testing.assert_array_equal(best[rows[:, None], classes], dense[rows[:, None], classes])
    whole = keep_best(probabilities, taxonomy, n_classes)
    for options in ({"child_threshold": 0.5}, {"child_threshold": 0.0}):
        a, b = (beam_search(p, taxonomy, **options) for p in (whole, probabilities))
        np.testing.assert_array_equal(a.paths, b.paths)


@pytest.mark.parametrize("method", ["top_down", "leaf_priority", "flat", "expected_f1"])
def test_all_decoders_take_it(diamond: Taxonomy, method: str) -> None:
    probabilities = np.random.default_rng(3).random((9, 7)).astype(np.float32)
    settings = DecodingSettings.model_validate({"method": method, "max_paths": 2})
    best = keep_best(probabilities, diamond, 5)
    np.testing.assert_array_equal(decode(best, diamond, settings).paths, decode(best[:], diamond, settings).paths)  # type: ignore[arg-type]


def test_a_small_taxonomy_is_stored_whole_and_a_large_one_by_its_best(
    diamond: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    probabilities = np.random.default_rng(0).random((3, 7)).astype(np.float32)
    blocks = [(np.array([2, 0]), probabilities[[2, 0]]), (np.array([1]), probabilities[[1]])]
    whole = store_probabilities(iter(blocks), ["a", "b", "c"], diamond)
    assert list(whole.arrays) == ["probabilities"] and whole.columns == diamond.class_ids
    np.testing.assert_array_equal(open_probabilities(whole), probabilities)
    np.testing.assert_array_equal(open_probabilities(whole, np.array([2, 1])), probabilities[[2, 1]])
    monkeypatch.setattr(best_classes, "MAX_DENSE", 6)
    monkeypatch.setattr(best_classes, "KEPT", 5)
    best = store_probabilities(iter(blocks), ["a", "b", "c"], diamond)
    assert {name: array.shape for name, array in best.arrays.items()} == {"probabilities": (3, 5), "classes": (3, 5)}
    expected = keep_best(probabilities, diamond, 5)
    opened = open_probabilities(best)
    assert isinstance(opened, BestClasses)
    np.testing.assert_array_equal(opened[:], expected[:])
    np.testing.assert_array_equal(open_probabilities(best, np.array([2, 1]))[:], expected[:][[2, 1]])


def test_what_is_stored_of_ten_thousand_classes_does_not_grow_with_them() -> None:
    star = make_star(10_000)
    block = np.random.default_rng(0).random((64, 10_000), dtype=np.float32)
    blocks = ((np.arange(start, start + 64), block) for start in range(0, 512, 64))
    with within(2, 60):
        table = store_probabilities(blocks, [str(n) for n in range(512)], star)
    assert sum(array.nbytes for array in table.arrays.values()) == 512 * 256 * 12
    np.testing.assert_array_equal(table["classes"][:, 0], 0)
