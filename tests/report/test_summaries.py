"""What the report says about a run, worked out by hand on the diamond."""

import numpy as np
import pandas as pd

from hmltc_kedro.pipelines import STAGES
from hmltc_kedro.report import summaries
from report_run import make_run


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


def test_stages_without_a_record_have_work_but_no_seconds_and_no_money(diamond) -> None:
    rows = {row["stage"]: row for row in summaries.describe_stages(make_run(diamond), STAGES)}
    assert list(rows) == list(STAGES)
    assert {(row["seconds"], row["money"], row["usage"], row["finished"]) for row in rows.values()} == {
        (None, None, None, None)
    }
    assert rows["ingest"]["did"] == ["14 documents read, 1 set aside", "7 classes on 3 levels"]
    assert rows["enrich"]["did"] == ["6 class descriptions by a language model, 1 from the template"]
    assert rows["pseudo_label"]["did"] == ["5 of 6 silver labels kept", "2 of 7 classes starved"]
    assert rows["annotate"]["did"] == ["2 documents labelled by people, 4 asked about"]
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
    rows = {row["stage"]: row for row in summaries.describe_stages(make_run(diamond, run_record=record), STAGES)}
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


# ---------------------------------------------------------------------- predictions


def test_long_text_is_cut() -> None:
    assert summaries.shorten("x" * summaries.MAX_TEXT) == "x" * summaries.MAX_TEXT
    assert summaries.shorten("x" * (summaries.MAX_TEXT + 1)) == "x" * (summaries.MAX_TEXT - 1) + "…"


# ---------------------------------------------------------------------- scores and settings


def test_settings_have_defaults_and_follow_the_stages(diamond) -> None:
    settings = summaries.flatten_settings(make_run(diamond).parameters, STAGES)
    assert settings[""] == {"seed": 42}
    assert settings["pseudo_label"] == {"views": ["text"], "gap.value": 0.25}
    assert list(settings) == ["", *STAGES]


def test_versions_name_python_and_the_packages() -> None:
    versions = summaries.list_versions()
    assert versions["numpy"] == np.__version__
    assert set(versions) == {"python", *summaries.PACKAGES}
