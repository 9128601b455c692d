from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.llm.parsing import UnfitAnswer, parse_answer
from hmltc_kedro.llm.schemas import (
    PLACEHOLDER,
    ClassDescription,
    ClassKeywords,
    ClassReviews,
    DocumentJudgement,
    RootJudgement,
)
from hmltc_kedro.llm.text import clean_text

GOOD = '{"description": "a sentence"}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n {GOOD}\n",
        f"```json\n{GOOD}\n```",
        f"Here you are: {GOOD} Anything else?",
        f'<think>maybe {{"description": "first idea"}}, no {{</think>{GOOD}',
        f"{{{{ {GOOD}",
        f'Opened in the prompt {{"description": "draft"}}</think>{GOOD}',
        f'{GOOD}<think>was that good? {{"description": "draft"}}',
        f"<thinking>{{ hm</thinking>\n<Think>more</Think> {GOOD}",
        '{"class": "kettles", "description": "a sentence", "confidence": 0.9}',
        '{"description": "first"} or rather {"description": "a sentence", "note": {"description": "x"}}',
        '[{"description": "a sentence"}]',
    ],
)
def test_the_object_is_found(text: str) -> None:
    assert parse_answer(text, ClassDescription).description == "a sentence"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Invalid JSON"),
        ('{"description": "cut', "Invalid JSON"),
        ("[1, 2]", "answer: "),
        ('{"description": 3}', "description: Input should be a valid string"),
        ('{"text": "x"}', "description: Field required"),
        ('<think>let me draft {"description": "draft"} hm', "Invalid JSON"),
        ('{"description": "draft"} no, better: {"description": "the right answer which was cu', "Invalid JSON"),
        ('I would answer {"description": "<the sentence>"} here.', "placeholder of the format"),
        ('The format is {"description": "one sharp sentence"} but I cannot.', "repeats the words of the question"),
        ('{"title": "A", "description": "Answer to `describe_class`.", "type": "object"}', "repeats the words"),
        ('{"description": "\\u0000 \\u200b"}', "description: .*the text is empty"),
        ('{"description": "\\ud83d"}', "the text is empty"),
        ('{"\\ud83d\\n": 1}', "description: Field required"),
        ("{" * 50_000, "Invalid JSON"),
        ('{"a":' * 20_000, "Invalid JSON"),
    ],
)
def test_what_does_not_fit_is_told(text: str, problem: str) -> None:
    with pytest.raises(UnfitAnswer, match=problem) as caught:
        parse_answer(text, ClassDescription)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (GOOD, True),
        (f"Sure: ```json\n{GOOD}\n```\n", True),
        (f"{GOOD} or, better", False),
        (f"{GOOD} {{", False),
        ('{"description": "a sentence", "more": 1}', False),
    ],
)
def test_of_an_answer_that_was_cut_off_only_a_whole_object_at_its_end_counts(text: str, fits: bool) -> None:
    if fits:
        assert parse_answer(text, ClassDescription, finished=False).description == "a sentence"
    else:
        with pytest.raises(UnfitAnswer):
            parse_answer(text, ClassDescription, finished=False)


def test_a_list_of_placeholders_is_no_list() -> None:
    for echo in ('{"keywords": ["<keyword>", "..."]}', '{"keywords": ["kettle", "..."]}'):
        with pytest.raises(UnfitAnswer, match=r"keywords\.\d: .*placeholder"):
            parse_answer(echo, ClassKeywords)
    with pytest.raises(UnfitAnswer, match="repeats the words"):
        parse_answer('{"keywords": ["words and short phrases"]}', ClassKeywords)
    assert parse_answer('{"keywords": ["words", "C++", "?"]}', ClassKeywords).keywords == ["words", "C++", "?"]


@given(st.lists(st.sampled_from(["<think>", "</think>", GOOD, '{"description": "', "no ", "{"]), max_size=12))
def test_drafts_never_count(pieces: list[str]) -> None:
    """What is taken stands outside of every thought."""
    text = "".join(pieces).replace("a sentence", "draft")
    try:
        value = parse_answer(f"<think>{text.replace('</think>', '')}", ClassDescription)
    except UnfitAnswer:
        return
    raise AssertionError(value)


@given(st.text())
def test_anything_is_either_a_value_or_unfit(text: str) -> None:
    try:
        parse_answer(text, ClassDescription)
    except UnfitAnswer:
        pass


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.text(), st.text())
def test_wrapping_never_changes_the_value(sentence: str, before: str, after: str) -> None:
    if not clean_text(sentence) or PLACEHOLDER.fullmatch(clean_text(sentence)):
        return
    wrapped = before.replace("{", "") + json.dumps({"description": sentence}) + after.replace("{", "")
    assert parse_answer(wrapped, ClassDescription).description == clean_text(sentence)


@pytest.mark.parametrize("schema", [ClassDescription, ClassKeywords, ClassReviews, DocumentJudgement, RootJudgement])
def test_schemas_are_strict(schema) -> None:
    """OpenAI refuses a strict schema with other keywords, optional or additional fields."""
    found = schema.model_json_schema()
    assert found["additionalProperties"] is False
    assert found["required"] == list(found["properties"])
    allowed = {"type", "title", "description", "items", "enum"}
    for field in found["properties"].values():
        assert set(field) <= allowed and set(field.get("items", {})) <= allowed


def test_lists_are_checked() -> None:
    with pytest.raises(UnfitAnswer, match="the list is empty"):
        parse_answer('{"keywords": []}', ClassKeywords)
    with pytest.raises(UnfitAnswer, match="reviews.1: "):
        parse_answer('{"reviews": ["x", " "]}', ClassReviews)
