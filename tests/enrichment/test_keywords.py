"""Keywords for the classes that have none: what is asked, and what is taken of the answers."""

import json

import pytest

from hmltc_kedro.enrichment.keywords import ask_for_keywords, complete_keywords
from hmltc_kedro.llm import ChatAnswer, ChatRequest
from hmltc_kedro.llm.schemas import ClassDescription, ClassKeywords
from hmltc_kedro.taxonomy import Taxonomy
from large_graphs import make_diamonds, make_ladder, make_star, within


@pytest.fixture
def requests(diamond: Taxonomy) -> list[ChatRequest]:
    return ask_for_keywords(diamond, 7, temperature=0.3, max_tokens=99)


def test_one_question_a_class_without_keywords(requests: list[ChatRequest]) -> None:
    assert [request.subject for request in requests] == ["an", "ga", "ca", "ct", "to"], "dogs and beds have some"
    assert {(r.task, r.schema, r.temperature, r.max_tokens) for r in requests} == {
        ("write_keywords", ClassKeywords, 0.3, 99)
    }


def test_question_holds_place_and_number(requests: list[ChatRequest]) -> None:
    prompt = requests[2].prompt
    for line in (
        'class: "cats"',
        'paths from the root: [["animals", "cats"]]',
        'siblings: ["dogs"]',
        'children: ["pet beds", "cat toys"]',
    ):
        assert line in prompt.split("\n")
    assert "Write 7 keywords for the class" in prompt


def test_answers_complete_the_taxonomy_and_change_no_other_class(
    requests: list[ChatRequest], diamond: Taxonomy
) -> None:
    answers = [
        ChatAnswer(requests[2], ClassKeywords(keywords=["purr", "litter", "purr", "claw"]), "model"),
        ChatAnswer(requests[3], None, "model", "no"),
        ChatAnswer(requests[4], ClassDescription(description="about tools"), "model"),
    ]
    completed = complete_keywords(diamond, answers, count=2)
    assert completed.keywords == ((), (), ("puppy", "leash"), ("purr", "litter"), ("cushion",), (), ())
    assert (completed.class_ids, completed.parents) == (diamond.class_ids, diamond.parents)


@pytest.mark.parametrize("taxonomy", [make_star(400), make_ladder(14), make_diamonds(30)], ids=repr)
def test_questions_name_twenty_paths_and_a_hundred_siblings(taxonomy: Taxonomy) -> None:
    with within(2, 100):
        requests = ask_for_keywords(taxonomy, count=10, temperature=0.3, max_tokens=99)
    assert len(requests) == len(taxonomy)
    paths, siblings = (
        [json.loads(request.prompt.split(f"{name}: ")[1].split("\n")[0]) for request in requests]
        for name in ("paths from the root", "siblings")
    )
    assert max(map(len, paths)) == (1 if taxonomy.depth == 2 else 20)
    assert max(map(len, siblings)) == (100 if taxonomy.depth == 2 else 1)
