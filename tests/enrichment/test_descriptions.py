"""Class descriptions: what the language model is asked, and what stands in for it."""

import hashlib
import json

import pytest

from hmltc_kedro.enrichment.descriptions import ask_for_descriptions, collect_descriptions
from hmltc_kedro.enrichment.templates import write_template_description
from hmltc_kedro.llm import ChatAnswer, ChatRequest, TemplateClient
from hmltc_kedro.llm.schemas import ClassDescription, ClassReviews
from hmltc_kedro.taxonomy import Taxonomy
from large_graphs import make_inverted_star, make_star, within


@pytest.fixture
def requests(diamond: Taxonomy) -> list[ChatRequest]:
    return ask_for_descriptions(diamond, temperature=0.3, max_tokens=99)


def test_one_question_a_class_in_the_order_of_the_taxonomy(requests: list[ChatRequest], diamond: Taxonomy) -> None:
    assert [r.subject for r in requests] == list(diamond.class_ids)
    assert {(r.task, r.schema, r.temperature, r.max_tokens) for r in requests} == {
        ("describe_class", ClassDescription, 0.3, 99)
    }


def test_question_holds_all_parents_paths_siblings_and_keywords(requests: list[ChatRequest]) -> None:
    prompt = requests[4].prompt
    assert 'class: "pet beds"\n' in prompt
    assert 'paths from the root: ["animals > dogs > pet beds", "animals > cats > pet beds"]\n' in prompt
    assert 'parents: ["dogs", "cats"]\n' in prompt
    assert 'siblings: ["cat toys"]\n' in prompt
    assert "children: []\n" in prompt
    assert 'keywords: ["cushion"]\n' in prompt


def test_question_about_a_root_has_its_name_for_a_path(requests: list[ChatRequest]) -> None:
    prompt = requests[0].prompt
    assert 'paths from the root: ["animals"]\n' in prompt
    assert 'siblings: ["garden"]\n' in prompt
    assert 'children: ["dogs", "cats"]\n' in prompt


@pytest.mark.parametrize(
    ("c", "expected"),
    [
        (0, "animals, with dogs, cats"),
        (2, "dogs in animals, such as puppy, leash, with pet beds"),
        (4, "pet beds in dogs and cats, such as cushion"),
        (6, "tools in garden"),
    ],
)
def test_template_is_made_of_names_parents_keywords_and_children(diamond: Taxonomy, c: int, expected: str) -> None:
    assert write_template_description(diamond, c) == expected


def test_answers_are_taken_and_gaps_filled_from_the_template(requests: list[ChatRequest], diamond: Taxonomy) -> None:
    answers = TemplateClient().ask(requests)
    answers[2] = ChatAnswer(requests[2], ClassDescription(description="All about dogs."), "some-model")
    frame = collect_descriptions(diamond, answers)
    assert list(frame.columns) == ["class_id", "name", "description", "source", "prompt_sha", "error"]
    assert frame["class_id"].tolist() == list(diamond.class_ids)
    assert frame.loc[2, ["description", "source", "error"]].tolist() == ["All about dogs.", "some-model", ""]
    assert frame.loc[4, ["description", "source", "error"]].tolist() == [
        "pet beds in dogs and cats, such as cushion",
        "template",
        "no language model is configured",
    ]
    assert frame["source"].value_counts().to_dict() == {"template": 6, "some-model": 1}


def test_answer_to_another_task_is_no_description(requests: list[ChatRequest], diamond: Taxonomy) -> None:
    answers = [ChatAnswer(r, ClassReviews(reviews=["x"]), "some-model") for r in requests]
    assert set(collect_descriptions(diamond, answers)["source"]) == {"template"}


def test_prompt_sha_is_that_of_the_prompt(requests: list[ChatRequest], diamond: Taxonomy) -> None:
    frame = collect_descriptions(diamond, TemplateClient().ask(requests))
    assert frame["prompt_sha"].is_unique
    assert frame["prompt_sha"][3] == hashlib.sha256(requests[3].prompt.encode()).hexdigest()


def test_questions_about_a_wide_graph_name_a_hundred_of_each_kind() -> None:
    star, inverted = make_star(600), make_inverted_star(600)
    with within(2, 60):
        of_star = ask_for_descriptions(star, temperature=0.3, max_tokens=99)
    assert sum(len(request.prompt) for request in of_star) < 600 * 3000
    root, child = of_star[0].prompt, of_star[5].prompt
    assert f"children: {json.dumps([f'class {c}' for c in range(1, 101)])}\n" in root
    assert f"siblings: {json.dumps([f'class {c}' for c in range(1, 102) if c != 5])}\n" in child
    with within(2, 60):
        below_all = ask_for_descriptions(inverted, temperature=0.3, max_tokens=99)[-1].prompt
    assert f"parents: {json.dumps([f'class {c}' for c in range(100)])}\n" in below_all
