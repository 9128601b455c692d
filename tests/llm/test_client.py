"""Chat clients: checked answers, and reasons instead of exceptions."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from hmltc_kedro.errors import InputError
from hmltc_kedro.llm import ChatRequest, RecordedClient, TemplateClient
from hmltc_kedro.llm.schemas import ClassDescription, ClassReviews, DocumentJudgement, RootJudgement


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
    [
        "not json",
        '{"task": "judge_document", "answer": {}}',
        '{"task": "judge_document", "document": "12", "answer": {}}',
        '{"task": "judge_document", "document": 12, "answer": {}}',
        '{"task": "describe_class"}',
        '{"task": "t", "class_id": "a"}',
        "[1, 2]",
        '"text"',
        "3",
        "null",
    ],
)
def test_line_that_is_no_recording_is_an_input_error_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(f'{{"task": "t", "class_id": "a", "answer": {{}}}}\n\n{line}\n', "utf-8")
    with pytest.raises(InputError) as error:
        RecordedClient(path)
    assert str(error.value).startswith(f"{path}:3: not a recorded answer (")
    assert str(error.value).endswith('; write {"task": ..., "class_id" or "document": ..., "answer": {...}}')


# ---------------------------------------------------------------------- recorded judgements


OPTIONS = (("pets", "dogs"), ("pets", "cats"), ("7",))


def judge(subject: str, options: tuple[tuple[str, ...], ...] = OPTIONS) -> ChatRequest:
    return ChatRequest("judge_document", subject, "prompt", DocumentJudgement, options=options)


def judge_root(subject: str) -> ChatRequest:
    return ChatRequest("judge_root", subject, "prompt", RootJudgement, options=(("7",), ("pets",), ("cars",)))


@pytest.fixture
def judgements(tmp_path: Path) -> Path:
    paths = {
        "train/1": [["pets", "cats"]],
        "train/2": [[7], ["pets", "dogs"], ["pets", "dogs"]],
        "train/3": [["pets", "dogs"], ["cars", "tyres"]],
        "train/a/b": [["cars", "tyres"]],
        "test/1": [],
    }
    answers = {document: {"paths": found, "confidence": "low"} for document, found in paths.items()}
    answers |= {"test/2": {"paths": [["pets", "dogs"]]}, "test/3": {"paths": "dogs", "confidence": "low"}}
    answers |= {"test/4": {"paths": [[]], "confidence": "low"}, "test/5": "dogs"}
    rows = [{"task": "judge_document", "document": name, "answer": answer} for name, answer in answers.items()]
    path = tmp_path / "judgements.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return path


@pytest.mark.parametrize(
    ("document", "choices"),
    [("train/1", [2]), ("train/2", [3, 1]), ("train/3", [1]), ("train/a/b", []), ("test/1", [])],
)
def test_recorded_paths_become_their_numbers_on_offer(judgements: Path, document: str, choices: list[int]) -> None:
    (answer,) = RecordedClient(judgements).ask([judge(document)])
    assert answer.value == DocumentJudgement(choices=choices, confidence="low") and answer.error == ""


@pytest.mark.parametrize(
    ("document", "choices"),
    [("train/1", [2]), ("train/2", [1, 2]), ("train/3", [2, 3]), ("train/a/b", [3]), ("test/1", [])],
)
def test_first_level_classes_follow_from_the_recorded_paths(
    judgements: Path, document: str, choices: list[int]
) -> None:
    (answer,) = RecordedClient(judgements).ask([judge_root(document)])
    assert answer.value == RootJudgement(choices=choices, confidence="low")


def test_an_answer_to_the_second_question_itself_goes_before_what_follows_from_the_first(judgements: Path) -> None:
    row = {"task": "judge_root", "document": "train/1", "answer": {"paths": [["cars"]], "confidence": "high"}}
    with judgements.open("a", encoding="utf-8") as lines:
        lines.write("\n" + json.dumps(row))
    (answer,) = RecordedClient(judgements).ask([judge_root("train/1")])
    assert answer.value == RootJudgement(choices=[3], confidence="high")


@pytest.mark.parametrize("document", ["test/2", "test/3", "test/4", "test/5"])
@pytest.mark.parametrize("ask", [judge, judge_root])
def test_recorded_judgement_of_another_shape_is_no_answer(judgements: Path, document: str, ask) -> None:
    (answer,) = RecordedClient(judgements).ask([ask(document)])
    assert answer.value is None
    assert answer.error.startswith("recorded answer is invalid: ") and "\n" not in answer.error


def test_recordings_may_lie_in_several_files_and_the_later_counts(recordings: Path, judgements: Path) -> None:
    later = judgements.with_name("later.jsonl")
    row = {"task": "describe_class", "class_id": "a", "answer": {"description": "Better."}}
    later.write_text(json.dumps(row), "utf-8")
    client = RecordedClient(recordings, judgements, later, later.with_name("none.jsonl"))
    first, second = client.ask([describe("a"), judge("train/1")])
    assert first.value == ClassDescription(description="Better.") and second.value is not None
    (unknown,) = client.ask([judge("train/9")])
    assert unknown.error == f"not recorded in {' or '.join(map(str, client.paths))}"


def test_clients_say_what_they_can_be_asked_about(recordings: Path, judgements: Path) -> None:
    client = RecordedClient(recordings, judgements)
    assert client.list_subjects("write_reviews") == {"a"}
    assert client.list_subjects("judge_document") == client.list_subjects("judge_root")
    assert {"train/1", "train/a/b", "test/5"} < client.list_subjects("judge_document")
    assert client.list_subjects("write_keywords") == TemplateClient().list_subjects("judge_document") == frozenset()


# ---------------------------------------------------------------------- no answers, and bad ones


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
