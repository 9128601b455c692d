"""Scores without labels: the formulas against brute force over the whole document-class matrix."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from hmltc_kedro.enrichment.class_texts import embed_classes, write_class_texts, write_lexical_texts, write_path_texts
from hmltc_kedro.pseudo_labels import candidates, neighbourhood, reliability
from hmltc_kedro.pseudo_labels import moments as moments_module
from hmltc_kedro.pseudo_labels.candidates import (
    Candidates,
    Corpus,
    candidates_to_frame,
    find_nearest_class,
    iterate_candidates,
)
from hmltc_kedro.pseudo_labels.moments import estimate_moments, measure_spread
from hmltc_kedro.pseudo_labels.neighbourhood import average_neighbours, find_neighbours
from hmltc_kedro.pseudo_labels.reliability import (
    ViewWeights,
    average_views,
    choose_neighbour_share,
    measure_reliability,
    split_halves,
    weigh_lexical_view,
    weigh_views,
)
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.windows import normalise
from small_corpus import CORPUS, DESCRIPTIONS

# Shared machines stall: a slow example is no failure.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


def set_block(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    for module in (candidates, moments_module, neighbourhood):
        monkeypatch.setattr(module, "BLOCK", size)


def unit(rng: np.random.Generator, n: int, d: int = 6) -> np.ndarray:
    # An offset, so that means differ from class to class.
    return normalise((rng.normal(size=(n, d)) + 0.5).astype(np.float32))


@pytest.fixture
def views() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {"text": unit(rng, 7), "path": unit(rng, 7)}


@pytest.fixture
def documents() -> np.ndarray:
    return unit(np.random.default_rng(2), len(CORPUS))


@pytest.fixture
def lexical(diamond: Taxonomy) -> LexicalView:
    return LexicalView.fit(CORPUS, write_lexical_texts(diamond, DESCRIPTIONS))


# ---------------------------------------------------------------------- what stands for a class


def test_class_text_is_the_papers(diamond: Taxonomy) -> None:
    texts = write_class_texts(diamond, DESCRIPTIONS)
    assert texts[2] == "Class Name: dogs ; Keywords: puppy, leash ; Description: description 2"
    assert texts[4] == "Class Name: pet beds ; Keywords: cushion ; Description: description 4"


def test_class_with_two_parents_has_a_path_text_for_each(diamond: Taxonomy) -> None:
    texts, owners = write_path_texts(diamond)
    assert [t for t, owner in zip(texts, owners, strict=True) if owner == 4] == [
        "animals > dogs > pet beds",
        "animals > cats > pet beds",
    ]
    assert [t for t, owner in zip(texts, owners, strict=True) if owner == 0] == ["animals"]
    assert len(texts) == diamond.n_edges + len(diamond.roots)


def test_path_view_of_two_parents_is_the_normalised_mean_of_both_paths(diamond: Taxonomy, encoder: TextEncoder) -> None:
    views = embed_classes(encoder, diamond, DESCRIPTIONS)
    by_dogs, by_cats, tools = encoder.encode(
        ["animals > dogs > pet beds", "animals > cats > pet beds", "garden > tools"]
    )
    mean = by_dogs + by_cats
    np.testing.assert_allclose(views["path"][4], mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(views["path"][6], tools, atol=1e-6)
    np.testing.assert_array_equal(views["text"], encoder.encode(write_class_texts(diamond, DESCRIPTIONS)))
    for view in views.values():
        assert (view.shape, view.dtype) == ((7, 384), np.float32)
        np.testing.assert_allclose(np.linalg.norm(view, axis=1), 1, atol=1e-5)


# ---------------------------------------------------------------------- moments


@pytest.mark.parametrize("block", [2, 4096])
def test_moments_without_prior_are_those_of_the_score_matrix(
    monkeypatch: pytest.MonkeyPatch, documents: np.ndarray, views: dict[str, np.ndarray], block: int
) -> None:
    set_block(monkeypatch, block)
    moments = estimate_moments(documents, views["text"], prior=0)
    scores = documents.astype(np.float64) @ views["text"].T.astype(np.float64)
    np.testing.assert_allclose(moments.mean, scores.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(moments.std, scores.std(axis=0), atol=1e-5)


def test_moments_are_shrunk_as_worked_out_by_hand() -> None:
    # 4 documents, 2 classes: n = 2 a class. Prior 6: a quarter of trust in each class's own moments.
    documents = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    moments = estimate_moments(documents, np.eye(2, dtype=np.float32), prior=6)
    # Means 3/4 and 1/4, around 1/2; variances both 3/16.
    np.testing.assert_allclose(moments.mean, [0.5 + 0.25 / 4, 0.5 - 0.25 / 4], atol=1e-6)
    np.testing.assert_allclose(moments.std, np.sqrt([3 / 16, 3 / 16]), atol=1e-6)


def test_variances_are_shrunk_as_worked_out_by_hand() -> None:
    # The second class never varies: variances 1/4 and 0, mean 1/8; n = 1 and prior 1: half of the trust.
    documents = np.array([[1, 0], [0, 0]], np.float32)
    moments = estimate_moments(documents, np.eye(2, dtype=np.float32), prior=1)
    np.testing.assert_allclose(moments.std**2, [3 / 16, 1 / 16], atol=1e-6)


def test_infinite_prior_keeps_the_order_of_plain_cosine(documents: np.ndarray, views: dict[str, np.ndarray]) -> None:
    moments = estimate_moments(documents, views["text"], prior=np.inf)
    scores = documents @ views["text"].T
    assert len(set(moments.mean.tolist())) == len(set(moments.std.tolist())) == 1
    np.testing.assert_array_equal(np.argsort(moments.standardise(scores)), np.argsort(scores))


def test_classes_that_never_vary_do_not_divide_by_zero() -> None:
    documents = np.array([[1, 0], [1, 0]], np.float32)
    moments = estimate_moments(documents, np.eye(2, dtype=np.float32), prior=0)
    assert np.isfinite(moments.standardise(documents)).all()


def test_spread_is_that_of_a_class_over_the_documents(documents: np.ndarray, views: dict[str, np.ndarray]) -> None:
    scores = documents.astype(np.float64) @ views["text"].T
    assert measure_spread(documents, views["text"]) == pytest.approx(np.sqrt(scores.var(axis=0).mean()), rel=1e-4)


def test_cosine_with_averaged_views_is_their_mean_cosine(documents: np.ndarray, views: dict[str, np.ndarray]) -> None:
    mean = np.mean([documents @ view.T for view in views.values()], axis=0)
    averaged = average_views(views)
    assert averaged.dtype == np.float32
    np.testing.assert_allclose(documents @ averaged.T, mean, atol=1e-6)


# ---------------------------------------------------------------------- reliability


@pytest.mark.parametrize(
    ("text", "halves"),
    [
        ("one two three", ("one two", "three")),
        ("  one\n\ttwo ", ("one", "two")),
        ("kettle", ("ket", "tle")),
        ("手机壳", ("手机", "壳")),
        ("a", ("a", "")),
        ("", ("", "")),
    ],
)
def test_text_is_halved_by_words_or_else_by_characters(text: str, halves: tuple[str, str]) -> None:
    assert split_halves(text) == halves


@given(st.text())
def test_halves_have_all_words_and_differ_by_one_at_most(text: str) -> None:
    first, second = split_halves(text)
    words = text.split()
    if len(words) > 1:
        assert first.split() + second.split() == words
        assert len(first.split()) - len(second.split()) in (0, 1)
    else:
        assert first + second == text
        assert len(first) - len(second) in (0, 1)


def centre(scores: np.ndarray) -> np.ndarray:
    scores = scores.astype(np.float64)
    return scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()


def test_reliability_is_as_worked_out_by_hand() -> None:
    # Rows and columns sum to 0 already: 2 / sqrt(4 * 4).
    first = np.array([[1, 0, -1], [-1, 0, 1]], np.float32)
    second = np.array([[1, -1, 0], [-1, 1, 0]], np.float32)
    assert measure_reliability(first, second) == pytest.approx(0.5)
    assert measure_reliability(first, -second) == 0, "a negative correlation counts as none"


def test_reliability_is_the_correlation_of_what_classes_and_documents_do_not_explain() -> None:
    rng = np.random.default_rng(3)
    true = rng.normal(size=(50, 7))
    first, second = (np.float32(true + rng.normal(size=(50, 7))) for _ in range(2))
    expected = np.corrcoef(centre(first).ravel(), centre(second).ravel())[0, 1]
    assert 0.4 < expected < 0.6
    assert measure_reliability(first, second) == pytest.approx(expected, abs=1e-5)
    hubs, lengths = 5 * rng.normal(size=(1, 7)), 5 * rng.normal(size=(50, 1))
    shifted = np.float32(3 * second + hubs + lengths)
    assert measure_reliability(first, shifted) == pytest.approx(expected, abs=1e-4)
    assert measure_reliability(first, np.float32(2 * first + hubs)) == pytest.approx(1, abs=1e-5)


def test_independent_scores_have_next_to_no_reliability() -> None:
    rng = np.random.default_rng(4)
    common = rng.normal(size=(1, 20)) * 10  # hubs: what all texts have in common is no agreement
    first, second = (np.float32(common + rng.normal(size=(500, 20))) for _ in range(2))
    assert measure_reliability(first, second) < 0.03


@pytest.mark.parametrize("scores", [np.zeros((4, 3)), np.ones((1, 3)), np.arange(4.0)[:, None]])
def test_scores_that_say_nothing_have_no_reliability(scores: np.ndarray) -> None:
    assert measure_reliability(np.float32(scores), np.float32(scores)) == 0


@pytest.mark.parametrize(
    ("dense", "words", "weight"),
    [(0.64, 0.25, 0.625), (0.5, 0.5, 1), (0.1, 0.9, 2), (0, 0.1, 2), (1, 0.04, 0.25), (0, 0, 0.25), (1, 0, 0.25)],
)
def test_lexical_weight_by_hand(dense: float, words: float, weight: float) -> None:
    assert weigh_lexical_view(dense, words) == pytest.approx(weight)


@pytest.mark.parametrize(("reliability", "share"), [(1, 0), (0, 0.5), (0.2, 0.5), (1 / 3, 0.5), (0.6, 0.25)])
def test_neighbour_share_by_hand(reliability: float, share: float) -> None:
    assert choose_neighbour_share(reliability) == pytest.approx(share)


class CharacterEncoder:
    """Stands for an encoder: a text is the counts of six letters, at unit length."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return normalise(np.array([[text.count(letter) for letter in "aeostd"] for text in texts], np.float32))


