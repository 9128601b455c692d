"""Records and what changed since, in words."""

import math
from pathlib import Path

import pytest

from hmltc_kedro.freshness.records import (
    Content,
    Making,
    Record,
    explain_making,
    explain_settings,
    find_record,
    flatten,
    read_record,
    write_record,
)
from hmltc_kedro.freshness.rows import digest_rows
from hmltc_kedro.pipelines.pseudo_label.params import PseudoLabelParams

KEYWORDS = digest_rows("class", ["a", "b"], {"keywords": ["k", "l"]})
MAKING = Making(
    {"raw_keywords": Content("1", "2 lines", KEYWORDS), "documents": Content("2", "60 x 3")},
    {"train.fine_tuning.epochs": 3, "encoder.weights": "0" * 64},
    {"shop.nodes:label": "c", "shop.silver:choose": "d"},
)


def explain(new: Making, **contents: Content) -> list[str]:
    return explain_making(MAKING, new, lambda name: contents[name], "label")


def test_record_comes_back_from_its_file(tmp_path: Path) -> None:
    path = find_record(tmp_path / "a.parquet")
    assert path == tmp_path / ".a.parquet.made.json"
    seen = {("bytes", tmp_path.resolve() / "raw" / "b.txt"): ((1, 2, 3), "digest")}
    record = Record(MAKING, Content("9", "2 x 3", KEYWORDS), seen)
    write_record(record, path)
    again = read_record(path)
    assert again is not None
    assert again.seen == seen
    assert (again.content.digest, again.content.shape) == ("9", "2 x 3")
    assert explain(again.making) == []
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_record_moves_with_its_project(tmp_path: Path) -> None:
    (tmp_path / "old" / "data").mkdir(parents=True)
    path = find_record(tmp_path / "old" / "data" / "a.parquet")
    stamp = (1, 2, 3)
    seen = {("bytes", tmp_path.resolve() / "old" / "raw.txt"): (stamp, "digest")}
    write_record(Record(MAKING, Content("9"), seen), path)
    (tmp_path / "old").rename(tmp_path / "new")
    again = read_record(tmp_path / "new" / "data" / path.name)
    assert again is not None
    assert again.seen == {("bytes", tmp_path.resolve() / "new" / "raw.txt"): (stamp, "digest")}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 0}', '{"format": 1}'])
def test_file_that_is_no_record_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / ".a.made.json"
    assert read_record(path) is None
    path.write_text(text, "utf-8")
    assert read_record(path) is None


def test_changed_input_is_told_by_its_rows_or_its_size() -> None:
    rows = digest_rows("class", ["a", "b"], {"keywords": ["m", "n"]})
    new = Making({**MAKING.inputs, "raw_keywords": Content("3")}, MAKING.settings, MAKING.code)
    assert explain(new, raw_keywords=Content("3", "2 lines", rows)) == [
        "keywords of 2 classes changed (`raw_keywords`)"
    ]
    assert explain(new, raw_keywords=Content("3", "2 lines", KEYWORDS)) == ["`raw_keywords` changed"]
    new = Making({**MAKING.inputs, "documents": Content("3")}, MAKING.settings, MAKING.code)
    assert explain(new, documents=Content("3", "160 x 3")) == ["`documents` changed: 60 x 3 -> 160 x 3"]


def test_input_that_comes_or_goes_is_told() -> None:
    new = Making({"raw_keywords": Content(""), "more": Content("4")}, MAKING.settings, MAKING.code)
    assert explain(new) == ["`raw_keywords` is missing", "`more` is a new input", "`documents` is no longer an input"]


def test_settings_are_told_with_both_values() -> None:
    new = Making(MAKING.inputs, {"train.fine_tuning.epochs": 5, "encoder.weights": "1" * 64}, MAKING.code)
    assert explain(new) == ["train.fine_tuning.epochs 3 -> 5", "encoder.weights changed"]
    assert explain_settings({"a": "x", "b": None, "c": [1]}, {"a": "", "b": math.inf, "d": True}) == [
        'a x -> ""',
        "b null -> .inf",
        "d is new: true",
        "c is gone, it was [1]",
    ]


def test_code_is_told_by_the_node_and_the_helpers_that_changed() -> None:
    own = Making(MAKING.inputs, MAKING.settings, {**MAKING.code, "shop.nodes:label": "x"})
    assert explain(own) == ["code of label changed"]
    helper = Making(MAKING.inputs, MAKING.settings, {**MAKING.code, "shop.silver:choose": "x"})
    assert explain(helper) == ["code of label changed (choose)"]


def test_parameters_are_flattened_as_json_gives_them_back() -> None:
    starved = {"unit": "documents", "threshold": 15}
    gap = {"rivals": "all", "method": "fixed", "value": 0.5}
    scores = {"views": ("text",), "hubness_prior": math.inf, "lexical_weight": None, "neighbours": 0, "top_k": 2}
    params = PseudoLabelParams(**scores, selection="threshold", gap=gap, starved=starved)
    flat = flatten("pseudo_label", params)
    assert flat["pseudo_label.views"] == ["text"]
    assert flat["pseudo_label.hubness_prior"] == math.inf
    assert flat["pseudo_label.lexical_weight"] is None
    assert flat["pseudo_label.starved.threshold"] == 15
    assert flatten("seed", 42) == {"seed": 42}
    assert flatten("a", {"b": {}, "c": {"d": Path("x")}}) == {"a.b": {}, "a.c.d": "x"}
