"""Text, CSV and Parquet files: their lines, what is legal in them, and what is said of what is not."""

import pandas as pd
import pytest

from hmltc_kedro.corpus.raw_documents import build_documents
from hmltc_kedro.corpus.raw_files import RawTable, read_corpus_frame
from hmltc_kedro.errors import InputError
from raw_folder import Folder, message

# ---------------------------------------------------------------------- documents


def test_crlf_byte_order_mark_blank_lines_and_inner_tabs_are_legal(folder: Folder) -> None:
    table = folder.table("corpus.txt", "\ufeff0\tone\ttab inside\r\n\r\n \t \r\n1\ttwo".encode())
    assert table.rows["line"].tolist() == [1, 4]
    assert table.rows["key"].tolist() == ["0", "1"]
    assert table.rows["value"].tolist() == ["one\ttab inside", "two"]
    assert table.rows["problem"].isna().all()


def test_unicode_line_separators_do_not_end_a_line(folder: Folder) -> None:
    table = folder.table("corpus.txt", "0\tone\u2028two\x0bthree\x85four\n")
    assert table.rows["value"].tolist() == ["one\u2028two\x0bthree\x85four"]


def test_carriage_returns_alone_end_the_lines_of_a_file_without_line_feeds(folder: Folder) -> None:
    table = folder.table("corpus.txt", "\ufeff0\tone\r1\ttwo\r\r2\tthree\r")
    assert table.rows["line"].tolist() == [1, 2, 4]
    assert table.rows["key"].tolist() == ["0", "1", "2"]
    assert table.rows["value"].tolist() == ["one", "two", "three"]
    assert folder.table("corpus.txt", "0\tone\r1\ttwo\n").rows["value"].tolist() == ["one", "two"]


@pytest.mark.parametrize("content", ["0\tzero\n1\tone\r2\ttwo\n", "0\tzero\r\n1\tone\r2\ttwo\r\n"])
def test_carriage_return_within_a_line_is_a_problem_and_hides_no_document(folder: Folder, content: str) -> None:
    rows = folder.table("corpus.txt", content).rows
    assert rows["problem"].isna().tolist() == [True, False]
    assert rows["problem"][1] == "a carriage return within the line; end every line of the file with a line feed"


def test_line_ends_of_two_kinds_after_each_other_are_one(folder: Folder) -> None:
    rows = folder.table("corpus.txt", "0\tone\r\r\n1\ttwo\r\r\n").rows
    assert rows["value"].tolist() == ["one", "two"] and rows["problem"].isna().all()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("0\tone\n".encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
        ("0\tone\n".encode("utf-16-le"), "the file is UTF-16; save it as UTF-8"),
        (b"PK\x03\x04rest of an archive", "a spreadsheet and no text; save it as text in UTF-8"),
    ],
)
def test_text_file_of_another_encoding_is_named_for_it(folder: Folder, content: bytes, says: str) -> None:
    with pytest.raises(InputError) as error:
        folder.table("corpus.txt", content)
    assert message(error, folder) == f"corpus.txt:1: {says}"


# ---------------------------------------------------------------------- CSV and Parquet


def frame_table(folder: Folder, content: str | bytes, name: str = "corpus.csv") -> RawTable:
    path = folder.path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_corpus_frame(path)


def test_csv_corpus_keeps_ids_as_text_and_counts_lines_of_the_file(folder: Folder) -> None:
    content = '\ufefftitle,text,doc_id\r\nx,"one, two\r\nlines",007\r\n\r\ny,NA,8\r\nz,,9\r\n'
    table = frame_table(folder, content)
    assert table.rows["key"].tolist() == ["007", "8", "9"]
    assert table.rows["value"].tolist() == ["one, two\r\nlines", "NA", ""]
    assert table.rows["line"].tolist() == [2, 5, 6]
    with pytest.raises(InputError, match=r"corpus\.csv:6: the text is empty"):
        build_documents({"train": table}, skip_invalid=False)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("id,text\n1,a\n", "corpus.csv:1: no column doc_id; {mend}", id="no-doc_id"),
        pytest.param("doc_id,body\n1,a\n", "corpus.csv:1: no column text; {mend}", id="no-text"),
        pytest.param("", "corpus.csv:1: no column doc_id, text; {mend}", id="empty"),
    ],
)
def test_csv_without_the_columns_is_an_error(folder: Folder, content: str, expected: str) -> None:
    with pytest.raises(InputError) as error:
        frame_table(folder, content)
    assert message(error, folder) == expected.format(mend="a corpus has the columns doc_id and text")


