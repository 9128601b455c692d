"""Changes of tables in words."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from hmltc_kedro.corpus.tensors import TensorTable, write_tensors
from hmltc_kedro.freshness import rows
from hmltc_kedro.freshness.rows import Rows, count, describe_file, digest_rows, explain_rows

CLASSES = pd.DataFrame({"class_id": ["a", "b", "c"], "name": ["x", "y", "z"], "keywords": [["k"], [], ["l", "m"]]})


def read(frame: pd.DataFrame, path: Path) -> Rows:
    frame.to_parquet(path)
    found = describe_file(path)[1]
    assert found is not None
    return found


def test_count_has_its_plural() -> None:
    assert [count(n, noun) for n, noun in ((1, "class"), (2, "class"), (12_000, "document"))] == [
        *("1 class", "2 classes", "12,000 documents"),
    ]


def test_changes_of_a_table_in_words(tmp_path: Path) -> None:
    old = read(CLASSES, tmp_path / "classes.parquet")

    def explain(frame: pd.DataFrame) -> list[str]:
        return explain_rows(old, read(frame, tmp_path / "new.parquet"))

    assert explain(CLASSES) == []
    assert explain(CLASSES.assign(keywords=[["k", "n"], [], ["m", "l"]])) == ["keywords of 2 classes changed"]
    assert explain(CLASSES.assign(name=list("xyw"), keywords=[["k"], ["n"], ["l", "m"]])) == [
        "name and keywords of 2 classes changed"
    ]
    assert explain(CLASSES[:2]) == ["1 class removed"]
    assert explain(CLASSES.assign(class_id=list("abd"))) == ["1 class added", "1 class removed"]
    assert explain(CLASSES[::-1]) == ["order of the classes changed"]
    assert explain(CLASSES.assign(level=0)) == ["column level added"]
    assert explain(CLASSES.drop(columns="name")) == ["column name removed"]


def test_three_columns_are_not_listed() -> None:
    old = digest_rows("class", ["a"], {"x": [1], "y": [1], "z": [1]})
    assert explain_rows(old, digest_rows("class", ["a"], {"x": [2], "y": [2], "z": [2]})) == ["1 class changed"]


def test_rows_of_the_same_key_are_counted_one_by_one() -> None:
    old = digest_rows("edge", ["a", "a", "b"], {})
    assert len(set(old.keys)) == 3
    assert explain_rows(old, digest_rows("edge", ["a", "a", "a", "b"], {})) == ["1 edge added"]


def test_rows_come_back_from_json() -> None:
    table = digest_rows("class", ["a", "b"], {"x": [1, 2], "y": ["u", None]})
    adapter = TypeAdapter(Rows)
    again = adapter.validate_json(adapter.dump_json(table))
    assert explain_rows(table, again) == []
    assert (again.noun, list(again.columns)) == ("class", ["x", "y"])
    assert all(np.array_equal(again.columns[name], cells) for name, cells in table.columns.items())
    assert (again.keys.dtype, again.columns["x"].dtype) == (np.uint64, np.uint32)


def test_text_files_are_read_by_their_words(tmp_path: Path) -> None:
    path = tmp_path / "keywords.txt"

    def read_text(text: str, words: dict[str, str] | None) -> Rows:
        path.write_text(text, "utf-8")
        found = describe_file(path, ":", words)[1]
        assert found is not None
        return found

    words = {"row": "class", "value": "keywords"}
    old = read_text("kettles:steel,whistle\nbeds:soft\n\n", words)
    assert explain_rows(old, read_text("kettles: steel,whistle \nbeds:soft,warm\n", words)) == [
        "keywords of 1 class changed"
    ]
    lines = read_text("a\nb\n", {"row": "edge"})
    assert explain_rows(lines, read_text("a\nc\n", {"row": "edge"})) == ["1 edge added", "1 edge removed"]
    assert read_text("a\n", None).noun == "line"


def test_csv_and_tensors_are_tables_too(tmp_path: Path) -> None:
    path = tmp_path / "corpus.csv"
    path.write_text('doc_id,text\n1,"a, b"\n2,c\n', "utf-8")
    old = describe_file(path)[1]
    path.write_text('doc_id,text\n1,"a, b"\n2,d\n3,e\n', "utf-8")
    new = describe_file(path)[1]
    assert old is not None and new is not None
    assert explain_rows(old, new) == ["1 document added", "text of 1 document changed"]
    assert describe_file(path)[0] == "3 x 2"

    path = tmp_path / "vectors.safetensors"
    write_tensors(TensorTable(["a", "b"], {"v": np.ones((2, 3), np.float32)}), path)
    before = describe_file(path)[1]
    write_tensors(TensorTable(["a", "b"], {"v": np.array([[1, 1, 1], [1, 1, 2]], np.float32)}), path)
    after = describe_file(path)[1]
    assert before is not None and after is not None
    assert explain_rows(before, after) == ["v of 1 row changed"]
    assert describe_file(path)[0] == "2 x 3"


def test_large_and_other_files_have_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROWS", 2)
    CLASSES.to_parquet(tmp_path / "classes.parquet")
    CLASSES.to_csv(tmp_path / "classes.csv", index=False)
    (tmp_path / "classes.txt").write_text("a\nb\nc\n", "utf-8")
    write_tensors(TensorTable(list("abc"), {"v": np.ones((3, 3), np.float32)}), tmp_path / "classes.safetensors")
    for ending, shape in (("parquet", "3 x 3"), ("csv", "3 x 3"), ("txt", "3 lines"), ("safetensors", "3 x 3")):
        path = tmp_path / f"classes.{ending}"
        assert describe_file(path) == (shape, None), ending
    (tmp_path / "metrics.json").write_text("{}", "utf-8")
    assert describe_file(tmp_path / "metrics.json") == ("", None)


def test_lists_and_nested_cells_are_compared(tmp_path: Path) -> None:
    frame = CLASSES.assign(nested=[{"a": [1, 2]}, {"a": []}, {"a": None}])
    old = read(frame, tmp_path / "old.parquet")
    assert explain_rows(old, read(frame, tmp_path / "same.parquet")) == []
    other = frame.assign(nested=[{"a": [1, 2]}, {"a": [3]}, {"a": None}])
    assert explain_rows(old, read(other, tmp_path / "new.parquet")) == ["nested of 1 class changed"]


def test_odd_csv_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "corpus.csv"
    path.write_bytes(b"doc_id,text\n1," + b"a" * 200_000 + b"\n2,b,too many\n3\n4,\xff\n")
    assert csv.field_size_limit(131_072) > 0  # Python's own, whatever was read before
    shape, old = describe_file(path)
    assert shape == "4 x 2"
    path.write_bytes(b"doc_id,text\n1," + b"a" * 200_001 + b"\n2,b,too many\n3\n4,\xfe\n")
    new = describe_file(path)[1]
    assert old is not None and new is not None
    assert explain_rows(old, new) == ["text of 2 documents changed"]


@pytest.mark.parametrize("name", ["empty.csv", "empty.txt"])
def test_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    shape, found = describe_file(tmp_path / name)
    assert shape == {"empty.csv": "0 x 0", "empty.txt": "0 lines"}[name]
    assert found is not None and len(found.keys) == 0


def test_tensors_without_rows_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "vectors.safetensors"
    write_tensors(TensorTable([], {"v": np.ones((0, 3), np.float32)}), path)
    shape, found = describe_file(path)
    assert (shape, len(found.keys) if found else None) == ("0 x 3", 0)
