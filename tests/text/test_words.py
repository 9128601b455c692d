"""Words of a text in any script."""

import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from hmltc_kedro.corpus import raw_files
from hmltc_kedro.text.words import MARKS, TOKEN_PATTERN, UNSPACED, separate_words

SAMPLE = Path(__file__).parents[2] / "data" / "01_raw" / "sample"
OURS = {"preprocessor": separate_words, "token_pattern": TOKEN_PATTERN}

find_tokens = re.compile(TOKEN_PATTERN).findall
find_default_tokens = re.compile(r"(?u)\b\w\w+\b").findall


def split(text: str) -> list[str]:
    return list(find_tokens(separate_words(text)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("A ball, 2 Balls & snake_case x9!", "ball balls snake_case x9"),
        ("don’t — LEGO™ Café", "don lego café"),
        ("Straße ΟΔΟΣ", "strasse οδοσ"),
        ("ﬁne ＡＢＣ", "fine abc"),
        ("Привет, Мир: ёлка и я", "привет мир ёлка"),
        ("手机壳很好，买!", "手机 机壳 壳很 很好 买"),
        ("新iPhone15手机", "新 iphone15 手机"),
        ("第3章", "第 章"),
        ("私はカメラ・本", "私は はカ カメ メラ 本"),
        ("ｶﾞﾗｽ", "ガラ ラス"),
        ("학교에서 책", "학교 교에 에서 책"),
        ("ชอบ ๓๔", "ชอ อบ ๓๔"),
        ("မြန်မာစာ", "မြန် န်မာ မာစာ"),
        ("ភាសាខ្មែរ។", "ភាសា សាខ្ ខ្មែ មែរ"),
        ("मेरे बच्चे को खिलौना।", "मेरे बच्चे को खिलौना"),
        ("தமிழ் மொழி", "தமிழ் மொழி"),
        ("السَّلام، عليكم", "السَّلام عليكم"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("😀👍 ❤️ 👨‍👩‍👧", ""),
    ],
)
def test_words_of_many_scripts(text: str, words: str) -> None:
    # Written as Unicode composes it, whatever this file's editor made of it.
    assert split(text) == unicodedata.normalize("NFKC", words).split()


def test_marks_of_a_pair_stay_with_their_characters() -> None:
    assert split("ผู้หญิง") == ["ผู้ห", "หญิ", "ญิง"]


def test_composed_and_decomposed_text_have_the_same_words() -> None:
    text = "café हिन्दी ガラス 학교 ёлка"
    assert split(unicodedata.normalize("NFD", text)) == split(unicodedata.normalize("NFC", text))


def test_words_of_the_sample_corpus_are_scikit_learns() -> None:
    tables = [raw_files.read_text_table(SAMPLE / part / f"{part}_corpus.txt", "\t") for part in ("train", "test")]
    documents = [text for table in tables for text in table.rows["value"] if text.isascii()]
    assert len(documents) == 575, "of 636; the others have a dash, an accent or the like"
    plain = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    ours = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, **OURS)
    difference = plain.fit_transform(documents) - ours.fit_transform(documents)
    assert plain.vocabulary_ == ours.vocabulary_
    assert abs(difference).max() == 0


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_has_scikit_learns_words_and_separating_again_changes_nothing(text: str) -> None:
    once = separate_words(text)
    assert find_tokens(once) == find_default_tokens(text.lower())
    assert separate_words(once) == once


@given(st.text(st.sampled_from("手机壳カメラชอบน้ผู학교a1 ़ेमر！，ß™")) | st.text())
def test_any_text_has_words_of_its_own_letters(text: str) -> None:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    for word in split(text):
        assert word in folded
        assert re.fullmatch(rf"[\w{MARKS}{UNSPACED}]+", word)


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1))
def test_a_run_of_n_characters_has_n_less_one_pairs(text: str) -> None:
    words = split(text)
    assert len(words) == max(len(text) - 1, 1)
    assert words[0][0] + "".join(word[1:] for word in words) == text


def test_classes_of_characters() -> None:
    unspaced, mark = re.compile(f"[{UNSPACED}]"), re.compile(f"[{MARKS}]")
    assert all(unspaced.match(c) for c in "ก中ぁァㄅ한ကកກ々ー")
    assert not any(unspaced.match(c) for c in "a1я،。、・฿។၊๑")
    assert all(mark.match(c) for c in "\u0301\u093e\u0e31\u200d\U0001e944")
    assert not any(mark.match(c) for c in "a \u0e01中-_")


# ---------------------------------------------------------------------- a corpus in another script

CHINESE = {
    "狗粮": ["犬粮", "幼犬食品"],
    "猫砂": ["猫厕所", "除臭砂"],
    "鱼缸": ["水族箱", "过滤器"],
    "手机壳": ["保护套", "防摔外壳"],
    "耳机": ["蓝牙耳塞", "降噪"],
    "充电器": ["充电线", "快充插头"],
    "咖啡豆": ["烘焙", "手冲咖啡"],
    "绿茶": ["龙井", "茶叶"],
    "巧克力": ["可可", "糖果"],
}
CHINESE_FRAMES = [
    "上周给家里买了{}，用起来质量非常好，还会再来购买。",
    "这个牌子的{}性价比不错，朋友推荐给我的。",
    "快递很快就到了，打开一看{}和图片上完全一样，很满意。",
]
RUSSIAN = {
    "корм для собак": ["щенок", "сухой корм"],
    "наполнитель для кошек": ["лоток", "кошка"],
    "аквариум": ["рыбки", "фильтр для воды"],
    "чехол для телефона": ["смартфон", "защита экрана"],
    "наушники": ["гарнитура", "шумоподавление"],
    "зарядное устройство": ["кабель", "быстрая зарядка"],
    "кофе в зёрнах": ["обжарка", "эспрессо"],
    "зелёный чай": ["заварка", "чайный лист"],
    "шоколад": ["какао", "сладости"],
}
RUSSIAN_FRAMES = [
    "На прошлой неделе купили: {}, качество очень хорошее, закажем ещё.",
    "Друзья посоветовали именно это — {} — и не ошиблись.",
    "Доставка быстрая, {} точно как на картинке, мы очень довольны.",
]


def measure_accuracy(keywords: dict[str, list[str]], frames: list[str], **options: object) -> float:
    """Return how often the class of largest TF-IDF cosine is right, over one text a keyword or name and frame."""
    labelled = [
        (frame.format(term), own)
        for own, (name, more) in enumerate(keywords.items())
        for term in (name, *more)
        for frame in frames
    ]
    texts, owners = zip(*labelled, strict=True)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, **options)
    documents = vectorizer.fit_transform(texts)
    classes = vectorizer.transform([" ".join([name, *more]) for name, more in keywords.items()])
    scores = (documents @ classes.T).toarray()
    best = scores.max(axis=1, keepdims=True)
    shared = (scores == best).sum(axis=1)  # a tie, such as no common word at all, is a guess among the tied
    return float(np.mean((scores == best)[np.arange(len(owners)), owners] / shared))


def test_chinese_documents_find_their_class_only_with_separated_words() -> None:
    assert measure_accuracy(CHINESE, CHINESE_FRAMES, **OURS) == 1
    assert measure_accuracy(CHINESE, CHINESE_FRAMES) == pytest.approx(1 / 9), "a guess among nine classes"


def test_russian_documents_find_their_class() -> None:
    assert measure_accuracy(RUSSIAN, RUSSIAN_FRAMES, **OURS) == 1
    assert measure_accuracy(RUSSIAN, RUSSIAN_FRAMES) == 1, "words with spaces between them need no separation"
