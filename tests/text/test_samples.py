"""Samples by content: new texts take a share of the places, and the others stay."""

import numpy as np
import pytest

from hmltc_kedro.text.samples import draw_rows, key_texts

TEXTS = [f"text {i}" for i in range(1000)]


def test_sample_is_of_the_texts_and_not_of_their_order() -> None:
    order = np.random.default_rng(0).permutation(len(TEXTS))
    shuffled = [TEXTS[i] for i in order]
    here, there = (draw_rows(key_texts(texts), 50, 7) for texts in (TEXTS, shuffled))
    assert [TEXTS[i] for i in here] == [shuffled[i] for i in there]
    assert len(set(here.tolist())) == 50


def test_added_texts_take_their_share_and_the_others_stay() -> None:
    before = set(draw_rows(key_texts(TEXTS), 500, 7).tolist())
    after = set(draw_rows(key_texts([*TEXTS, *(f"new {i}" for i in range(100))]), 500, 7).tolist())
    assert after - before == {row for row in after if row >= 1000}, "whoever comes in is new"
    assert 25 <= len(after - before) <= 70  # 500 x 100 / 1100 = 45, of a standard deviation of 5


def test_seeds_draw_independently_and_evenly() -> None:
    drawn = [set(draw_rows(key_texts(TEXTS), 100, seed).tolist()) for seed in range(40)]
    overlaps = [len(a & b) for a in drawn for b in drawn if a is not b]
    assert np.mean(overlaps) == pytest.approx(10, abs=0.5)
    counts = np.bincount([row for rows in drawn for row in rows], minlength=1000)
    assert counts.mean() == 4 and counts.max() < 16


def test_copies_of_one_text_have_keys_of_their_own() -> None:
    keys = key_texts(["a", "b", "a", "a"])
    assert len(set(keys.tolist())) == 4
    assert key_texts(["a", "a"]).tolist() == [keys[0], keys[2]]


@pytest.mark.parametrize(("count", "size", "drawn"), [(0, 5, 0), (3, 5, 3), (5, 0, 0)])
def test_sample_of_few_texts_is_all_of_them(count: int, size: int, drawn: int) -> None:
    assert len(draw_rows(key_texts(TEXTS[:count]), size, 0)) == drawn


def test_weights_say_how_likely_a_text_comes_first() -> None:
    keys = key_texts(TEXTS[:4])
    first = [int(draw_rows(keys, 1, seed, np.array([1.0, 2.0, 3.0, 4.0]))[0]) for seed in range(4000)]
    np.testing.assert_allclose(np.bincount(first, minlength=4) / 4000, [0.1, 0.2, 0.3, 0.4], atol=0.03)
    assert sorted(draw_rows(keys, 4, 0, np.array([1.0, 2.0, 3.0, 4.0])).tolist()) == [0, 1, 2, 3]
