from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.llm.parsing import UnfitAnswer, parse_answer
from hmltc_kedro.llm.schemas import ClassDescription, ClassKeywords, ClassReviews
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
        ('{"description": "x", "more": 1}', "more: Extra inputs are not permitted"),
        ('{"description": "\\u0000 \\u200b"}', "description: .*the text is empty"),
        ('{"description": "\\ud83d"}', "the text is empty"),
        ('{"\\ud83d\\n": 1}', "answer: Input should be"),
        ("{" * 50_000, "Invalid JSON"),
        ('{"a":' * 20_000, "Invalid JSON"),
    ],
)
def test_what_does_not_fit_is_told(text: str, problem: str) -> None:
    with pytest.raises(UnfitAnswer, match=problem) as caught:
        parse_answer(text, ClassDescription)
    assert "\n" not in str(caught.value)


@given(st.text())
def test_anything_is_either_a_value_or_unfit(text: str) -> None:
    try:
        parse_answer(text, ClassDescription)
    except UnfitAnswer:
        pass


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.text(), st.text())
def test_wrapping_never_changes_the_value(sentence: str, before: str, after: str) -> None:
    if not clean_text(sentence):
        return
    wrapped = before.replace("{", "") + json.dumps({"description": sentence}) + after.replace("{", "")
    assert parse_answer(wrapped, ClassDescription).description == clean_text(sentence)


@pytest.mark.parametrize("schema", [ClassDescription, ClassKeywords, ClassReviews])
def test_schemas_are_strict(schema) -> None:
    """OpenAI refuses a strict schema with other keywords, optional or additional fields."""
    found = schema.model_json_schema()
    assert found["additionalProperties"] is False
    assert found["required"] == list(found["properties"])
    allowed = {"type", "title", "description", "items"}
    for field in found["properties"].values():
        assert set(field) <= allowed and set(field.get("items", {})) <= allowed


def test_lists_are_checked() -> None:
    with pytest.raises(UnfitAnswer, match="the list is empty"):
        parse_answer('{"keywords": []}', ClassKeywords)
    with pytest.raises(UnfitAnswer, match="reviews.1: "):
        parse_answer('{"reviews": ["x", " "]}', ClassReviews)
