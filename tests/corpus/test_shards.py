"""Bulk files in shards: cut, read, and told apart by their rows."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.corpus import shards
from hmltc_kedro.corpus.raw_documents import check_documents
from hmltc_kedro.corpus.raw_files import CORPUS, Columns, RawTable, read_corpus_frame
from hmltc_kedro.corpus.shards import find_pieces, read_shards
from hmltc_kedro.corpus.storage import write_bytes
from hmltc_kedro.errors import InputError
from object_storage import Place


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD", 4)
    monkeypatch.setattr(shards, "READ", 3)


def read_all(source: str, columns: Columns = CORPUS, options: dict[str, object] | None = None) -> list[RawTable]:
    options = options or {}
    return [table for piece in find_pieces(source, options) for table in read_shards(piece, columns, options)]


def make_documents(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"doc_id": [f"d{row}" for row in range(rows)], "text": [f"text {row}" for row in range(rows)]})


def list_keys(tables: list[RawTable]) -> list[list[str]]:
    return [list(table.rows["key"]) for table in tables]


def test_parquet_file_is_cut_where_its_row_groups_are_not(tmp_path: Path) -> None:
    table = pa.Table.from_pandas(make_documents(10).assign(price=1)[["price", "text", "doc_id"]])
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    pieces = find_pieces(str(tmp_path), {})
    assert [(piece.start, piece.stop, piece.rows) for piece in pieces] == [(0, 4, 4), (4, 8, 4), (8, 10, 2)]
    tables = read_all(str(tmp_path))
    assert list_keys(tables) == [["d0", "d1", "d2", "d3"], ["d4", "d5", "d6", "d7"], ["d8", "d9"]]
    assert [list(table.rows["line"]) for table in tables] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert list(tables[2].rows["value"]) == ["text 8", "text 9"]


@given(
    rows=st.integers(0, 30),
    shard=st.integers(1, 9),
    batch=st.integers(1, 9),
    group=st.integers(1, 9),
    ending=st.sampled_from(["csv", "parquet"]),
)
def test_pieces_one_after_the_other_are_the_file(
    tmp_path_factory: pytest.TempPathFactory, rows: int, shard: int, batch: int, group: int, ending: str
) -> None:
    path = tmp_path_factory.mktemp("bulk") / f"a.{ending}"
    documents = make_documents(rows)
    if ending == "csv":
        documents.to_csv(path, index=False)
    else:
        pq.write_table(pa.Table.from_pandas(documents), path, row_group_size=group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD", shard)
        patch.setattr(shards, "READ", batch)
        tables = read_all(str(path))
    assert [len(table.rows) for table in tables[:-1]] == [shard] * (len(tables) - 1)
    assert 0 < len(tables[-1].rows) <= shard or rows == 0
    whole = pd.concat([table.rows for table in tables], ignore_index=True)
    pd.testing.assert_frame_equal(whole, read_corpus_frame(path).rows)


def test_csv_file_is_one_piece_of_several_shards_with_the_lines_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('doc_id,text\n1,"two\nlines"\n2,b\n\n3,c\n4,d\n5,e\n', "utf-8")
    (piece,) = find_pieces(str(tmp_path), {})
    assert (piece.start, piece.stop, piece.rows) == (0, None, 7), "rows are an estimate"
    tables = read_all(str(tmp_path))
    assert [list(table.rows["line"]) for table in tables] == [[2, 4, 6, 7], [8]]


def test_files_lie_anywhere(place: Place) -> None:
    data = make_documents(5).to_csv(index=False).encode()
    write_bytes(f"{place.address}/b.csv", data, place.options)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(make_documents(6)), sink)
    write_bytes(f"{place.address}/deep/a.parquet", sink.getvalue().to_pybytes(), place.options)
    tables = read_all(place.address, options=place.options)
    assert [(table.path, len(table.rows)) for table in tables] == [
        (f"{place.address}/b.csv", 4),
        (f"{place.address}/b.csv", 1),
        (f"{place.address}/deep/a.parquet", 4),
        (f"{place.address}/deep/a.parquet", 2),
    ]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_file_without_documents_is_a_shard_of_none(tmp_path: Path, name: str) -> None:
    empty = make_documents(0)
    empty.to_csv(tmp_path / name, index=False) if name == "a.csv" else empty.to_parquet(tmp_path / name)
    assert [len(piece.file.name) for piece in find_pieces(str(tmp_path), {})] == [1]
    assert list_keys(read_all(str(tmp_path))) == [[]]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.parquet", b"", ": not a readable Parquet file ("),
        ("a.parquet", b"PAR1 nothing PAR1", ": not a readable Parquet file ("),
        ("a.csv", b"", ":1: no column doc_id, text; a corpus has the columns doc_id and text"),
        ("a.csv", b"id,text\n1,a\n", ":1: no column doc_id; a corpus has the columns doc_id and text"),
        ("a.csv", b'doc_id,text\n1,"a\n', ":2: not CSV (unexpected end of data); check the quotes"),
        ("a.csv", "doc_id,text\n".encode("utf-16"), ":1: the file is UTF-16; save it as UTF-8"),
        ("a.csv", b"PK\x03\x04", ":1: a spreadsheet and no CSV; save it as CSV in UTF-8"),
    ],
)
def test_damaged_file_is_found_when_it_is_read(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "b.csv").write_text("doc_id,text\n1,a\n", "utf-8")
    pieces = find_pieces(str(tmp_path), {})
    assert [piece.file.name for piece in pieces] == ["a", "b"], "the others are cut nevertheless"
    with pytest.raises(InputError) as error:
        list(read_shards(pieces[0], CORPUS, {}))
    assert str(error.value).startswith(f"{tmp_path / name}{words}")


def test_file_damaged_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"doc_id": ["1"] * 50, "text": ["a" * 50] * 50}), path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[4:60] = b"\xff" * 56
    path.write_bytes(data)
    with pytest.raises(InputError) as error:
        read_all(str(tmp_path))
    assert str(error.value).startswith(f"{path}: not a readable Parquet file (")


def test_file_that_can_be_read_at_the_second_look_is_cut_like_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    make_documents(10).to_parquet(path)
    good = path.read_bytes()
    path.write_bytes(b"not yet")
    (piece,) = find_pieces(str(tmp_path), {})
    path.write_bytes(good)
    assert [len(table.rows) for table in read_shards(piece, CORPUS, {})] == [4, 4, 2]


def test_documents_of_later_shards_are_named_by_their_rows(tmp_path: Path) -> None:
    documents = make_documents(10)
    documents.loc[8, "text"] = " "
    documents.to_parquet(tmp_path / "a.parquet")
    documents.to_csv(tmp_path / "b.csv", index=False)
    tables = read_all(str(tmp_path))
    for table, place in ((tables[2], "a.parquet:9"), (tables[5], "b.csv:10")):
        with pytest.raises(InputError) as error:
            check_documents({"bulk": table}, skip_invalid=False)
        assert str(error.value).startswith(f"{tmp_path}/{place}: the text is empty; write one or remove the line")


OWN = Columns(("id",), ("title", "abstract"), owner="a corpus has")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_columns_of_other_names_and_several_texts(tmp_path: Path, ending: str) -> None:
    table = pd.DataFrame({"abstract": ["x y", None, "z"], "id": ["7", "8", "9"], "title": ["A", "B", " "]})
    path = tmp_path / f"a.{ending}"
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    (read,) = read_all(str(tmp_path), OWN)
    assert list(zip(read.rows["key"], read.rows["value"], strict=True)) == [("7", "A x y"), ("8", "B"), ("9", "z")]
    with pytest.raises(InputError) as error:
        read_all(str(tmp_path))
    message = f"{path}:1: no column doc_id, text; a corpus has the columns doc_id and text"
    assert str(error.value) == message


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_column_may_be_id_and_text(tmp_path: Path, ending: str) -> None:
    table = pd.DataFrame({"title": ["a", "b"], "body": ["x", "y"]})
    path = tmp_path / f"a.{ending}"
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    (read,) = read_all(str(tmp_path), Columns(("title",), ("title", "body")))
    assert list(zip(read.rows["key"], read.rows["value"], strict=True)) == [("a", "a x"), ("b", "b y")]


def test_no_file_and_two_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        find_pieces(str(tmp_path / "nowhere"), {})
    assert str(error.value) == f"{tmp_path}/nowhere: no parquet or CSV file here; put the documents to label there"
    for name in ("a.csv", "a.parquet"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError) as error:
        find_pieces(str(tmp_path), {})
    message = "a.csv lies beside it and has the same name; rename one of the two"
    assert str(error.value) == f"{tmp_path}/a.parquet: {message}"
