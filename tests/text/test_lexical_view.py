"""The lexical view: TF-IDF by hand and as scikit-learn has it, and the same view out of every file."""

import contextlib
from math import log, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from hmltc_kedro.datasets.files import ParquetDataset
from hmltc_kedro.enrichment.class_texts import write_lexical_texts
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text import lexical_view
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.words import TOKEN_PATTERN, separate_words
from small_corpus import CORPUS


def assert_same(found: LexicalView, expected: LexicalView) -> None:
    """Not a bit may differ."""
    assert found.words == expected.words
    assert all(type(word) is str for word in found.words)
    assert found.idf.dtype == found.classes.dtype == np.float32
    np.testing.assert_array_equal(found.idf, expected.idf)
    assert found.classes.shape == expected.classes.shape
    np.testing.assert_array_equal(found.classes.toarray(), expected.classes.toarray())
    np.testing.assert_array_equal(score(found, CORPUS), score(expected, CORPUS))


def score(view: LexicalView, texts: list[str]) -> np.ndarray:
    return view.score(view.represent(texts))


# ---------------------------------------------------------------------- the formula


def test_scores_are_as_worked_out_by_hand() -> None:
    # Two documents; "dog" is in both, "cat" and the pair "dog cat" in one.
    view = LexicalView.fit(["dog cat", "dog"], ["dog", "cat cat dog"])
    rare = log(3 / 2) + 1
    assert view.words == ("cat", "dog", "dog cat")
    np.testing.assert_allclose(view.idf, [rare, 1, rare], rtol=1e-6)

    document = np.array([[rare, 1, rare], [0, 1, 0]]) / [[sqrt(2 * rare**2 + 1)], [1]]
    np.testing.assert_allclose(view.represent(["dog cat", "dog"]).toarray(), document, rtol=1e-6)
    # Twice a word is 1 + ln 2 times its weight; "cat cat" and "cat dog" are no pairs of the corpus.
    twice = (1 + log(2)) * rare
    classes = np.array([[0, 1, 0], [twice, 1, 0]]) / [[1], [sqrt(twice**2 + 1)]]
    cosines = document @ classes.T
    np.testing.assert_allclose(score(view, ["dog cat", "dog"]), cosines / cosines.std(), rtol=1e-5)


def test_view_agrees_with_scikit_learn(lexical: LexicalView, diamond: Taxonomy) -> None:
    # These texts are plain ASCII, whose words are scikit-learn's own.
    plain = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    documents = plain.fit_transform(CORPUS)
    assert lexical.words == tuple(plain.get_feature_names_out())
    np.testing.assert_allclose(lexical.idf, plain.idf_, rtol=1e-6)
    np.testing.assert_allclose(lexical.represent(CORPUS).toarray(), documents.toarray(), atol=1e-6)
    later = ["a rake for dogs", "unheard of", ""]
    np.testing.assert_allclose(lexical.represent(later).toarray(), plain.transform(later).toarray(), atol=1e-6)
    cosines = (documents @ plain.transform(write_lexical_texts(diamond)).T).toarray()
    np.testing.assert_allclose(score(lexical, CORPUS), cosines / cosines.std(), atol=1e-5)


def test_rare_words_go_where_documents_are_many_but_for_those_of_classes(
    monkeypatch: pytest.MonkeyPatch, diamond: Taxonomy, lexical: LexicalView
) -> None:
    monkeypatch.setattr(lexical_view, "COMMON", len(CORPUS) // 2)
    view = LexicalView.fit(CORPUS, write_lexical_texts(diamond))
    counts = (lexical.represent(CORPUS).toarray() > 0).sum(axis=0)
    of_class = (lexical.classes.toarray() > 0).any(axis=0)
    kept = (counts >= 2) | of_class
    assert 0 < kept.sum() < len(kept) and (of_class & (counts < 2)).any(), "of each kind"
    assert view.words == tuple(np.array(lexical.words)[kept])
    np.testing.assert_array_equal(view.idf, lexical.idf[kept])
    plain = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, vocabulary={w: i for i, w in enumerate(view.words)})
    plain.idf_ = view.idf.astype(np.float64)
    cosines = (plain.transform(CORPUS) @ plain.transform(write_lexical_texts(diamond)).T).toarray()
    np.testing.assert_allclose(score(view, CORPUS), cosines / cosines.std(), atol=1e-5)


def test_scores_have_unit_spread_and_find_the_class(lexical: LexicalView) -> None:
    scores = score(lexical, CORPUS)
    assert (scores.shape, scores.dtype) == ((len(CORPUS), 7), np.float32)
    assert scores.std() == pytest.approx(1, abs=1e-4)
    assert scores[0].argmax() == 2  # leash, dogs
    assert scores[4].argmax() == 6  # garden tools
    assert not scores[8].any()  # a word of no class


def test_later_document_is_represented_as_in_the_corpus(lexical: LexicalView) -> None:
    together = lexical.represent(CORPUS).toarray()
    for text, row in zip(CORPUS, together, strict=True):
        np.testing.assert_array_equal(lexical.represent([text]).toarray()[0], row)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-6)


def test_documents_without_a_known_word_are_zero(lexical: LexicalView) -> None:
    documents = lexical.represent(["", "  ", "?!", "unheard of"])
    assert (documents.shape, documents.dtype, documents.nnz) == ((4, len(lexical.words)), np.float32, 0)
    none = lexical.represent([])
    assert none.shape == (0, len(lexical.words))
    assert lexical.score(none).shape == (0, 7)


