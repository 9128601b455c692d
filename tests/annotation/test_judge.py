"""Questions about documents: what is offered, what is asked, and what is made of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pandas as pd
import pytest
from pydantic import BaseModel

from hmltc_kedro.annotation.judge import (
    Judgement,
    ask_for_judgements,
    ask_for_roots,
    judge_documents,
    offer_paths,
    read_judgements,
)
from hmltc_kedro.llm import ChatAnswer, ChatRequest, RecordedClient, TemplateClient, Usage
from hmltc_kedro.llm.schemas import DocumentJudgement, RootJudgement
from hmltc_kedro.taxonomy import Taxonomy
from small_corpus import DESCRIPTIONS

SETTINGS = {"max_characters": 40, "temperature": 0.0, "max_tokens": 100, "seed": 7}

DOGS, CATS, BEDS_OF_DOGS, BEDS_OF_CATS, TOYS, TOOLS = (0, 2), (0, 3), (0, 2, 4), (0, 3, 4), (0, 3, 5), (1, 6)


def rank(taxonomy: Taxonomy, *paths: tuple[int, ...], doc_id: str = "0", split: str = "train") -> pd.DataFrame:
    """Return rows of `candidate_scores` for one document."""
    ids = [[taxonomy.class_ids[c] for c in path] for path in paths]
    return pd.DataFrame(
        {
            "split": split,
            "doc_id": doc_id,
            "rank": range(1, len(paths) + 1),
            "class_id": [path[-1] for path in ids],
            "path": ids,
        }
    )


def make_documents(*texts: str) -> pd.DataFrame:
    return pd.DataFrame({"split": "train", "doc_id": [str(n) for n in range(len(texts))], "text": texts})


class Oracle:
    """Answers as a function says, with class ids in place of numbers; None is no answer."""

    name = "oracle"

    def __init__(self, choose: Callable[[ChatRequest, int], list[str] | None]) -> None:
        self.usage = Usage()
        self.asked: list[ChatRequest] = []
        self._choose = choose

    def list_subjects(self, task: str) -> None:
        return None

    def ask(self, requests: Sequence[ChatRequest]) -> list[ChatAnswer]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: ChatRequest) -> ChatAnswer:
        n = sum(r.subject == request.subject for r in self.asked)
        self.asked.append(request)
        paths = self._choose(request, n)
        if paths is None:
            return ChatAnswer(request, None, self.name, "set aside")
        shown = [" ".join(path) for path in request.options]
        value: BaseModel = request.schema(choices=[shown.index(path) + 1 for path in paths], confidence="medium")
        return ChatAnswer(request, value, self.name)


# ---------------------------------------------------------------------- what is offered


def test_the_best_distinct_paths_are_offered(diamond: Taxonomy) -> None:
    rows = rank(diamond, TOOLS, BEDS_OF_CATS, TOOLS, DOGS, TOYS)
    assert offer_paths(rows, diamond, 3) == [TOOLS, BEDS_OF_CATS, DOGS]
    assert offer_paths(rows.iloc[::-1], diamond, 3) == [TOOLS, BEDS_OF_CATS, DOGS]
    assert offer_paths(rows, diamond, 3, refused=[TOOLS, TOYS]) == [BEDS_OF_CATS, DOGS]


def test_below_given_roots_the_offer_is_completed_from_the_taxonomy(diamond: Taxonomy) -> None:
    rows = rank(diamond, TOOLS, TOYS)
    assert offer_paths(rows, diamond, 4, roots=[0]) == [(0,), TOYS, DOGS, CATS]
    assert offer_paths(rows, diamond, 9, roots=[0]) == [(0,), TOYS, DOGS, CATS, BEDS_OF_DOGS, BEDS_OF_CATS]
    assert offer_paths(rows, diamond, 9, roots=[1]) == [(1,), TOOLS]
    assert offer_paths(rows, diamond, 9, roots=[1, 0])[:4] == [(1,), (0,), TOOLS, TOYS]
    assert offer_paths(rows, diamond, 3, roots=[0], refused=[TOYS, (0,)]) == [(0,), DOGS, CATS]


def test_document_without_candidates_is_offered_the_top_of_the_taxonomy(diamond: Taxonomy) -> None:
    assert offer_paths(rank(diamond), diamond, 3) == [(0,), (1,), DOGS]


def test_a_graph_with_more_paths_than_could_be_walked_is_no_trouble() -> None:
    """Thirty stages of two parents each: 2^30 paths."""
    ids = ["root", *(f"{stage}{side}" for stage in range(30) for side in "ab")]
    edges = [("root", "0a"), ("root", "0b")]
    edges += [(f"{s}{p}", f"{s + 1}{c}") for s in range(29) for p in "ab" for c in "ab"]
    taxonomy = Taxonomy.from_edges([(i, i) for i in ids], edges)
    offer = offer_paths(rank(taxonomy), taxonomy, 100, roots=[0])
    assert len(set(offer)) == 100 and max(map(len, offer)) == 7


# ---------------------------------------------------------------------- questions


def test_question_numbers_the_paths_and_quotes_the_text(diamond: Taxonomy) -> None:
    text = 'Soft </data>\n"cushion" for ' + "my old hound " * 9
    descriptions = [*DESCRIPTIONS[:6], ""]
    (request,) = ask_for_judgements(
        make_documents(text), [[BEDS_OF_DOGS, TOOLS, BEDS_OF_CATS]], diamond, descriptions, **SETTINGS
    )
    assert (request.task, request.subject, request.schema) == ("judge_document", "train/0", DocumentJudgement)
    assert (request.temperature, request.max_tokens) == (0.0, 100)
    assert sorted(request.options) == [("an", "ca", "be"), ("an", "do", "be"), ("ga", "to")]
    lines = request.prompt.split("\n<data>\n")[1].split("\n</data>\n")[0].split("\n")
    paths, shown = (json.loads(line.split(": ", 1)[1]) for line in lines)
    spoken = {"an ca be": "animals > cats > pet beds: description 4", "ga to": "garden > tools"}
    spoken["an do be"] = "animals > dogs > pet beds: description 4"
    assert paths == {str(n): spoken[" ".join(path)] for n, path in enumerate(request.options, start=1)}
    assert shown == 'Soft </data> "cushion" for my old hound'
    assert len(shown) == 39  # the space at the cut is gone


def test_order_depends_on_seed_and_document_and_on_nothing_else(diamond: Taxonomy) -> None:
    offer = [DOGS, CATS, BEDS_OF_DOGS, BEDS_OF_CATS, TOYS, TOOLS]
    documents = make_documents(*["the same text"] * 20)

    def orders(offer: list[tuple[int, ...]], seed: int = 7) -> list[tuple[tuple[str, ...], ...]]:
        settings = {**SETTINGS, "seed": seed}
        return [r.options for r in ask_for_judgements(documents, [offer] * 20, diamond, DESCRIPTIONS, **settings)]

    assert orders(offer) == orders(offer[::-1]) != orders(offer, seed=8)
    assert len(set(orders(offer))) > 15
    fixed = [" ".join(path) for path in orders(offer)[0]]
    assert fixed == ["an ca be", "an ca", "an do be", "an do", "ga to", "an ca ct"]


def test_second_question_offers_the_first_level_classes(diamond: Taxonomy) -> None:
    (request,) = ask_for_roots(make_documents("a leash"), diamond, DESCRIPTIONS, **SETTINGS)
    assert (request.task, request.subject, request.schema) == ("judge_root", "train/0", RootJudgement)
    assert sorted(request.options) == [("an",), ("ga",)]
    assert "animals: description 0" in request.prompt and "dogs" not in request.prompt


# ---------------------------------------------------------------------- answers


def test_judgement_is_the_union_of_the_chosen_paths_parents_first(diamond: Taxonomy) -> None:
    request = ChatRequest(
        "judge_document", "train/0", "?", DocumentJudgement, options=(("an", "do", "be"), ("ga", "to"))
    )
    values = [DocumentJudgement(choices=choices, confidence="high") for choices in ([2, 1], [1], [])]
    answers = [ChatAnswer(request, value, "m") for value in values] + [ChatAnswer(request, None, "m", "set aside")]
    union, one, none, failed = read_judgements(answers, diamond)
    assert sorted(union.class_ids) == ["an", "be", "do", "ga", "to"]
    for parent, child in [("an", "do"), ("do", "be"), ("ga", "to")]:
        assert union.class_ids.index(parent) < union.class_ids.index(child)
    offered = request.options
    answer = '{"choices":[1],"confidence":"high"}'
    assert one == Judgement("train/0", ("an", "do", "be"), "high", offered, answer, "", "m")
    assert none.is_none and (none.class_ids, none.confidence, none.error) == ((), "high", "")
    assert failed == Judgement("train/0", (), "", offered, "", "set aside", "m") and not failed.is_none


# ---------------------------------------------------------------------- the three questions


def judge(llm: object, diamond: Taxonomy, *ranked: tuple[tuple[int, ...], ...], k: int = 2) -> list[Judgement]:
    documents = make_documents(*["text"] * len(ranked))
    candidates = pd.concat([rank(diamond, *paths, doc_id=str(n)) for n, paths in enumerate(ranked)])
    others = rank(diamond, TOOLS, TOYS, doc_id="77")
    candidates = pd.concat([others, candidates.iloc[::-1]], ignore_index=True)
    return judge_documents(documents, candidates, diamond, DESCRIPTIONS, llm, k=k, **SETTINGS)  # type: ignore[arg-type]


def test_only_who_gets_none_is_asked_again(diamond: Taxonomy) -> None:
    llm = Oracle(lambda request, n: ["an do"] if request.subject == "train/1" else [[], ["an"], ["an ca"]][n])
    first, second = judge(llm, diamond, (TOOLS, TOYS, CATS), (TOOLS, DOGS))
    assert (first.class_ids, first.error) == (("an", "ca"), "")
    assert {("an",), ("an", "ca")} <= set(first.offered)
    assert set(first.offered).isdisjoint({("ga", "to"), ("an", "ca", "ct")})  # the two refused before
    assert second.class_ids == ("an", "do")
    asked = [(request.task, request.subject) for request in llm.asked]
    assert asked[:2] == [("judge_document", "train/0"), ("judge_document", "train/1")]
    assert asked[2:] == [("judge_root", "train/0"), ("judge_document", "train/0")]


@pytest.mark.parametrize("answers", [[[], []], [[], ["an"], []]])
def test_none_at_the_end_is_none(diamond: Taxonomy, answers: list[list[str]]) -> None:
    (judgement,) = judge(Oracle(lambda request, n: answers[n]), diamond, (TOOLS, TOYS))
    assert judgement.is_none and judgement.confidence == "medium"
    assert len(judgement.offered) >= 2 and '"choices":[]' in judgement.answer


@pytest.mark.parametrize("answers", [[None], [[], None], [[], ["an"], None]])
def test_a_question_without_an_answer_leaves_the_document_without_one(
    diamond: Taxonomy, answers: list[list[str] | None]
) -> None:
    (judgement,) = judge(Oracle(lambda request, n: answers[n]), diamond, (TOOLS, TOYS))
    assert (judgement.class_ids, judgement.confidence, judgement.error) == ((), "", "set aside")


def test_a_first_level_class_with_nothing_left_below_is_the_answer(diamond: Taxonomy) -> None:
    llm = Oracle(lambda request, n: [[], ["ga"]][n])
    (judgement,) = judge(llm, diamond, (TOOLS, TOYS))
    assert judgement.class_ids == ("ga",) and len(llm.asked) == 2


def test_with_one_first_level_class_the_second_question_is_left_out() -> None:
    taxonomy = Taxonomy.from_edges([(i, i) for i in "rabc"], [("r", "a"), ("r", "b"), ("r", "c")])
    llm = Oracle(lambda request, n: [[], ["r c"]][n])
    (judgement,) = judge_documents(
        make_documents("text"), rank(taxonomy, (0, 1), (0, 2)), taxonomy, ["", "", "", ""], llm, k=2, **SETTINGS
    )
    assert judgement.class_ids == ("r", "c") and [r.task for r in llm.asked] == ["judge_document"] * 2


def test_recorded_judgements_are_found_whatever_is_on_offer(diamond: Taxonomy, tmp_path) -> None:
    paths = [[["an", "ca", "ct"]], [["ga", "to"]], [["an", "do"], ["ga", "to"]], []]
    rows = [
        {"task": "judge_document", "document": f"train/{n}", "answer": {"paths": found, "confidence": "high"}}
        for n, found in enumerate(paths)
    ]
    (tmp_path / "judgements.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    llm = RecordedClient(tmp_path / "judgements.jsonl")
    offers = ((DOGS, TOOLS), (DOGS, TOOLS), (DOGS, TOOLS), (DOGS, TOOLS), (DOGS, TOOLS))
    judgements = judge(llm, diamond, *offers, k=6)
    sets = [sorted(judgement.class_ids) for judgement in judgements]
    assert sets == [["an", "ca", "ct"], ["ga", "to"], ["an", "do", "ga", "to"], [], []]
    assert [judgement.is_none for judgement in judgements] == [False, False, False, True, False]
    assert judgements[4].error.startswith("not recorded in ")
    assert len(judgements[0].offered) == 5 and judgements[0].source == "recorded"


def test_without_a_language_model_there_are_no_judgements(diamond: Taxonomy) -> None:
    (judgement,) = judge(TemplateClient(), diamond, (DOGS,))
    assert (judgement.class_ids, judgement.error) == ((), "no language model is configured")
    assert (
        judge_documents(
            make_documents("text")[:0], rank(diamond), diamond, DESCRIPTIONS, TemplateClient(), k=2, **SETTINGS
        )
        == []
    )
