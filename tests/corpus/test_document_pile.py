"""A pile of documents in each form, its two parts, and one line for each thing that can be wrong."""

from pathlib import Path

import pandas as pd
import pytest

from hmltc_kedro.corpus.document_pile import Pile, read_pile
from hmltc_kedro.errors import InputError

CSV = 'id,title,body\n7,Kettle,"boils\nfast"\n8,,quiet\n'


def read(tmp_path: Path, name: str, content: str | bytes, **options: object) -> Pile:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_pile(tmp_path / name, **options)  # type: ignore[arg-type]


def list_rows(pile: Pile) -> list[tuple[str, str]]:
    return [tuple(row) for row in pile.documents.to_numpy()]


def test_a_text_a_line_is_numbered(tmp_path: Path) -> None:
    pile = read(tmp_path, "a.txt", "\ufeffa kettle\r\n\r\n a mug \r\n")
    assert list_rows(pile) == [("0", "a kettle"), ("1", "a mug")]
    assert pile.form == "one text a line"


def test_ids_before_a_tab_are_kept(tmp_path: Path) -> None:
    assert list_rows(read(tmp_path, "a.txt", "007\ta kettle\nx\ta mug\twith TAB\n")) == [
        ("007", "a kettle"),
        ("x", "a mug\twith TAB"),
    ]


def test_columns_of_a_csv_are_chosen_and_lines_of_a_text_joined(tmp_path: Path) -> None:
    pile = read(tmp_path, "a.csv", CSV, text_columns=("title", "body"))
    assert list_rows(pile) == [("7", "Kettle boils fast"), ("8", "quiet")]
    assert pile.n_joined == 1 and pile.form == "CSV, ids of the column id, texts of title and body"


def test_rows_without_an_id_are_numbered(tmp_path: Path) -> None:
    assert list_rows(read(tmp_path, "a.csv", "text\na\nb\n")) == [("0", "a"), ("1", "b")]
    pd.DataFrame({"text": ["a", "b"]}).to_parquet(tmp_path / "a.parquet")
    assert list_rows(read_pile(tmp_path / "a.parquet")) == [("0", "a"), ("1", "b")]


def test_parquet_files_and_folders_are_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"key": [5, 6], "text": ["a", "b\r\nc"]})
    (tmp_path / "parts").mkdir()
    frame.to_parquet(tmp_path / "parts" / "0.parquet")
    for path in (tmp_path / "parts", tmp_path / "parts" / "0.parquet"):
        assert list_rows(read_pile(path, id_column="key")) == [("5", "a"), ("6", "b c")]


@pytest.mark.parametrize(("n", "share", "n_test"), [(10, 0.2, 2), (2, 0.2, 1), (3, 0.99, 2), (1000, 0.1, 100)])
def test_parts_are_what_the_share_says_and_never_empty(n: int, share: float, n_test: int) -> None:
    documents = pd.DataFrame({"doc_id": [str(i) for i in range(n)], "text": "t"})
    parts = Pile("", documents, 0).split(share, seed=1)
    assert {split: len(part) for split, part in parts.items()} == {"train": n - n_test, "test": n_test}
    assert sorted(pd.concat(parts.values())["doc_id"], key=int) == list(documents["doc_id"])
    assert all(part.index.is_monotonic_increasing for part in parts.values()), "the order stays"


def test_seed_says_which_documents_are_drawn() -> None:
    pile = Pile("", pd.DataFrame({"doc_id": [str(i) for i in range(100)], "text": "t"}), 0)
    drawn = [list(pile.split(0.2, seed)["test"]["doc_id"]) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", ":1: no documents; two at least, one for each of train and test"),
        ("a.txt", "one\n", ":1: 1 documents; two at least, one for each of train and test"),
        (
            "a.txt",
            "1\ta\n2\tb\n3 c\n",
            ":3: the line has no TAB and others have one; write <doc_id>TAB<text> on every line, or no TAB at all",
        ),
        (
            "a.txt",
            "a\nb\tc\nd\n",
            ":2: the line has a TAB and others have none; write <doc_id>TAB<text> on every line, or no TAB at all",
        ),
        ("a.txt", "1\ta\n1\tb\n", ":2: document id '1' is already on line 1; ids are unique within a split"),
        ("a.txt", b"a\ncaf\xe9\n", ":2: byte 4 of the line is not UTF-8; save the file as UTF-8"),
        ("a.txt", b"PK\x03\x04", ":1: a spreadsheet and no text; save it as text in UTF-8"),
        ("a.csv", "text\na\n \n", ":3: the text is empty; write one or remove the line"),
        ("a.csv", "doc_id,text\n,a\n2,b\n", ":2: no document id; write <doc_id>TAB<text>"),
        ("a.csv", "id,title\n1,a\n", ":1: no column text; give --text-column one of id, title"),
        ("a.csv", "doc_id;text\n1;a\n", ":1: ; between the columns where CSV has a comma; save it with commas"),
        ("a.csv", b"PK\x03\x04", ":1: a spreadsheet and no CSV; save it as CSV in UTF-8"),
        ("a.csv", "text,doc_id\na\n", ":2: 1 fields for 2 columns; quote texts that hold a comma"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError) as raised:
        read(tmp_path, name, content)
    assert str(raised.value) == f"{tmp_path / name}{message}"


def test_column_of_ids_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.csv:1: no column key; give --id-column one of id, title, body"):
        read(tmp_path, "a.csv", CSV, id_column="key", text_columns=("body",))
    with pytest.raises(InputError, match=r"none: no such file; give the file of your documents"):
        read_pile(tmp_path / "none")
