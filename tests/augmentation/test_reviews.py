"""Synthetic documents for starved classes: what is asked, and what is taken of the answers."""

import numpy as np
import pytest

from hmltc_kedro.augmentation.reviews import ask_for_reviews, choose_path, collect_reviews
from hmltc_kedro.augmentation.style import StyleRules
from hmltc_kedro.llm import ChatAnswer, ChatRequest
from hmltc_kedro.llm.schemas import ClassDescription, ClassReviews
from hmltc_kedro.taxonomy import Taxonomy
from large_graphs import make_star, within


def make_request(class_id: str) -> ChatRequest:
    return ChatRequest("write_reviews", class_id, "prompt", ClassReviews)


def make_answer(class_id: str, *reviews: str) -> ChatAnswer:
    return ChatAnswer(make_request(class_id), ClassReviews(reviews=list(reviews)), "model")


# ---------------------------------------------------------------------- asking


@pytest.mark.parametrize(
    ("counts", "path"),
    [([9, 0, 3, 4, 0, 0, 0], [0, 3, 4]), ([9, 0, 4, 3, 0, 0, 0], [0, 2, 4]), ([0] * 7, [0, 2, 4])],
)
def test_path_runs_through_the_parents_with_most_documents(
    diamond: Taxonomy, counts: list[int], path: list[int]
) -> None:
    assert choose_path(diamond, 4, np.array(counts)) == path


def test_path_to_a_root_is_the_root(diamond: Taxonomy) -> None:
    assert choose_path(diamond, 1, np.zeros(7, np.int64)) == [1]


def test_question_holds_path_description_keywords_siblings_and_examples(diamond: Taxonomy) -> None:
    descriptions = [f"description {c}" for c in range(7)]
    (request,) = ask_for_reviews(
        diamond, [[0, 3, 4]], descriptions, [["Nice.\n2nd"]], count=5, temperature=0.8, max_tokens=77
    )
    assert (request.task, request.subject, request.schema) == ("write_reviews", "be", ClassReviews)
    assert (request.temperature, request.max_tokens) == (0.8, 77)
    for line in (
        'class: "pet beds"',
        'path from the root: "animals > cats > pet beds"',
        'description: "description 4"',
        'keywords: ["cushion"]',
        'siblings (the texts must not fit these): ["cat toys"]',
        'texts of the collection, for style and length only: ["Nice. 2nd"]',
    ):
        assert line in request.prompt.split("\n")
    assert "Write 5 texts about 5 different things" in request.prompt


# ---------------------------------------------------------------------- collecting


def test_reviews_become_documents_with_the_whole_path(diamond: Taxonomy) -> None:
    answers = [make_answer("be", "It's soft.", "Too  small!"), make_answer("ga", "Green.")]
    frame = collect_reviews(diamond, [[0, 3, 4], [1]], answers, StyleRules.all(), count=5)
    assert frame.to_dict("list") == {
        "split": ["synthetic"] * 3,
        "doc_id": ["be-0", "be-1", "ga-0"],
        "text": ["it 's soft .", "too small !", "green ."],
        "raw_text": ["It's soft.", "Too small!", "Green."],
        "class_ids": [["an", "ca", "be"], ["an", "ca", "be"], ["ga"]],
        "source": ["model"] * 3,
    }


def test_without_rules_reviews_keep_their_style(diamond: Taxonomy) -> None:
    frame = collect_reviews(diamond, [[1]], [make_answer("ga", "It's\n  Green.")], None, count=5)
    assert frame["text"].tolist() == ["It's Green."]


def test_repeats_and_the_surplus_are_left_out(diamond: Taxonomy) -> None:
    answer = make_answer("ga", "one", "One!", "two", "?!", "three")
    frame = collect_reviews(diamond, [[1]], [answer], None, count=2)
    assert frame["text"].tolist() == ["one", "two"]
    assert frame["doc_id"].is_unique


def test_no_answer_gives_no_documents_but_all_columns(diamond: Taxonomy) -> None:
    unanswered = ChatAnswer(make_request("ga"), None, "model", "no")
    misplaced = ChatAnswer(make_request("an"), ClassDescription(description="x"), "model")
    frame = collect_reviews(diamond, [[1], [0]], [unanswered, misplaced], None, count=5)
    assert frame.empty
    assert list(frame.columns) == ["split", "doc_id", "text", "raw_text", "class_ids", "source"]
    assert frame["text"].dtype == "str"


def test_questions_about_a_wide_graph_name_a_hundred_siblings() -> None:
    star, paths = make_star(20_000), [[0, c] for c in range(1, 301)]
    with within(2, 60):
        requests = ask_for_reviews(star, paths, ["d"] * 20_000, [[]] * 300, count=2, temperature=0.8, max_tokens=99)
    assert all(request.prompt.count('"class ') == 100 + 2 for request in requests), "siblings, class and path"
