"""Parquet columns: every value as it was written, and what is wrong with the others, row by row."""

import decimal
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hmltc_kedro.corpus.raw_documents import build_documents
from hmltc_kedro.corpus.raw_files import RawTable, read_corpus_frame
from hmltc_kedro.errors import InputError

LARGE = 9007199254740993
"""The first whole number that a double has no place for."""


def corpus(folder: Path, ids: Any, texts: Any) -> RawTable:
    path = folder / "corpus.parquet"
    pq.write_table(pa.table({"doc_id": ids, "text": texts}), path)
    return read_corpus_frame(path)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([LARGE, None, -1]), [str(LARGE), "", "-1"]),
        (pa.array([2**64 - 1, 0, None], pa.uint64()), [str(2**64 - 1), "0", ""]),
        (pa.array([decimal.Decimal(LARGE), decimal.Decimal(7), None], pa.decimal128(38, 0)), [str(LARGE), "7", ""]),
        (pa.array(["007", " 7 ", None]), ["007", "7", ""]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([7, 8, 7]).dictionary_encode(), ["7", "8", "7"]),
        (pa.array(["a", "b", "c"], pa.large_string()), ["a", "b", "c"]),
        (pa.array([b"ab", b"cd", b"ef"], pa.binary(2)), ["ab", "cd", "ef"]),
    ],
)
def test_ids_are_texts_or_whole_numbers_digit_by_digit(tmp_path: Path, ids: pa.Array, expected: list[str]) -> None:
    rows = corpus(tmp_path, ids, ["one", "two", "three"]).rows
    assert rows["key"].tolist() == expected
    assert rows["problem"].isna().all()


def test_frame_whose_index_is_the_id_is_read(tmp_path: Path) -> None:
    path = tmp_path / "corpus.parquet"
    pd.DataFrame({"text": ["one"]}, index=pd.Index(["a"], name="doc_id")).to_parquet(path)
    assert read_corpus_frame(path).rows["key"].tolist() == ["a"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.0, None, 2.5], "double"),
        ([True, None, False], "bool"),
        ([["a", "list"], None, ["b"]], "list<item: string>"),
        ([{"title": "a"}, None, {"title": "b"}], "struct<title: string>"),
        ([date(2024, 1, 1), None, date(2024, 1, 2)], "date32[day]"),
        (pa.array([decimal.Decimal("1.5"), None, None]), "decimal128(2, 1)"),
    ],
)
@pytest.mark.parametrize("column", ["doc_id", "text"])
def test_other_types_are_refused_with_their_row(tmp_path: Path, values: Any, kind: str, column: str) -> None:
    columns = {"ids": ["a", "b", "c"], "texts": ["one", "two", "three"]}
    rows = corpus(tmp_path, **{**columns, "ids" if column == "doc_id" else "texts": values}).rows
    kind = kind.replace("item", "element")  # so Parquet calls it
    problem = f"{column} is of the type {kind}; save the column as text"
    assert rows["problem"][0] == problem
    assert pd.isna(rows["problem"][1])  # nothing is there: said by who reads the table


def test_number_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        build_documents({"train": corpus(tmp_path, ["a"], [7])}, skip_invalid=False)
    place = f"{tmp_path}/corpus.parquet:1"
    mend = "save the column as text (or set ingest.on_invalid: skip)"
    assert str(error.value) == f"{place}: text is of the type int64; {mend}"


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.string()])
def test_bytes_that_are_not_utf8_are_told_by_row_and_can_be_skipped(tmp_path: Path, kind: pa.DataType) -> None:
    raw = pa.array(["café".encode("latin-1"), "café".encode(), None], pa.binary())
    texts = raw.cast(kind, safe=False) if kind != pa.string() else pa.Array.from_buffers(kind, 3, raw.buffers())
    table = corpus(tmp_path, ["a", "b", "c"], texts)
    with pytest.raises(InputError) as error:
        build_documents({"train": table}, skip_invalid=False)
    assert str(error.value).split("\n") == [
        f"{tmp_path}/corpus.parquet:1: bytes that are not UTF-8; save the file as UTF-8 "
        "(or set ingest.on_invalid: skip)",
        f"{tmp_path}/corpus.parquet:3: the text is empty; write one or remove the line",
    ]
    documents, rejected = build_documents({"train": table}, skip_invalid=True)
    assert documents["text"].tolist() == ["café"]
    assert rejected["line"].tolist() == [1, 3]


def test_rows_of_a_folder_count_through_its_parts(tmp_path: Path) -> None:
    folder = tmp_path / "corpus.parquet"
    folder.mkdir()
    for name, ids in {"b": ["2", None], "a": ["0", "1"]}.items():
        pd.DataFrame({"doc_id": ids, "text": ["x", "y"]}).to_parquet(folder / f"part-{name}.parquet")
    with pytest.raises(InputError, match=r"corpus\.parquet:4: no document id"):
        build_documents({"train": read_corpus_frame(folder)}, skip_invalid=False)


def test_folder_without_parts_and_damaged_part_are_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "corpus.parquet"
    folder.mkdir()
    with pytest.raises(InputError) as error:
        read_corpus_frame(folder)
    assert str(error.value) == f"{folder}: a folder without a Parquet file; write it again"
    (folder / "part-0.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"part-0\.parquet: not a readable Parquet file .*; write it again"):
        read_corpus_frame(folder)
