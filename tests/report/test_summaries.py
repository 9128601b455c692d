"""What the report says about a run, worked out by hand on the diamond."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.report import class_summaries, document_summaries, summaries
from report_run import NASTY, make_diagnostics, make_documents, make_predictions, make_run


def make_usage(**changes):
    zero = dict.fromkeys(("calls", "cached", "failed", "retries", "input_tokens", "output_tokens"), 0)
    return {**zero, "seconds": 0.0, "cost": None, **changes}


def make_node(stage, seconds, finished="2026-01-01T10:00:00+00:00", llm=None):
    return {"stage": stage, "seconds": seconds, "finished": finished, "llm": llm}


# ---------------------------------------------------------------------- input and stages


def test_corpus_is_counted_by_split(diamond) -> None:
    run = make_run(diamond, texts=["a", "a b c", "a b  c\nd e"])
    train, test = summaries.summarise_corpus(run.documents, run.rejected_documents)
    assert test == {"split": "test", "documents": 3, "rejected": 0, "words": 3.0, "longest": 5}
    assert (train["documents"], train["rejected"]) == (6, 1)
    empty = summaries.summarise_corpus(run.documents.iloc[:0], run.rejected_documents)
    assert [row["documents"] for row in empty] == [0, 0]


def test_taxonomy_is_counted(diamond) -> None:
    counts = dict(summaries.summarise_taxonomy(make_run(diamond)))
    assert counts["classes"] == 7
    assert counts["edges"] == 6
    assert counts["classes with several parents"] == 1
    assert counts["classes without keywords"] == 5
    assert counts["of these, completed by the language model"] == 1
    assert counts["descriptions, source: gpt"] == 6


def test_classes_have_counts_and_texts(diamond) -> None:
    rows = {row["id"]: row for row in class_summaries.list_classes(make_run(diamond))}
    assert list(rows) == list(diamond.class_ids)
    assert rows["do"] | {"description": ""} == {
        "id": "do",
        "path": "animals > dogs",
        "silver": 3,
        "status": "enough",
        "synthetic": 0,
        "predicted": 4,
        "keywords": "puppy, leash",
        "description": "",
        "source": "gpt",
    }
    assert (rows["be"]["status"], rows["be"]["synthetic"], rows["be"]["predicted"]) == ("empty", 2, 2)


def test_stages_without_a_record_have_work_but_no_seconds_and_no_money(diamond) -> None:
    rows = {row["stage"]: row for row in summaries.describe_stages(make_run(diamond))}
    assert list(rows) == list(summaries.STAGES)
    assert {(row["seconds"], row["money"], row["usage"], row["finished"]) for row in rows.values()} == {
        (None, None, None, None)
    }
    assert rows["ingest"]["did"] == ["14 documents read, 1 set aside", "7 classes on 3 levels"]
    assert rows["enrich"]["did"] == ["6 class descriptions by a language model, 1 from the template"]
    assert rows["pseudo_label"]["did"] == ["5 of 6 silver labels kept", "2 of 7 classes starved"]
    assert rows["augment"]["did"][0] == "2 synthetic documents, for 1 of 2 starved classes"
    assert rows["train"]["did"] == ["head: 2 epochs", "fine tuning: 1 epochs"]
    assert rows["evaluate"]["did"] == ["4 documents scored"]


def test_stages_add_up_what_their_nodes_took(diamond) -> None:
    paid = make_usage(calls=3, input_tokens=900, output_tokens=100, cost=0.5)
    record = {
        "complete_keywords": make_node("enrich", 1.5, "2026-01-01T10:00:00+00:00", paid),
        "describe_classes": make_node("enrich", 2.0, "2026-01-02T10:00:00+00:00", make_usage(cached=4, failed=1)),
        "write_synthetic_documents": make_node("augment", 1.0, llm=make_usage(calls=1)),
        "final.train_classifier": make_node("ablation", 99.0),
    }
    rows = {row["stage"]: row for row in summaries.describe_stages(make_run(diamond, run_record=record))}
    enrich = rows["enrich"]
    assert (enrich["seconds"], enrich["finished"]) == (3.5, "2026-01-02T10:00:00+00:00")
    assert enrich["money"] == "$0.5000", "answers on hand are free, whatever the price"
    assert enrich["usage"] == "3 calls, 1,000 tokens, 4 answers on hand, 1 without an answer"
    assert rows["augment"]["money"] == "price unknown"
    assert rows["train"]["seconds"] is None


# ---------------------------------------------------------------------- silver labels


def test_class_sizes_fall_into_doubling_bins() -> None:
    counts = [0, 1, 2, 3, 4, 9]
    statistics = pd.DataFrame(
        {"n_documents": counts, "starved": [c < 3 for c in counts], "empty": [c == 0 for c in counts]}
    )
    names, bins = summaries.count_by_size(statistics)
    assert names == ["0", "1", "2+", "4+", "8+"]
    assert bins == {"empty": [1, 0, 0, 0, 0], "starved": [0, 1, 1, 0, 0], "enough": [0, 0, 1, 1, 1]}


def test_levels_are_summarised(diamond) -> None:
    top, middle, bottom = class_summaries.count_by_level(make_run(diamond).label_statistics)
    assert top == {"level": 1, "classes": 2, "median": 2.5, "largest": 4, "starved": 0, "empty": 0}
    assert (middle["largest"], bottom["empty"]) == (3, 2)


def test_smallest_classes_have_a_document(diamond) -> None:
    ranks = class_summaries.rank_classes(make_run(diamond).label_statistics, 2)
    assert [row["path"] for row in ranks["largest"]] == ["animals", "animals > dogs"]
    assert [row["n_documents"] for row in ranks["smallest"]] == [1, 1]


@given(st.lists(st.tuples(st.floats(-1, 10, width=32), st.booleans()), max_size=60))
def test_every_gap_is_in_one_bin(labels: list[tuple[float, bool]]) -> None:
    silver = pd.DataFrame(labels, columns=["confidence", "kept"]).astype({"confidence": "float32", "kept": "bool"})
    names, counts = class_summaries.count_by_confidence(silver)
    assert len(names) == len(counts["kept"]) == 24
    assert sum(counts["kept"]) == silver["kept"].sum()
    assert sum(counts["dropped"]) == (~silver["kept"]).sum()


def test_samples_come_from_five_places_and_none_twice(diamond, monkeypatch) -> None:
    monkeypatch.setattr(class_summaries, "PER_SAMPLE", 1)
    groups = class_summaries.sample_silver_labels(make_run(diamond))
    ids = {group["name"]: [row["id"] for row in group["rows"]] for group in groups}
    assert ids == {
        "The surest": ["train 0"],
        "In the middle of those kept": ["train 2"],
        "Only just kept": ["train 4"],
        "Only just dropped": ["train 5"],
        "The least sure of all": [],
    }
    assert groups[0]["rows"][0]["text"] == NASTY
    assert groups[3]["rows"][0]["paths"] == ["animals > dogs > pet beds", "animals > cats > pet beds"]


def test_no_silver_label_is_no_sample(diamond) -> None:
    run = make_run(diamond)
    assert not any(
        g["rows"] for g in class_summaries.sample_silver_labels(replace(run, silver_labels=run.silver_labels[:0]))
    )


def test_starved_classes_say_what_was_done_for_them(diamond) -> None:
    beds, toys = class_summaries.list_starved(make_run(diamond))
    assert (beds["path"], beds["silver"], beds["synthetic"], beds["source"], beds["predicted"]) == (
        "animals > dogs > pet beds",
        0,
        2,
        "gpt",
        2,
    )
    assert beds["example"] == f"Cushion {NASTY}"
    assert (toys["synthetic"], toys["example"], toys["predicted"]) == (0, "", 0)


# ---------------------------------------------------------------------- trust


def test_every_document_is_in_one_bar_by_expected_f1_and_silver_label() -> None:
    documents = pd.DataFrame({"expected_f1": [0.0, 0.04, 0.05, 0.99, 1.0], "teacher_agreement": [1, 0.5, 1, 0, 1]})
    edges, counts = document_summaries.count_by_expected_f1(documents)
    assert edges[:5] == ["0.0", "", "0.1", "", "0.2"]
    assert counts == {"confirmed": [1, 1] + [0] * 17 + [1], "changed": [1] + [0] * 18 + [1]}, "no key for new documents"
    _, new = document_summaries.count_by_expected_f1(documents.assign(teacher_agreement=np.nan))
    assert [*new] == ["new"]
    assert sum(new["new"]) == 5


def test_classes_that_take_most_are_listed_with_the_loser(diamond, monkeypatch) -> None:
    run = make_run(diamond)
    (cats,) = class_summaries.list_takers(run)  # the first document: dogs by its prediction, cats by its silver label
    assert (cats["path"], cats["other"], cats["n_taken"]) == ("animals > dogs", "animals > cats", 1)
    monkeypatch.setattr(class_summaries, "MAX_TAKERS", 0)
    assert class_summaries.list_takers(run) == []


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
    monkeypatch.setattr(class_summaries, "MAX_PER_CLASS", 2)
    monkeypatch.setattr(document_summaries, "MAX_DOUBTFUL", 1)
    chosen = choose(make_predictions(16))  # four of each label set
    assert chosen["position"].tolist() == [0, 1, 2, 3, 8, 9, 10, 11]


@given(st.integers(0, 300), st.integers(1, 60), st.integers(1, 20), st.integers(0, 20))
def test_caps_hold_and_no_class_is_left_out(n: int, limit: int, per_class: int, doubtful: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_summaries, "MAX_DOCUMENTS", limit)
        patch.setattr(class_summaries, "MAX_PER_CLASS", per_class)
        patch.setattr(document_summaries, "MAX_DOUBTFUL", doubtful)
        predictions = make_predictions(n)
        chosen = choose(predictions)
    assert len(chosen) <= limit + doubtful
    assert chosen["doubt"].is_monotonic_decreasing
    best = pd.Series([paths[0][-1] for paths in predictions["paths"].iloc[chosen["position"]]], dtype="str")
    spread = best[~chosen["doubtful"].to_numpy()]
    assert spread.value_counts().max() <= per_class if len(spread) else True
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


def test_long_text_is_cut() -> None:
    assert summaries.shorten("x" * summaries.MAX_TEXT) == "x" * summaries.MAX_TEXT
    assert summaries.shorten("x" * (summaries.MAX_TEXT + 1)) == "x" * (summaries.MAX_TEXT - 1) + "…"


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


def test_settings_have_defaults_and_leave_out_the_ablation(diamond) -> None:
    settings = summaries.flatten_settings(make_run(diamond).parameters)
    assert settings[""] == {"seed": 42}
    assert settings["pseudo_label"] == {"views": ["text"], "gap.value": 0.25}
    assert "ablation" not in settings


def test_versions_name_python_and_the_packages() -> None:
    versions = summaries.list_versions()
    assert versions["numpy"] == np.__version__
    assert set(versions) == {"python", *summaries.PACKAGES}
