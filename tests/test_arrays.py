"""The ranking of classes that everything shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.arrays import find_best, split_rows


def test_best_columns_by_hand() -> None:
    scores = np.array([[0.1, 0.9, 0.5, 0.9, 0.0, 0.5, 0.5, 0.2, 0.3], [0] * 9], dtype=np.float32)
    assert find_best(scores, 2).tolist() == [[1, 3], [0, 1]], "of equals the first"
    assert find_best(scores, 4).tolist() == [[1, 3, 2, 5], [0, 1, 2, 3]]
    assert find_best(scores, 9)[0].tolist() == [1, 3, 2, 5, 6, 8, 7, 0, 4]
    assert find_best(scores[:0], 2).shape == (0, 2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 60), share=st.floats(0, 1), levels=st.integers(1, 30))
def test_best_columns_are_those_of_a_stable_sort(dtype: type, seed: int, width: int, share: float, levels: int) -> None:
    scores = np.random.default_rng(seed).integers(0, levels, (4, width)).astype(dtype) / dtype(4)
    k = max(1, round(share * width))
    assert find_best(scores, k).tolist() == np.argsort(-scores, axis=1, kind="stable")[:, :k].tolist()


def test_infinite_scores_are_scores() -> None:
    scores = np.full((1, 20), -np.inf, dtype=np.float32)
    scores[0, [3, 7]] = np.inf, 1
    assert find_best(scores, 4).tolist() == [[3, 7, 0, 1]]


def test_rows_are_split_where_they_start() -> None:
    parts = split_rows(np.array([7, 8, 9]), np.array([0, 2, 2, 3]))
    assert [part.tolist() for part in parts] == [[7, 8], [], [9]]
    assert split_rows(np.array([]), np.array([0])) == []