def weigh(
    views: dict[str, np.ndarray], lexical: LexicalView, encoder: CharacterEncoder | None, **options: object
) -> ViewWeights:
    options = {"fixed_lexical_weight": None, "with_neighbours": True, "seed": 1, **options}
    return weigh_views(CORPUS, views, lexical, encoder, **options)


def test_views_are_weighed_by_what_their_halves_agree_on(views: dict[str, np.ndarray], lexical: LexicalView) -> None:
    found = weigh(views, lexical, CharacterEncoder())
    halves = [[split_halves(text)[part] for text in CORPUS] for part in range(2)]
    dense = [CharacterEncoder().encode(texts) @ np.mean(list(views.values()), axis=0).T for texts in halves]
    words = [lexical.score(lexical.represent(texts)) for texts in halves]
    r_dense, r_words = (np.corrcoef(*(centre(half).ravel() for half in view))[0, 1] for view in (dense, words))
    assert 0 < r_words and 0 < r_dense < 1, "else the weights would say little here"
    assert found.n_documents == len(CORPUS)
    assert found.dense_reliability == pytest.approx(r_dense, abs=1e-5)
    assert found.lexical_reliability == pytest.approx(r_words, abs=1e-5)
    assert found.lexical_weight == pytest.approx(np.clip(np.sqrt(r_words / r_dense), 0.25, 2), abs=1e-4)
    assert found.neighbour_share == pytest.approx(min(1 - 2 * r_dense / (1 + r_dense), 0.5), abs=1e-4)