def test_columns_are_found_in_other_capitals(folder: Folder) -> None:
    rows = frame_table(folder, " Doc_ID ,Title,TEXT\n7,x,some text\n").rows
    assert rows[["key", "value"]].values.tolist() == [["7", "some text"]]
    rows = frame_table(folder, "DOC_ID,text,doc_id,Text\n7,right,8,wrong\n").rows
    assert rows[["key", "value"]].values.tolist() == [["8", "right"]]
    path = folder.path / "corpus.parquet"
    pd.DataFrame({"Doc_Id": ["7"], "Text": ["some text"]}).to_parquet(path)
    assert read_corpus_frame(path).rows[["key", "value"]].values.tolist() == [["7", "some text"]]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("doc_id,text,text", "text and text are one column to this reader; rename or remove all but one"),
        ("doc_id,Text,TEXT", "Text and TEXT are one column to this reader; rename or remove all but one"),
        ("Doc_ID;Text", "; between the columns where CSV has a comma; save it with commas"),
    ],
)
def test_columns_that_may_be_two_are_refused(folder: Folder, header: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        frame_table(folder, f"{header}\n1,a,b\n")
    assert message(error, folder) == f"corpus.csv:1: {says}"


def test_csv_with_an_open_quote_is_an_error_and_not_one_long_text(folder: Folder) -> None:
    with pytest.raises(InputError, match=r"corpus\.csv:3: not CSV"):
        frame_table(folder, 'doc_id,text\n1,"a\n2,b\n')


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"1,a, b", "3 fields for 2 columns; quote texts that hold a comma"),
        (b"1", "1 fields for 2 columns; quote texts that hold a comma"),
        (b"1,caf\xe9", "bytes that are not UTF-8; save the file as UTF-8"),
        (b"1,", "the text is empty; write one or remove the line"),
        (b"0,again", "document id '0' is already on line 2; ids are unique within a split"),
    ],
)
def test_bad_csv_record_has_its_line_and_can_be_skipped(folder: Folder, record: bytes, reason: str) -> None:
    table = frame_table(folder, b"doc_id,text\n0,zero\n" + record + b"\n2,two\n")
    with pytest.raises(InputError) as error:
        build_documents({"train": table}, skip_invalid=False)
    assert message(error, folder) == f"corpus.csv:3: {reason} (or set ingest.on_invalid: skip)"
    documents, rejected = build_documents({"train": table}, skip_invalid=True)
    assert documents["doc_id"].tolist() == ["0", "2"]
    assert rejected[["line", "reason"]].values.tolist() == [[3, reason]]


def test_csv_text_may_be_longer_than_the_csv_modules_limit(folder: Folder) -> None:
    table = frame_table(folder, "doc_id,text\n0," + "x" * 200_000 + "\n")
    assert len(table.rows["value"][0]) == 200_000


def test_parquet_corpus_takes_integer_ids(folder: Folder) -> None:
    path = folder.path / "corpus.parquet"
    pd.DataFrame({"doc_id": [0, 1], "text": [" one ", "two"], "extra": [1.5, 2.5]}).to_parquet(path)
    documents, _ = build_documents({"train": read_corpus_frame(path)}, skip_invalid=False)
    assert documents.to_dict("list") == {"split": ["train"] * 2, "doc_id": ["0", "1"], "text": ["one", "two"]}


def test_parquet_without_id_or_text_in_a_row_is_an_error_with_the_row(folder: Folder) -> None:
    path = folder.path / "corpus.parquet"
    pd.DataFrame({"doc_id": ["a", None, "c"], "text": ["one", "two", None]}).to_parquet(path)
    with pytest.raises(InputError) as error:
        build_documents({"train": read_corpus_frame(path)}, skip_invalid=False)
    assert message(error, folder).split("\n") == [
        "corpus.parquet:2: no document id; write <doc_id>TAB<text> (or set ingest.on_invalid: skip)",
        "corpus.parquet:3: the text is empty; write one or remove the line",
    ]


def test_parquet_without_the_columns_is_an_error(folder: Folder) -> None:
    path = folder.path / "corpus.parquet"
    pd.DataFrame({"doc_id": ["a"]}).to_parquet(path)
    with pytest.raises(InputError, match=r"corpus\.parquet:1: no column text; a corpus has"):
        read_corpus_frame(path)


def test_file_that_is_not_parquet_is_an_error(folder: Folder) -> None:
    with pytest.raises(InputError, match=r"corpus\.parquet: not a readable Parquet file .*; write it again"):
        frame_table(folder, b"doc_id,text\n", name="corpus.parquet")
