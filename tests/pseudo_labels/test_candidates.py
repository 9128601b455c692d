"""Candidates: the formulas against brute force over the whole document-class matrix."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hmltc_kedro.pseudo_labels.candidates import (
    Candidates,
    Corpus,
    candidates_to_frame,
    find_nearest_class,
    iterate_candidates,
)
from hmltc_kedro.pseudo_labels.path_evidence import add_ancestors, label_best_path
from hmltc_kedro.pseudo_labels.second_look import fit_second_look
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.latent_words import LatentWords
from hmltc_kedro.text.lexical_view import LexicalView
from small_corpus import CORPUS

# ---------------------------------------------------------------------- neighbours


@pytest.mark.parametrize("bounds", [(0, 9), (0, 4, 8, 9), (2, 3)])
def test_corpus_is_drawn_towards_its_neighbours_block_by_block(
    documents: np.ndarray, lexical: LexicalView, neighbours: sparse.csr_array, bounds: tuple[int, ...]
) -> None:
    words = lexical.represent(CORPUS)
    corpus = Corpus(documents, words, neighbours, 0.3)
    drawn = 0.7 * np.eye(9) + 0.3 * neighbours.toarray()
    for start, end in pairwise(bounds):
        rows = slice(start, end)
        vectors, (scores, own) = corpus.read_vectors(rows), corpus.score_words(rows, lexical)
        assert vectors.dtype == scores.dtype == own.dtype == np.float32
        np.testing.assert_allclose(vectors, (drawn @ documents)[rows], atol=1e-6)
        np.testing.assert_allclose(scores, (drawn @ lexical.score(words))[rows], atol=1e-5)
        np.testing.assert_array_equal(own, lexical.score(words)[rows])


def test_corpus_without_neighbours_is_itself(documents: np.ndarray, lexical: LexicalView) -> None:
    words = lexical.represent(CORPUS)
    corpus = Corpus(documents, words)
    np.testing.assert_array_equal(corpus.read_vectors(slice(2, 5)), documents[2:5])
    for scores in corpus.score_words(slice(2, 5), lexical):
        np.testing.assert_array_equal(scores, lexical.score(words[2:5]))


# ---------------------------------------------------------------------- candidates


def collect(
    documents: np.ndarray | Corpus,
    views: dict[str, np.ndarray],
    lexical: LexicalView | None,
    taxonomy: Taxonomy,
    top_k: int = 4,
    prior: float = 3,
    ancestor_weight: float = 0,
    second_look: float = 0,
) -> list[Candidates]:
    if isinstance(documents, Corpus):
        corpus = documents
    else:
        corpus = Corpus(documents, lexical.represent(CORPUS) if lexical else None)
    return list(
        iterate_candidates(
            corpus,
            views,
            lexical,
            taxonomy,
            top_k=top_k,
            hubness_prior=prior,
            lexical_weight=0.5,
            ancestor_weight=ancestor_weight,
            second_look=second_look,
            seed=1,
        )
    )


def brute_force(
    documents: np.ndarray, views: dict[str, np.ndarray], lexical: LexicalView | None, drawn: np.ndarray | None = None
) -> np.ndarray:
    """Return the fused scores (N, C) by their formula, in float64, with the prior 3; `drawn` mixes documents (N, N)."""
    dense = np.mean([documents.astype(np.float64) @ v.T.astype(np.float64) for v in views.values()], axis=0)
    trust = (len(documents) / 7) / (len(documents) / 7 + 3)
    mean, variance = dense.mean(axis=0), dense.var(axis=0)
    mean = trust * mean + (1 - trust) * mean.mean()
    variance = trust * variance + (1 - trust) * variance.mean()
    fused = (dense - mean) / np.sqrt(variance)
    fused = fused if lexical is None else fused + 0.5 * lexical.score(lexical.represent(CORPUS))
    return fused if drawn is None else drawn @ fused


@pytest.mark.parametrize("with_words", [True, False])
def test_candidates_equal_brute_force(
    documents: np.ndarray, views: dict[str, np.ndarray], lexical: LexicalView, diamond: Taxonomy, with_words: bool
) -> None:
    words = lexical if with_words else None
    (found,) = collect(documents, views, words, diamond)
    fused = brute_force(documents, views, words)
    np.testing.assert_array_equal(found.classes, np.argsort(-fused, axis=1)[:, :4])
    np.testing.assert_allclose(found.scores["score_fused"], np.take_along_axis(fused, found.classes, axis=1), atol=1e-4)
    for name, view in views.items():
        cosines = np.take_along_axis(documents @ view.T, found.classes, axis=1)
        np.testing.assert_allclose(found.scores[f"score_{name}"], cosines, atol=1e-6)
    assert ("score_lexical" in found.scores) == with_words


def test_path_of_a_candidate_is_the_best_by_mean_score(
    documents: np.ndarray, views: dict[str, np.ndarray], lexical: LexicalView, diamond: Taxonomy
) -> None:
    (found,) = collect(documents, views, lexical, diamond, top_k=7)
    fused = brute_force(documents, views, lexical)
    for n, row in enumerate(found.classes):
        for k, c in enumerate(row):
            best = max(diamond.iterate_paths([int(c)]), key=lambda path, n=n: fused[n, list(path)].mean())
            assert found.paths[n, k][found.paths[n, k] >= 0].tolist() == list(best)
    ways = {tuple(path) for row in found.paths for path in row if path[2] == 4}
    assert ways == {(0, 2, 4), (0, 3, 4)}


@pytest.mark.parametrize("block", [2, 4096])
def test_classes_above_and_a_second_look_are_added(
    set_block: Callable[[int], None],
    documents: np.ndarray,
    views: dict[str, np.ndarray],
    lexical: LexicalView,
    diamond: Taxonomy,
    block: int,
) -> None:
    set_block(block)
    first = np.float32(brute_force(documents, views, lexical))
    words = lexical.represent(CORPUS)
    features = np.hstack([1.5 * documents, LatentWords.fit(words, 1).represent(words)])
    labels = label_best_path(first, diamond, 0.25)
    look = fit_second_look([(slice(0, 9), features)], labels, 1)
    fused, parents = add_ancestors(first + np.float32(0.3) * look.score(slice(0, 9), features), diamond, 0.25)
    for found in collect(documents, views, lexical, diamond, ancestor_weight=0.25, second_look=0.3):
        expected = fused[found.rows]
        np.testing.assert_array_equal(found.classes, np.argsort(-expected, axis=1)[:, :4])
        best = np.take_along_axis(expected, found.classes, axis=1)
        np.testing.assert_allclose(found.scores["score_fused"], best, atol=1e-4)
        np.testing.assert_array_equal(found.paths, diamond.trace_paths(parents[found.rows], found.classes))


@pytest.mark.parametrize("block", [2, 4096])
@pytest.mark.parametrize("with_words", [True, False])
def test_scores_are_drawn_towards_those_of_neighbours(
    set_block: Callable[[int], None],
    documents: np.ndarray,
    views: dict[str, np.ndarray],
    lexical: LexicalView,
    neighbours: sparse.csr_array,
    diamond: Taxonomy,
    with_words: bool,
    block: int,
) -> None:
    set_block(block)
    words = lexical if with_words else None
    corpus = Corpus(documents, lexical.represent(CORPUS) if with_words else None, neighbours, 0.4)
    # Scores are averaged here, vectors there: it comes to the same.
    fused = brute_force(documents, views, words, drawn=0.6 * np.eye(9) + 0.4 * neighbours.toarray())
    assert not np.allclose(fused, brute_force(documents, views, words), atol=0.1)
    for found in collect(corpus, views, words, diamond):
        rows, best = found.rows, found.classes
        np.testing.assert_array_equal(best, np.argsort(-fused[rows], axis=1)[:, :4])
        np.testing.assert_allclose(found.scores["score_fused"], np.take_along_axis(fused[rows], best, 1), atol=1e-4)
        # By view the scores are the document's own.
        own = {f"score_{name}": documents[rows] @ view.T for name, view in views.items()}
        if with_words:
            own["score_lexical"] = lexical.score(lexical.represent(CORPUS[rows]))
        assert set(found.scores) == {*own, "score_fused"}
        for name, scores in own.items():
            np.testing.assert_allclose(found.scores[name], np.take_along_axis(scores, best, 1), atol=1e-6)


def test_blocks_do_not_matter(
    set_block: Callable[[int], None],
    documents: np.ndarray,
    views: dict[str, np.ndarray],
    lexical: LexicalView,
    diamond: Taxonomy,
) -> None:
    keys = pd.DataFrame({"split": "train", "doc_id": [str(i) for i in range(len(CORPUS))]})
    whole = candidates_to_frame(iter(collect(documents, views, lexical, diamond)), keys, diamond)
    set_block(2)
    parts = collect(documents, views, lexical, diamond)
    assert [part.rows for part in parts] == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8), slice(8, 9)]
    pd.testing.assert_frame_equal(candidates_to_frame(iter(parts), keys, diamond), whole, atol=1e-5)


def test_more_candidates_than_classes_are_all_classes(
    documents: np.ndarray, views: dict[str, np.ndarray], diamond: Taxonomy
) -> None:
    (found,) = collect(documents, views, None, diamond, top_k=50)
    np.testing.assert_array_equal(np.sort(found.classes, axis=1), np.tile(np.arange(7), (len(documents), 1)))


def test_candidates_frame_has_a_row_a_document_and_rank(diamond: Taxonomy) -> None:
    def parts() -> Iterator[Candidates]:
        paths = np.array([[[0, 3, 4], [1, -1, -1]]])
        scores = {"score_fused": np.array([[2.0, 1.0]], np.float32)}
        yield Candidates(slice(0, 1), np.array([[4, 1]]), paths, scores)
        yield Candidates(slice(1, 2), np.array([[1, 4]]), paths[:, ::-1], scores)

    # An index that does not count from 0: documents may have been filtered.
    keys = pd.DataFrame({"split": ["train", "test"], "doc_id": ["0", "0"], "text": ["x", "y"]}, index=[7, 3])
    frame = candidates_to_frame(parts(), keys, diamond)
    assert frame.assign(path=frame["path"].map(list)).to_dict("list") == {
        "split": ["train", "train", "test", "test"],
        "doc_id": ["0"] * 4,
        "rank": [1, 2, 1, 2],
        "class_id": ["be", "ga", "ga", "be"],
        "path": [["an", "ca", "be"], ["ga"], ["ga"], ["an", "ca", "be"]],
        "score_fused": [2, 1, 2, 1],
    }


def test_nearest_class_equals_brute_force_whatever_the_blocks(
    set_block: Callable[[int], None], documents: np.ndarray, views: dict[str, np.ndarray]
) -> None:
    set_block(2)
    expected = (documents @ views["text"].T).argmax(axis=1)
    np.testing.assert_array_equal(find_nearest_class(documents, views["text"]), expected)
    assert find_nearest_class(documents[:0], views["text"]).shape == (0,)
