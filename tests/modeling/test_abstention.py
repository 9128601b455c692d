"""Documents about nothing, and the score that a document has to reach."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.decoding.paths import DecodedPaths
from hmltc_kedro.modeling.abstention import N_NULLS, find_fitting, write_null_documents
from hmltc_kedro.taxonomy import Taxonomy
from large_graphs import within

CORPUS = [f"{'word ' * (i % 7)} of  document\n{i}" for i in range(300)]


def test_null_documents_are_the_same_each_time() -> None:
    nulls = write_null_documents(CORPUS)
    assert nulls == write_null_documents(CORPUS)
    assert len(nulls) == N_NULLS == 200


def test_null_documents_are_words_of_the_corpus_from_many_documents() -> None:
    corpus = [f"a{i} b{i} c{i} d{i}" for i in range(100)]
    known = {word: i for i, text in enumerate(corpus) for word in text.split()}
    nulls = [text.split() for text in write_null_documents(corpus, 50)]
    assert len(nulls) == 50
    assert {word for null in nulls for word in null} <= set(known)
    sources = [len({known[word] for word in null}) for null in nulls]
    # Four words of one hundred documents are from 100 (1 - 0.99^4) of them; three standard errors are 0.1.
    assert np.mean(sources) == pytest.approx(100 * (1 - 0.99**4), abs=0.1)


def test_most_null_documents_stay_when_documents_are_added() -> None:
    corpus = [f"a{i} b{i} c{i} d{i}" * 5 for i in range(2000)]
    before, after = (set(write_null_documents(texts)) for texts in (corpus[20:], corpus))
    # A null document goes with its own document or with one of its 16 sources: 17 x 20 / 2000 of 200 are 34.
    assert 15 <= len(after - before) <= 55


def test_long_documents_give_their_share_of_the_words() -> None:
    corpus = [f"long{i} " * 30 for i in range(20)] + ["brief word" for _ in range(180)]
    words = [word for text in write_null_documents(corpus, 200) for word in text.split()]
    expected = 20 * 30 * 6 / (20 * 30 * 6 + 180 * 10)  # by characters, about
    assert np.mean([word.startswith("long") for word in words]) == pytest.approx(expected, abs=0.12)


def test_frequent_words_are_drawn_often() -> None:
    nulls = write_null_documents(["the the the rare"] * 100, 100)
    share = Counter(word for text in nulls for word in text.split())["the"] / 400
    assert share == pytest.approx(0.75, abs=0.07)


@given(st.lists(st.text("ab c\n", min_size=1).filter(str.strip), min_size=1, max_size=8), st.integers(1, 10))
def test_null_documents_are_as_long_as_documents(texts: list[str], count: int) -> None:
    nulls = write_null_documents(texts, count)
    assert len(nulls) == min(count, len(texts))
    lengths = Counter(len(text.split()) for text in texts)
    assert Counter(len(text.split()) for text in nulls) <= lengths
    assert {word for text in nulls for word in text.split()} <= {word for text in texts for word in text.split()}


def test_texts_without_spaces_do_not_stay_whole() -> None:
    corpus = ["上周给家里买了狗粮质量非常好", "快递很快就到了耳机和图片上一样", "第二次买绿茶了很满意朋友也推荐"] * 10
    nulls = write_null_documents(corpus)
    assert len(nulls) == 30
    assert all(len(text.split()) in (7, 8) for text in nulls)
    for null in nulls:
        assert all(any(word in text for text in corpus) for word in null.split())
    scrambled = [null for null in nulls if null.replace(" ", "") not in corpus]
    assert len(scrambled) == len(nulls)


def test_no_text_gives_no_null_document() -> None:
    assert write_null_documents([]) == []


@pytest.mark.parametrize(
    ("nulls", "least"), [([0.25], 0.25), ([0.875, 0.125, 0.25], 0.25), ([0.125, 0.5, 0.25, 0.75], 0.375), ([], 0.0)]
)
def test_documents_fit_from_the_median_of_the_null_documents_on(
    diamond: Taxonomy, nulls: list[float], least: float
) -> None:
    scores = np.array([[least], [np.nextafter(np.float32(least), np.float32(-1))], [1], [-np.inf]], dtype=np.float32)
    # Only the garden is probable, and its score is its probability.
    probabilities = np.zeros((len(nulls), 7), dtype=np.float16)
    probabilities[:, 1] = nulls
    settings = DecodingSettings(child_threshold=0.9)
    fits = find_fitting(DecodedPaths(np.ones((4, 1, 1), dtype=np.int64), scores), probabilities, diamond, settings)
    assert fits.dtype == bool
    assert fits.tolist() == [True, False, True, False]


@pytest.mark.parametrize(("power", "fits"), [(0.0, [True, True]), (1.0, [True, False])])
def test_null_documents_are_decoded_as_the_documents_were(diamond: Taxonomy, power: float, fits: list[bool]) -> None:
    # A garden of 0.5 and its tools of 0.5: the product along the path is 0.25, the geometric mean 0.5.
    nulls = np.zeros((1, 7), dtype=np.float16)
    nulls[0, [1, 6]] = 0.5
    documents = np.zeros((2, 7), dtype=np.float16)
    documents[:, 1] = 0.75, 0.375  # gardens without tools: their score is their probability
    settings = DecodingSettings(child_threshold=0.25, length_power=power)
    decoded = decode(documents, diamond, settings)
    assert decoded.scores[:, 0].tolist() == pytest.approx([0.75, 0.375])
    assert find_fitting(decoded, nulls, diamond, settings).tolist() == fits


@pytest.mark.parametrize("word", ["A" * 400_000, "https://example.org/" + "狗" * 100_000], ids=["base64", "address"])
def test_one_long_word_costs_what_it_is_long(word: str) -> None:
    corpus = [*[f"{'word ' * 250}{i}" for i in range(100)], f"see {word}"]
    with within(2, 50):
        nulls = write_null_documents(corpus)
    assert len(nulls) == 101
