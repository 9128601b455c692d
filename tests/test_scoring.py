"""Scores without labels: the formulas against brute force over the whole document-class matrix."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro import scoring
from hmltc_kedro.encoding import TextEncoder
from hmltc_kedro.scoring import (
    Candidates,
    LexicalView,
    candidates_to_frame,
    embed_classes,
    estimate_moments,
    find_nearest_class,
    iterate_candidates,
    normalise,
    write_class_texts,
    write_lexical_texts,
    write_path_texts,
)
from hmltc_kedro.taxonomy import Taxonomy

DESCRIPTIONS = [f"description {c}" for c in range(7)]

CORPUS = [
    "a leash for my dogs",
    "cushion and leash",
    "the cats love it",
    "cats and more cats",
    "garden tools, rusty",
    "garden tools again",
    "something else entirely",
    "dogs dogs dogs",
    "rake",
]


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


def test_lexical_text_holds_name_path_keywords_and_description(diamond: Taxonomy) -> None:
    assert write_lexical_texts(diamond, DESCRIPTIONS)[4] == "pet beds animals > dogs > pet beds cushion description 4"


def test_normalise_keeps_a_zero_row() -> None:
    np.testing.assert_array_equal(normalise(np.array([[3, 4], [0, 0]], np.float32)), np.float32([[0.6, 0.8], [0, 0]]))


# ---------------------------------------------------------------------- moments


@pytest.mark.parametrize("block", [2, 4096])
def test_moments_without_prior_are_those_of_the_score_matrix(
    monkeypatch: pytest.MonkeyPatch, documents: np.ndarray, views: dict[str, np.ndarray], block: int
) -> None:
    monkeypatch.setattr(scoring, "BLOCK", block)
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


# ---------------------------------------------------------------------- words


def test_lexical_scores_are_tfidf_cosines_at_unit_spread(lexical: LexicalView) -> None:
    scores = lexical.scores(slice(0, len(CORPUS)))
    assert (scores.shape, scores.dtype) == ((len(CORPUS), 7), np.float32)
    np.testing.assert_allclose(scores.std(), 1, atol=1e-4)
    cosines = (lexical.documents @ lexical.classes.T).toarray()
    np.testing.assert_allclose(scores, cosines * lexical.scale, atol=1e-6)
    assert scores[0].argmax() == 2  # leash, dogs
    assert scores[4].argmax() == 6  # garden tools
    assert not scores[8].any()  # a word of no class


def test_blocks_do_not_change_the_lexical_scale(
    monkeypatch: pytest.MonkeyPatch, diamond: Taxonomy, lexical: LexicalView
) -> None:
    monkeypatch.setattr(scoring, "BLOCK", 2)
    again = LexicalView.fit(CORPUS, write_lexical_texts(diamond, DESCRIPTIONS))
    assert again.scale == pytest.approx(lexical.scale, rel=1e-6)


@pytest.mark.parametrize(
    ("texts", "class_texts"),
    [
        (
            ["καινούρια κατσαρόλα για την κουζίνα", "λουρί για τον σκύλο μου", "φυτά στον κήπο"],
            ["κουζίνα κατσαρόλα", "κατοικίδια λουρί σκύλο", "κήπο φυτά"],
        ),
        (
            ["новая кастрюля для кухни", "поводок для собаки", "растения в саду"],
            ["кухни кастрюля", "поводок собаки", "саду растения"],
        ),
    ],
    ids=["greek", "cyrillic"],
)
def test_lexical_view_reads_other_scripts(texts: list[str], class_texts: list[str]) -> None:
    scores = LexicalView.fit(texts, class_texts).scores(slice(0, 3))
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]
    assert (scores.max(axis=1) > 0).all()


@pytest.mark.parametrize("texts", [["!", "?"], ["apples", "pears"]], ids=["no-words", "words-of-no-class"])
def test_corpus_without_a_word_of_any_class_scores_zero(texts: list[str]) -> None:
    scores = LexicalView.fit(texts, ["dogs", "cats", "tools"]).scores(slice(0, 2))
    np.testing.assert_array_equal(scores, np.zeros((2, 3)))


# ---------------------------------------------------------------------- candidates


def collect(
    documents: np.ndarray,
    views: dict[str, np.ndarray],
    lexical: LexicalView | None,
    taxonomy: Taxonomy,
    top_k: int = 4,
    prior: float = 3,
) -> list[Candidates]:
    return list(
        iterate_candidates(documents, views, lexical, taxonomy, top_k=top_k, hubness_prior=prior, lexical_weight=0.5)
    )


def brute_force(documents: np.ndarray, views: dict[str, np.ndarray], lexical: LexicalView | None) -> np.ndarray:
    """Return the fused scores (N, C) by their formula, in float64, with the prior 3."""
    dense = np.mean([documents.astype(np.float64) @ v.T.astype(np.float64) for v in views.values()], axis=0)
    trust = (len(documents) / 7) / (len(documents) / 7 + 3)
    mean, variance = dense.mean(axis=0), dense.var(axis=0)
    mean = trust * mean + (1 - trust) * mean.mean()
    variance = trust * variance + (1 - trust) * variance.mean()
    fused = (dense - mean) / np.sqrt(variance)
    return fused if lexical is None else fused + 0.5 * lexical.scores(slice(0, len(documents)))


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


def test_blocks_do_not_matter(
    monkeypatch: pytest.MonkeyPatch,
    documents: np.ndarray,
    views: dict[str, np.ndarray],
    lexical: LexicalView,
    diamond: Taxonomy,
) -> None:
    keys = pd.DataFrame({"split": "train", "doc_id": [str(i) for i in range(len(CORPUS))]})
    whole = candidates_to_frame(iter(collect(documents, views, lexical, diamond)), keys, diamond)
    monkeypatch.setattr(scoring, "BLOCK", 2)
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
    monkeypatch.setattr(scoring, "BLOCK", 2)
    expected = (documents @ views["text"].T).argmax(axis=1)
    np.testing.assert_array_equal(find_nearest_class(documents, views["text"]), expected)
    assert find_nearest_class(documents[:0], views["text"]).shape == (0,)
