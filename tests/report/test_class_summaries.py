"""What the report says of classes and silver labels, worked out by hand on the diamond."""

from dataclasses import replace

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.report import class_summaries
from report_run import NASTY, make_run

# ---------------------------------------------------------------------- input and stages


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


# ---------------------------------------------------------------------- silver labels


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


def test_classes_that_take_most_are_listed_with_the_loser(diamond, monkeypatch) -> None:
    run = make_run(diamond)
    (cats,) = class_summaries.list_takers(run)  # the first document: dogs by its prediction, cats by its silver label
    assert (cats["path"], cats["other"], cats["n_taken"]) == ("animals > dogs", "animals > cats", 1)
    monkeypatch.setattr(class_summaries, "MAX_TAKERS", 0)
    assert class_summaries.list_takers(run) == []
