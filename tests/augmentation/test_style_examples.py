from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.augmentation.style_examples import distinct_texts, draw_examples, draw_pool, normalise_text

TEXTS = [f"text number {i} " + "word " * (i % 30) for i in range(1000)]


def test_pool_and_examples_are_the_same_each_time() -> None:
    pool = draw_pool(TEXTS, 50)
    assert pool == draw_pool(list(reversed(TEXTS)), 50) and len(set(pool)) == 50
    examples = draw_examples(pool, "7", 4)
    assert examples == draw_examples(pool, "7", 4) and len(examples) == 4
    assert [len(e) for e in examples] == sorted(len(e) for e in examples)
    assert len({tuple(draw_examples(pool, str(c), 4)) for c in range(20)}) > 15


def test_new_documents_change_few_examples() -> None:
    """Each changed prompt is paid for again."""
    before, after = draw_pool(TEXTS), draw_pool([*TEXTS, *(f"new {i}" for i in range(10))])
    changed = sum(draw_examples(before, str(c), 3) != draw_examples(after, str(c), 3) for c in range(100))
    assert changed <= 15


def test_examples_are_short_clean_lines() -> None:
    assert draw_examples(["one two\nthree four"], "0", 3, max_characters=10) == ["one two"]
    assert draw_examples([], "0", 3) == []


def test_normalise() -> None:
    assert normalise_text("It’s  GREAT!!! (really)") == "it s great really"


def test_repetitions_are_dropped() -> None:
    one = "this kettle boils fast and it looks good on the counter"
    texts = [
        one,
        "This kettle boils fast, and it looks good on the counter!",
        "this kettle boils fast and it looks good on our counter",
        "a plate",
        "A plate.",
        "...",
        "the plates came broken and nobody answered my mail",
    ]
    assert distinct_texts(texts) == [one, "a plate", texts[-1]]
    assert distinct_texts(texts, known=[one, texts[-1]]) == ["a plate"]


@given(st.lists(st.text(alphabet="ab cd.", max_size=20), max_size=20))
def test_what_is_kept_is_distinct(texts: list[str]) -> None:
    kept = distinct_texts(texts)
    assert distinct_texts(kept) == kept
    assert distinct_texts(texts, known=kept) == []
    assert len({normalise_text(t) for t in kept}) == len(kept)
