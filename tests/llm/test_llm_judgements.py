"""Answers that choose among numbered options: whatever a server sends ends in a checked value or a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fake_llm import completion, serve
from hmltc_kedro.llm import ChatRequest, ReplayClient
from hmltc_kedro.llm.parsing import UnfitAnswer, parse_answer
from hmltc_kedro.llm.schemas import DocumentJudgement, RootJudgement

OPTIONS = (("pets", "dogs"), ("pets", "cats"), ("food",))


def make_question(task: str = "judge_document", subject: str = "train/1") -> ChatRequest:
    schema = {"judge_document": DocumentJudgement, "judge_root": RootJudgement}[task]
    return ChatRequest(task, subject, f"which of three for {subject}?", schema, 0.0, 100, OPTIONS)


def say(choices: Any, confidence: Any = "high") -> str:
    return json.dumps({"choices": choices, "confidence": confidence})


@pytest.mark.parametrize(
    ("content", "choices"),
    [
        (say([2]), [2]),
        (say([1, 3]), [1, 3]),
        (say([]), []),
        (say([3, 1, 3, 3]), [3, 1]),
        (say(["2"]), [2]),
        (say([2], " High "), [2]),
        (f"It is about cats.\n```json\n{say([2])}\n```", [2]),
        (f"<think>{say([9])}</think>{say([2])}", [2]),
        (f"{say([9])} no, there are only three: {say([2])}", [2]),
        ('{"reason": "a cat", "choices": [2], "confidence": "high"}', [2]),
    ],
)
@pytest.mark.parametrize("task", ["judge_document", "judge_root"])
def test_answers_that_fit_are_taken_at_once(make_client, task: str, content: str, choices: list[int]) -> None:
    with serve(lambda body, n: completion(content)) as (server, url):
        (answer,) = make_client(url).ask([make_question(task)])
    assert (answer.value.choices, answer.value.confidence, answer.error) == (choices, "high", "")
    assert type(answer.value) is make_question(task).schema and server.total == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (say([4]), "choices: Value error, there is no number 4, the numbers go from 1 to 3; [] if none is right"),
        (say([2, 99]), "there is no number 99, the numbers go from 1 to 3"),
        (say([0]), "there is no number 0,"),
        (say([-1]), "there is no number -1,"),
        (say([10**30]), "there is no number 1"),
        (say([True]), "true and false are no numbers"),
        (say([1.5]), "choices.0: Input should be a valid integer"),
        (say(["pets > cats"]), "choices.0: Input should be a valid integer"),
        (say(2), "choices: Input should be a valid list"),
        (say(None), "choices: Input should be a valid list"),
        (say([2], "certain"), "confidence: Input should be 'high', 'medium' or 'low'"),
        ('{"choices": [2]}', "confidence: Field required"),
        ('{"choices": [<number>, ...], "confidence": "<high, medium or low>"}', "Invalid JSON"),
        ("It is clearly about a cat, so I would say the second.", "Invalid JSON"),
        ("[2]", "answer: "),
        ("", "there is no text in it"),
    ],
)
def test_answers_that_do_not_fit_are_asked_again_and_then_set_aside(make_client, content: str, problem: str) -> None:
    stubborn, other = make_question(subject="train/1"), make_question(subject="train/2")
    replies = {stubborn.prompt: lambda n: content, other.prompt: lambda n: content if n == 0 else say([3])}
    with serve(lambda body, n: completion(replies[body["messages"][0]["content"]](n))) as (server, url):
        first, second = make_client(url).ask([stubborn, other])
    assert first.value is None and first.error.startswith("3 answers did not fit: ") and problem in first.error
    assert "\n" not in first.error
    assert second.value == DocumentJudgement(choices=[3], confidence="high")
    assert server.asked == {stubborn.prompt: 3, other.prompt: 2}
    if content:  # the model is told what to mend
        told = [body["messages"][-1]["content"] for body in server.bodies if len(body["messages"]) == 3]
        assert len(told) == 3 and all(problem in text for text in told)


def test_a_refusal_is_set_aside_at_once(make_client) -> None:
    with serve(lambda body, n: completion(None, refusal="I do not judge.")) as (server, url):
        (answer,) = make_client(url).ask([make_question()])
    assert (answer.value, answer.error) == (None, "the model refuses: I do not judge.") and server.total == 1


def test_judgements_are_paid_for_once_and_replayed(make_client, tmp_path) -> None:
    questions = [make_question(subject=f"train/{i}") for i in range(3)]
    with serve(lambda body, n: completion(say([2]))) as (server, url):
        client = make_client(url)
        answers = client.ask(questions)
        assert make_client(url).ask(questions) == answers
    assert server.total == 3
    assert ReplayClient(client.settings, tmp_path / "answers.sqlite").ask(questions) == answers
    assert client.list_subjects("judge_document") is None
    assert ReplayClient(client.settings, tmp_path / "answers.sqlite").list_subjects("judge_document") is None


def test_a_kept_answer_out_of_range_is_asked_again(make_client) -> None:
    """A hand may have edited the file; the range is a matter of the question, not of the row."""
    free = ChatRequest("judge_document", "train/1", make_question().prompt, DocumentJudgement, 0.0, 100, OPTIONS * 3)
    with serve(lambda body, n: completion(say([7]) if n == 0 else say([1]))) as (server, url):
        assert make_client(url).ask([free])[0].value.choices == [7]
        assert make_client(url).ask([make_question()])[0].value.choices == [1]
    assert server.total == 2


def test_without_a_question_any_number_fits() -> None:
    assert parse_answer(say([7]), DocumentJudgement).choices == [7]
    with pytest.raises(UnfitAnswer, match="from 1 to 3"):
        parse_answer(say([7]), DocumentJudgement, context={"options": 3})