def test_blocks_do_not_change_the_spread(
    monkeypatch: pytest.MonkeyPatch, diamond: Taxonomy, lexical: LexicalView
) -> None:
    monkeypatch.setattr(lexical_view, "BLOCK", 2)
    again = LexicalView.fit(CORPUS, write_lexical_texts(diamond))
    np.testing.assert_allclose(again.classes.toarray(), lexical.classes.toarray(), rtol=1e-6)


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
        (
            ["新买的炒锅放在厨房里", "给我的小狗买了牵引绳", "花园里的植物长得很好"],
            ["厨房炒锅", "宠物小狗牵引绳", "花园植物"],
        ),
    ],
    ids=["greek", "cyrillic", "chinese"],
)
def test_view_reads_other_scripts(texts: list[str], class_texts: list[str]) -> None:
    scores = score(LexicalView.fit(texts, class_texts), texts)
    np.testing.assert_array_equal(scores > 0, np.eye(3, dtype=bool), "each text shares words with its class alone")


# ---------------------------------------------------------------------- nothing to see


@pytest.mark.parametrize(
    "texts",
    [[], ["!", "?"], ["", " "], ["apples", "pears"]],
    ids=["no-texts", "no-words", "blank", "words-of-no-class"],
)
def test_corpus_without_a_word_of_any_class_scores_zero(texts: list[str]) -> None:
    view = LexicalView.fit(texts, ["dogs", "cats", "tools"])
    np.testing.assert_array_equal(score(view, ["dogs", "apples"]), np.zeros((2, 3)))


def test_cosines_without_a_spread_score_zero() -> None:
    # Each of the documents is as close to each of the classes: nothing to tell them apart by.
    view = LexicalView.fit(["dog", "dog"], ["dog", "dog"])
    np.testing.assert_array_equal(score(view, ["dog"]), np.zeros((1, 2)))


# ---------------------------------------------------------------------- tables and files


def test_frame_has_a_row_a_word_with_its_classes(lexical: LexicalView, diamond: Taxonomy) -> None:
    frame = lexical.to_frame(diamond)
    assert tuple(frame["word"]) == lexical.words == tuple(sorted(lexical.words))
    rows = frame.set_index("word")
    assert rows.loc["cushion", "class_ids"] == ["be"]
    assert rows.loc["dogs", "class_ids"] == ["an", "do", "be"]
    assert rows.loc["rake", "class_ids"] == [] and len(rows.loc["rake", "weights"]) == 0
    column = lexical.words.index("dogs")
    np.testing.assert_array_equal(rows.loc["dogs", "weights"], lexical.classes.toarray()[[0, 2, 4], column])


def round_trip(view: LexicalView, taxonomy: Taxonomy, directory: Path) -> list[LexicalView]:
    """Return the view out of its table, out of the table's file, and out of the files of a model."""
    frame = view.to_frame(taxonomy)
    table = ParquetDataset(filepath=str(directory / "view.parquet"))
    table.save(frame)
    view.save(directory)
    return [
        LexicalView.from_frame(frame, taxonomy),
        LexicalView.from_frame(table.load(), taxonomy),
        LexicalView.load(directory),
    ]


def test_table_and_files_give_the_same_view_back(lexical: LexicalView, diamond: Taxonomy, tmp_path: Path) -> None:
    for again in round_trip(lexical, diamond, tmp_path):
        assert_same(again, lexical)


def test_empty_view_comes_back_empty(diamond: Taxonomy, tmp_path: Path) -> None:
    for again in round_trip(LexicalView.empty(7), diamond, tmp_path):
        assert_same(again, LexicalView.empty(7))
    assert list(LexicalView.empty(7).to_frame(diamond).columns) == ["word", "idf", "class_ids", "weights"]


# The taxonomy is for reading and the folder is overwritten: nothing carries over.
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    corpus=st.lists(st.text(st.sampled_from("ab ё手机 é़,")) | st.text(), max_size=5),
    class_texts=st.lists(st.text(st.sampled_from("ab ё手机 é़,")), min_size=7, max_size=7),
)
def test_view_of_any_corpus_comes_back_and_scores_as_scikit_learn_does(
    corpus: list[str], class_texts: list[str], diamond: Taxonomy, tmp_path: Path
) -> None:
    view = LexicalView.fit(corpus, class_texts)
    for again in round_trip(view, diamond, tmp_path):
        assert_same(again, view)
    later = [*corpus, "a later document"]
    plain = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, preprocessor=separate_words, token_pattern=TOKEN_PATTERN
    )
    cosines = np.zeros((len(later), 7))
    with contextlib.suppress(ValueError):  # a corpus without a word
        plain.fit(corpus)
        cosines = (plain.transform(later) @ plain.transform(class_texts).T).toarray()
    spread = cosines[: len(corpus)].std() if corpus else 0.0
    expected = cosines / spread if spread > 1e-6 else np.zeros_like(cosines)
    np.testing.assert_allclose(score(view, later), expected, rtol=1e-2, atol=1e-3)


def test_files_that_do_not_belong_together_are_refused(lexical: LexicalView, tmp_path: Path) -> None:
    lexical.save(tmp_path)
    (tmp_path / "words.json").write_text('["dogs"]', "utf-8")
    with pytest.raises(ValueError, match=rf"1 words in words\.json for {len(lexical.words)} in lexical\.safetensors"):
        LexicalView.load(tmp_path)
