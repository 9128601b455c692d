"""Neighbours: as brute force finds them, and their means by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hmltc_kedro.errors import InputError
from hmltc_kedro.pseudo_labels import neighbourhood
from hmltc_kedro.pseudo_labels.candidates import (
    Corpus,
)
from hmltc_kedro.pseudo_labels.neighbourhood import average_neighbours, find_neighbours
from hmltc_kedro.text.windows import normalise
from unit_vectors import draw_unit_vectors


def nearest(documents: np.ndarray, n: int, k: int, among: np.ndarray) -> list[float]:
    """Return the k largest cosines of document n and others, by brute force."""
    return sorted((float(documents[n] @ documents[other]) for other in among if other != n), reverse=True)[:k]


@pytest.mark.parametrize("block", [7, 4096])
def test_neighbours_equal_brute_force(set_block: Callable[[int], None], block: int) -> None:
    set_block(block)
    documents = draw_unit_vectors(np.random.default_rng(5), 60)
    rows = find_neighbours(documents, 4, seed=0)
    assert (rows.shape, rows.dtype) == ((60, 4), np.int64)
    cosines = documents @ documents.T
    np.fill_diagonal(cosines, -np.inf)
    np.testing.assert_array_equal(rows, np.argsort(-cosines, axis=1)[:, :4])


def test_neighbours_of_a_large_corpus_are_the_nearest_of_a_sample(
    monkeypatch: pytest.MonkeyPatch, set_block: Callable[[int], None]
) -> None:
    monkeypatch.setattr(neighbourhood, "POOL", 20)
    set_block(16)
    documents = draw_unit_vectors(np.random.default_rng(6), 60)
    rows, again, other = (find_neighbours(documents, 3, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(rows, again)
    assert (rows != other).any()
    pool = np.unique(rows)
    assert len(pool) <= 20
    for n, near in enumerate(rows):
        assert len(set(near)) == 3 and n not in near
        np.testing.assert_allclose(documents[near] @ documents[n], nearest(documents, n, 3, pool), 1e-5)


def test_too_few_others_all_count() -> None:
    rows = find_neighbours(draw_unit_vectors(np.random.default_rng(7), 3), 10, seed=0)
    np.testing.assert_array_equal(np.sort(rows, axis=1), [[1, 2], [0, 2], [0, 1]])


@pytest.mark.parametrize(("n", "k"), [(1, 5), (3, 0)])
def test_document_without_neighbours_is_its_own(n: int, k: int) -> None:
    documents = draw_unit_vectors(np.random.default_rng(7), n)
    rows = find_neighbours(documents, k, seed=0)
    assert (rows.shape, rows.dtype) == ((n, 0), np.int64)
    weights = average_neighbours(rows)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights.toarray(), np.eye(n))
    # So that its score stays its own, whatever the neighbours' share.
    corpus = Corpus(documents, None, weights, 1.0)
    np.testing.assert_array_equal(corpus.read_vectors(slice(0, n)), documents)


def test_mean_of_neighbours_by_hand() -> None:
    weights = average_neighbours(np.array([[2, 1], [0, 2], [1, 0]]))
    assert (weights.format, weights.dtype) == ("csr", np.float32)
    np.testing.assert_array_equal(weights.toarray(), [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    np.testing.assert_array_equal(weights @ np.array([2.0, 4.0, 8.0]), [6, 5, 3])
    lopsided = average_neighbours(np.array([[3], [0], [3], [0]]))
    np.testing.assert_array_equal(lopsided @ np.array([1.0, 2.0, 3.0, 4.0]), [4, 1, 4, 1])


def test_document_among_its_duplicates_is_not_its_own_neighbour() -> None:
    documents = np.tile(draw_unit_vectors(np.random.default_rng(8), 1), (6, 1))
    rows = find_neighbours(documents, 2, seed=0)
    assert rows.shape == (6, 2)
    assert all(len({n, *near}) == 3 for n, near in enumerate(rows))


@given(
    documents=arrays(np.float32, st.tuples(st.integers(2, 12), st.just(3)), elements=st.integers(1, 3).map(float)),
    k=st.integers(1, 5),
)
def test_neighbours_of_any_corpus_are_nearest_others_of_equal_weight(documents: np.ndarray, k: int) -> None:
    documents = normalise(documents)
    n = len(documents)
    rows = find_neighbours(documents, k, seed=0)
    k = min(k, n - 1)
    for row, near in enumerate(rows):
        assert len(set(near)) == k and row not in near
        np.testing.assert_allclose(
            documents[near] @ documents[row], nearest(documents, row, k, np.arange(n)), atol=1e-5
        )
    weights = average_neighbours(rows)
    assert weights.nnz == n * k
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("row", [-1, 3, 2**40])
def test_row_that_there_is_not_is_refused(row: int) -> None:
    with pytest.raises(InputError) as refused:
        average_neighbours(np.array([[1], [0], [row]]))
    assert str(refused.value) == f"entry `document_neighbours`: there is no row {row} of 3; run `kedro refresh`"