def test_nothing_is_measured_where_nothing_depends_on_it(views: dict[str, np.ndarray], lexical: LexicalView) -> None:
    found = weigh(views, lexical, None, fixed_lexical_weight=0.3, with_neighbours=False)
    assert found == ViewWeights(0, None, None, 0.3, 0.0)


def test_fixed_weight_stays_and_the_share_is_measured(views: dict[str, np.ndarray], lexical: LexicalView) -> None:
    measured = weigh(views, lexical, CharacterEncoder())
    fixed = weigh(views, lexical, CharacterEncoder(), fixed_lexical_weight=0.3)
    assert fixed.lexical_weight == 0.3 != measured.lexical_weight
    assert fixed.neighbour_share == measured.neighbour_share
    alone = weigh(views, lexical, CharacterEncoder(), with_neighbours=False)
    assert (alone.lexical_weight, alone.neighbour_share) == (measured.lexical_weight, 0)


def test_view_without_words_has_the_least_weight(views: dict[str, np.ndarray]) -> None:
    found = weigh(views, LexicalView.empty(7), CharacterEncoder())
    assert (found.lexical_reliability, found.lexical_weight) == (0, 0.25)


def test_large_corpus_is_sampled_by_the_seed(
    monkeypatch: pytest.MonkeyPatch, views: dict[str, np.ndarray], lexical: LexicalView
) -> None:
    monkeypatch.setattr(reliability, "HALVED", 4)
    encoders = [CharacterEncoder() for _ in range(3)]
    found = [weigh(views, lexical, encoder, seed=seed) for encoder, seed in zip(encoders, (1, 1, 2), strict=True)]
    assert [weights.n_documents for weights in found] == [4, 4, 4]
    assert found[0] == found[1]
    assert encoders[0].asked == encoders[1].asked != encoders[2].asked
    halves = [set(pair) for pair in zip(encoders[0].asked[:4], encoders[0].asked[4:], strict=True)]
    assert all(pair in [set(split_halves(text)) for text in CORPUS] for pair in halves)


