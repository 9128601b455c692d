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
