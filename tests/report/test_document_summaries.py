"""What the report says of documents and their errors, worked out by hand on the diamond."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmltc_kedro.report import document_summaries
from report_run import NASTY, make_diagnostics, make_documents, make_predictions, make_run

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


def choose(predictions: pd.DataFrame) -> pd.DataFrame:
    return document_summaries.choose_documents(predictions, make_diagnostics(predictions))


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
    packed = document_summaries.pack_documents(
        run, document_summaries.choose_documents(run.predictions, run.document_diagnostics)
    )
    paths = [[0, 2, 4], [0, 3, 4]]
    assert packed["names"][4] == "pet beds"
    assert packed["documents"][3] == ["3", "spade number 2", [0, 2, 3, 4], paths, [0.444, 0.444], 0, 0.444, 0.444]
    assert packed["documents"][0][1:] == [NASTY, [0, 2], [[0, 2]], [0.111], 1, 0.111, 0.111]
    assert packed["documents"][2][-2:] == [0.333, None], "JSON has no NaN"


def test_document_that_is_gone_has_no_text(diamond) -> None:
    run = make_run(diamond, test_documents=make_documents("test", ["only this"]))
    packed = document_summaries.pack_documents(
        run, document_summaries.choose_documents(run.predictions, run.document_diagnostics)
    )
    assert [row[1] for row in packed["documents"][:2]] == ["only this", ""]


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