# ---------------------------------------------------------------------- neighbours


def nearest(documents: np.ndarray, n: int, k: int, among: np.ndarray) -> list[float]:
    """Return the k largest cosines of document n and others, by brute force."""
    return sorted((float(documents[n] @ documents[other]) for other in among if other != n), reverse=True)[:k]


@pytest.mark.parametrize("block", [7, 4096])
def test_neighbours_equal_brute_force(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    set_block(monkeypatch, block)
    documents = unit(np.random.default_rng(5), 60)
    rows = find_neighbours(documents, 4, seed=0)
    assert (rows.shape, rows.dtype) == ((60, 4), np.int64)
    cosines = documents @ documents.T
    np.fill_diagonal(cosines, -np.inf)
    np.testing.assert_array_equal(rows, np.argsort(-cosines, axis=1)[:, :4])


def test_neighbours_of_a_large_corpus_are_the_nearest_of_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbourhood, "POOL", 20)
    set_block(monkeypatch, 16)
    documents = unit(np.random.default_rng(6), 60)
    rows, again, other = (find_neighbours(documents, 3, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(rows, again)
    assert (rows != other).any()
    pool = np.unique(rows)
    assert len(pool) <= 20
    for n, near in enumerate(rows):
        assert len(set(near)) == 3 and n not in near
        np.testing.assert_allclose(documents[near] @ documents[n], nearest(documents, n, 3, pool), 1e-5)


def test_too_few_others_all_count() -> None:
    rows = find_neighbours(unit(np.random.default_rng(7), 3), 10, seed=0)
    np.testing.assert_array_equal(np.sort(rows, axis=1), [[1, 2], [0, 2], [0, 1]])


@pytest.mark.parametrize(("n", "k"), [(1, 5), (3, 0)])
def test_document_without_neighbours_is_its_own(n: int, k: int) -> None:
    documents = unit(np.random.default_rng(7), n)
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
    documents = np.tile(unit(np.random.default_rng(8), 1), (6, 1))
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


@pytest.fixture
def neighbours(documents: np.ndarray) -> sparse.csr_array:
    return average_neighbours(find_neighbours(documents, 3, seed=0))


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
) -> list[Candidates]:
    if isinstance(documents, Corpus):
        corpus = documents
    else:
        corpus = Corpus(documents, lexical.represent(CORPUS) if lexical else None)
    return list(
        iterate_candidates(corpus, views, lexical, taxonomy, top_k=top_k, hubness_prior=prior, lexical_weight=0.5)
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
            best = max(diamond.paths_to(int(c)), key=lambda path, n=n: fused[n, list(path)].mean())
            assert found.paths[n, k][found.paths[n, k] >= 0].tolist() == list(best)
    ways = {tuple(path) for row in found.paths for path in row if path[2] == 4}
    assert ways == {(0, 2, 4), (0, 3, 4)}


@pytest.mark.parametrize("block", [2, 4096])
@pytest.mark.parametrize("with_words", [True, False])
def test_scores_are_drawn_towards_those_of_neighbours(
    monkeypatch: pytest.MonkeyPatch,
    documents: np.ndarray,
    views: dict[str, np.ndarray],
    lexical: LexicalView,
    neighbours: sparse.csr_array,
    diamond: Taxonomy,
    with_words: bool,
    block: int,
) -> None:
    set_block(monkeypatch, block)
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
    monkeypatch: pytest.MonkeyPatch,
    documents: np.ndarray,
    views: dict[str, np.ndarray],
    lexical: LexicalView,
    diamond: Taxonomy,
) -> None:
    keys = pd.DataFrame({"split": "train", "doc_id": [str(i) for i in range(len(CORPUS))]})
    whole = candidates_to_frame(iter(collect(documents, views, lexical, diamond)), keys, diamond)
    set_block(monkeypatch, 2)
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
    assert frame.to_dict("list") == {
        "split": ["train", "train", "test", "test"],
        "doc_id": ["0"] * 4,
        "rank": [1, 2, 1, 2],
        "class_id": ["be", "ga", "ga", "be"],
        "path": [["an", "ca", "be"], ["ga"], ["ga"], ["an", "ca", "be"]],
        "score_fused": [2, 1, 2, 1],
    }


def test_nearest_class_equals_brute_force_whatever_the_blocks(
    monkeypatch: pytest.MonkeyPatch, documents: np.ndarray, views: dict[str, np.ndarray]
) -> None:
    set_block(monkeypatch, 2)
    expected = (documents @ views["text"].T).argmax(axis=1)
    np.testing.assert_array_equal(find_nearest_class(documents, views["text"]), expected)
    assert find_nearest_class(documents[:0], views["text"]).shape == (0,)
