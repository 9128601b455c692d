"""What the report says of documents and their errors, worked out by hand on the diamond."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmltc_kedro.report import RunEntries, document_summaries
from report_run import NASTY, make_diagnostics, make_predictions, make_run

# ---------------------------------------------------------------------- trust


def test_every_document_is_in_one_bar_by_expected_f1_and_silver_label() -> None:
    documents = pd.DataFrame({"expected_f1": [0.0, 0.04, 0.05, 0.99, 1.0], "teacher_agreement": [1, 0.5, 1, 0, 1]})
    edges, counts = document_summaries.count_by_expected_f1(documents)
    assert edges[:5] == ["0.0", "", "0.1", "", "0.2"]
    assert counts == {"confirmed": [1, 1] + [0] * 17 + [1], "changed": [1] + [0] * 18 + [1]}, "no key for new documents"
    _, new = document_summaries.count_by_expected_f1(documents.assign(teacher_agreement=np.nan))
    assert [*new] == ["new"]
    assert sum(new["new"]) == 5


# ---------------------------------------------------------------------- predictions


LARGE = document_summaries.MAX_CHARACTERS + 1
"""Characters, too many to be on the page as a whole."""


def choose(predictions: pd.DataFrame, characters: int = LARGE) -> pd.DataFrame:
    asked = predictions.assign(source="model")
    return document_summaries.choose_documents(asked, make_diagnostics(predictions), characters)


def pack(run: RunEntries) -> dict[str, Any]:
    characters = document_summaries.count_characters(run.documents)
    chosen = document_summaries.choose_documents(run.predictions, run.document_diagnostics, characters)
    return document_summaries.pack_documents(run, chosen)


def test_small_corpus_is_on_the_page_as_a_whole_the_most_doubtful_first() -> None:
    predictions = make_predictions(30).iloc[::-1]
    chosen = choose(predictions)
    assert chosen["position"].tolist() == list(range(29, -1, -1))
    assert chosen["doubtful"].tolist() == [True] * 3 + [False] * 27


def test_document_without_a_path_is_the_most_doubtful() -> None:
    predictions = make_predictions(4)
    predictions.loc[2, ["class_ids", "paths", "scores"]] = pd.Series({"class_ids": [], "paths": [], "scores": []})
    chosen = choose(predictions)
    assert (chosen["position"][0], chosen["expected_f1"][0]) == (2, 0)
    assert len(chosen) == 4


def test_documents_of_a_class_are_spread_over_its_scores(monkeypatch) -> None:
    monkeypatch.setattr(document_summaries, "MAX_PER_CLASS", 2)
    monkeypatch.setattr(document_summaries, "MAX_DOUBTFUL", 1)
    chosen = choose(make_predictions(16))  # four of each label set
    assert chosen["position"].tolist() == [0, 1, 2, 3, 8, 9, 10, 11]


@settings(max_examples=40)
@given(st.integers(0, 300), st.integers(1, 60), st.integers(1, 20), st.integers(0, 20))
def test_caps_hold_and_no_class_is_left_out(n: int, limit: int, per_class: int, doubtful: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_summaries, "MAX_DOCUMENTS", limit)
        patch.setattr(document_summaries, "MAX_PER_CLASS", per_class)
        patch.setattr(document_summaries, "MAX_DOUBTFUL", doubtful)
        predictions = make_predictions(n)
        chosen = choose(predictions)
    assert len(chosen) <= limit + doubtful
    assert chosen["doubt"].is_monotonic_decreasing
    best = pd.Series([paths[0][-1] for paths in predictions["paths"].iloc[chosen["position"]]], dtype="str")
    spread = best[~chosen["doubtful"].to_numpy()]
    assert (spread.value_counts() <= per_class).all()
    if limit >= 4 and n >= 4:
        assert best.nunique() == 4


def test_packed_documents_refer_to_classes_by_position(diamond) -> None:
    run = make_run(diamond)
    packed = pack(run)
    paths, beds = [[0, 2, 4], [0, 3, 4]], [([0, 3, 5], 2.0), ([1, 6], 1.0)]
    assert packed["names"][4] == "pet beds"
    assert packed["longest"] is None
    spade = [
        "3",
        "spade number 2",
        [0, 2, 3, 4],
        paths,
        [0.444, 0.444],
        0,
        0.444,
        0.444,
        "review",
        "the model",
        0,
        beds,
    ]
    assert packed["documents"][2] == spade
    nasty = [NASTY, [0, 2], [[0, 2]], [0.111], 1, 0.111, 0.111, "review", "the model", 1, beds]
    assert packed["documents"][0][1:] == nasty
    assert packed["documents"][1][8:10] == ["review", "the judge (recorded)"]
    given = packed["documents"][-1]
    assert given[:1] + given[5:10] == ["2", 0, 0.333, None, "accept", "a person"], "settled, so last; JSON has no NaN"


def test_document_that_is_gone_has_no_text_and_no_runner_up(diamond) -> None:
    run = make_run(diamond)
    first = run.documents[(run.documents["split"] == "train") | (run.documents["doc_id"] == "0")]
    gone = replace(run, documents=first, candidate_scores=run.candidate_scores.iloc[:0])
    assert [(row[1], row[-1]) for row in pack(gone)["documents"][:2]] == [(NASTY, []), ("", [])]


def test_label_sets_that_were_given_are_not_doubtful_unless_they_are_to_be_reviewed() -> None:
    predictions = make_predictions(10).assign(source=["recorded", "recorded", *["model"] * 8])
    predictions["decision"] = ["accept", "review", *["review"] * 8]
    chosen = document_summaries.choose_documents(predictions, make_diagnostics(predictions), 0)
    assert chosen["doc_id"].tolist() == [*"123456789", "0"]
    assert chosen["doubtful"].tolist() == [True] + [False] * 9
    everything = predictions.assign(source="person", decision="")
    assert not document_summaries.choose_documents(everything, make_diagnostics(predictions), 0)["doubtful"].any()


def test_all_documents_are_on_the_page_while_they_fit(monkeypatch) -> None:
    monkeypatch.setattr(document_summaries, "MAX_PER_CLASS", 1)
    predictions = make_predictions(40)
    assert len(choose(predictions, LARGE - 1)) == 40
    assert len(choose(predictions, LARGE)) == 4, "the doubtful tenth, which has one of each label set"
    monkeypatch.setattr(document_summaries, "MAX_WHOLE", 39)
    assert len(choose(predictions, 0)) == 4


@pytest.mark.parametrize(
    ("lengths", "characters", "longest"),
    [([], 9, 0), ([3, 5], 8, 5), ([3, 5], 7, 4), ([9, 1, 9], 11, 5), ([9, 9], 0, 0), ([0, 4, 2], 6, 4)],
)
def test_longest_texts_are_cut_until_all_fit(lengths, characters, longest) -> None:
    assert document_summaries.find_longest(lengths, characters) == longest
    assert sum(min(length, longest) for length in lengths) <= characters


def test_cut_texts_are_marked(diamond, monkeypatch) -> None:
    monkeypatch.setattr(document_summaries, "MAX_CHARACTERS", 8)
    packed = pack(make_run(diamond, texts=["rake", "a long text", "x"]))
    assert packed["longest"] == 3
    assert {row[0]: row[1] for row in packed["documents"]} == {"0": "rak…", "1": "a l…", "2": "x"}


def test_runners_up_are_the_best_candidates_that_the_label_set_lacks(diamond, monkeypatch) -> None:
    predictions = pd.DataFrame({"doc_id": ["b", "a", "c"], "class_ids": [["an", "do"], ["ga"], []]})
    candidates = pd.DataFrame(
        {
            "doc_id": ["a", "a", "a", "a", "b", "b", "z"],
            "path": [["an", "ca", "ct"], ["an", "ca"], ["ga"], ["ga", "to"], ["an"], ["an", "ca"], ["ga"]],
            "score_fused": np.array([3.0, 2.5, 2.0, 1.25, 0.5, -0.25, 9.0], dtype=np.float32),
        }
    )
    found = document_summaries.find_runners_up(predictions, candidates, diamond)
    assert found == [[([0, 3], -0.25)], [([0, 3, 5], 3.0), ([1, 6], 1.25)], []]
    monkeypatch.setattr(document_summaries, "RUNNERS_UP", 1)
    assert document_summaries.find_runners_up(predictions, candidates, diamond)[1] == [([0, 3, 5], 3.0)]


def test_sources_are_named_for_people(diamond) -> None:
    listed = document_summaries.list_sources(make_run(diamond).predictions)
    assert listed == [("the model", 6), ("the judge (recorded)", 1), ("a person", 1)]


def test_predicted_classes_are_in_the_order_of_their_paths(diamond) -> None:
    assert document_summaries.list_predicted_classes(make_run(diamond)) == [
        (0, "animals", 6),
        (3, "animals > cats", 4),
        (2, "animals > dogs", 4),
        (4, "animals > dogs > pet beds", 2),
        (1, "garden", 2),
        (6, "garden > tools", 2),
    ]


# ---------------------------------------------------------------------- scores and settings


def test_errors_are_shared_out_by_level_and_kind() -> None:
    studies = pd.DataFrame(
        {
            "kind": ["wrong branch", "right", "stopped early", "wrong branch"],
            "first_wrong_level": [1, 0, 2, 2],
            "sample_f1": [0.0, 1.0, 0.75, 0.25],
        }
    )
    errors = document_summaries.summarise_errors(studies)
    assert errors["levels"] == [("level 1", 1, 0.5), ("level 2", 2, 0.5)]
    assert errors["kinds"] == [("right", 1, 0.0), ("wrong branch", 2, 0.875), ("stopped early", 1, 0.125)]
    flawless = document_summaries.summarise_errors(studies.iloc[[1]])
    assert flawless == {"levels": [], "kinds": [("right", 1, 0.0)]}


def test_cases_are_the_worst_ones_that_are_not_right(diamond) -> None:
    listed = document_summaries.list_cases(make_run(diamond).case_studies)
    assert [row["doc_id"] for row in listed] == ["1", "3"]
    assert all(row["sample_f1"] < 1 for row in listed)
