"""Chat clients: checked answers, and reasons instead of exceptions."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from hmltc_kedro.errors import InputError
from hmltc_kedro.llm import ChatRequest, RecordedClient, TemplateClient
from hmltc_kedro.llm.schemas import ClassDescription, ClassReviews


def describe(class_id: str, prompt: str = "prompt") -> ChatRequest:
    return ChatRequest("describe_class", class_id, prompt, ClassDescription)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    rows = [
        {"task": "describe_class", "class_id": "a", "answer": {"description": "About a."}},
        {"task": "write_reviews", "class_id": "a", "answer": {"reviews": ["one", "zwölf"]}},
        {"task": "describe_class", "class_id": 7, "answer": {"description": "About 7."}},
        {"task": "describe_class", "class_id": "bad", "answer": {"text": "no description"}},
        {"task": "describe_class", "class_id": "empty", "answer": {"description": ""}},
    ]
    path = tmp_path / "llm_responses.jsonl"
    path.write_text("\n\n".join(json.dumps(row) for row in rows), "utf-8")
    return path


# ---------------------------------------------------------------------- recorded answers


def test_recorded_answers_are_looked_up_by_task_and_class(recordings: Path) -> None:
    review = ChatRequest("write_reviews", "a", "prompt", ClassReviews)
    answers = RecordedClient(recordings).ask([review, describe("7"), describe("a", "another prompt")])
    assert [answer.value for answer in answers] == [
        ClassReviews(reviews=["one", "zwölf"]),
        ClassDescription(description="About 7."),
        ClassDescription(description="About a."),
    ]
    assert {(answer.source, answer.error) for answer in answers} == {("recorded", "")}
    assert answers[0].request is review


def test_class_without_a_recording_is_answered_with_the_reason(recordings: Path) -> None:
    (answer,) = RecordedClient(recordings).ask([describe("b")])
    assert answer.value is None
    assert answer.error == f"not recorded in {recordings}"


@pytest.mark.parametrize("class_id", ["bad", "empty"])
def test_recording_that_breaks_the_schema_is_no_answer(recordings: Path, class_id: str) -> None:
    (answer,) = RecordedClient(recordings).ask([describe(class_id)])
    assert answer.value is None
    assert answer.error.startswith("recorded answer is invalid")


def test_missing_file_answers_nothing(tmp_path: Path) -> None:
    (answer,) = RecordedClient(tmp_path / "none.jsonl").ask([describe("a")])
    assert answer.value is None and "none.jsonl" in answer.error


@pytest.mark.parametrize(
    "line",
    ["not json", '{"task": "describe_class"}', '{"task": "t", "class_id": "a"}', "[1, 2]", '"text"', "3", "null"],
)
def test_line_that_is_no_recording_is_an_input_error_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(f'{{"task": "t", "class_id": "a", "answer": {{}}}}\n\n{line}\n', "utf-8")
    with pytest.raises(InputError) as error:
        RecordedClient(path)
    assert str(error.value).startswith(f"{path}:3: not a recorded answer (")
    assert str(error.value).endswith('; write {"task": ..., "class_id" or "document": ..., "answer": {...}}')


def test_template_client_answers_nothing_and_says_why() -> None:
    requests = [describe("a"), describe("b")]
    answers = TemplateClient().ask(requests)
    assert [answer.request for answer in answers] == requests
    assert {(a.value, a.source, a.error) for a in answers} == {(None, "template", "no language model is configured")}


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        (ClassDescription, {"description": ""}),
        (ClassDescription, {"description": "x", "more": 1}),
        (ClassReviews, {"reviews": []}),
        (ClassReviews, {"reviews": "one"}),
        (ClassReviews, {"reviews": [1]}),
    ],
)
def test_schemas_refuse_what_is_no_answer(schema: type, answer: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        schema.model_validate(answer)
