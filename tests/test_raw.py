"""The raw files: every message with file and line, and every legal oddity that must pass."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hmltc_kedro.corpus.gold_labels import read_gold_labels
from hmltc_kedro.corpus.raw_documents import build_documents
from hmltc_kedro.corpus.raw_files import RawTable, make_rows, read_corpus_frame, read_text_table
from hmltc_kedro.corpus.raw_taxonomy import build_taxonomy
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy

# Shared machines stall: a slow example is no failure.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

CLASSES = "a\tanimals\nb\tgarden\nc\tdogs\nd\ttoys\ne\ttoys\n"
EDGES = "a\tc\nc\td\nb\te\n"
CORPUS = "0\tfirst text\n1\tsecond text\n"


class Folder:
    """Writes raw files and reads them as the catalog does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def table(self, name: str, content: str | bytes, separator: str = "\t") -> RawTable:
        path = self.path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_text_table(path, separator)

    def taxonomy(
        self, classes: str | bytes = CLASSES, edges: str | bytes = EDGES, keywords: str | bytes = ""
    ) -> Taxonomy:
        return build_taxonomy(
            self.table("classes.txt", classes),
            self.table("class_hierarchy.txt", edges),
            self.table("class_related_keywords.txt", keywords, ":"),
        )

    def documents(
        self, train: str | bytes = CORPUS, test: str | bytes = CORPUS, skip_invalid: bool = False
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        tables = {"train": self.table("train_corpus.txt", train), "test": self.table("test_corpus.txt", test)}
        return build_documents(tables, skip_invalid)

    def gold(self, content: str | bytes, taxonomy: Taxonomy, doc_ids: set[str] | None = None) -> dict[str, list[str]]:
        return read_gold_labels(self.table("doc2labels.txt", content), taxonomy, doc_ids)

    def __str__(self) -> str:
        return str(self.path)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def message(error: pytest.ExceptionInfo[InputError], folder: Folder) -> str:
    """Return the message with the folder's name cut out of all paths."""
    return str(error.value).replace(f"{folder}/", "")


# ---------------------------------------------------------------------- classes, hierarchy, keywords


def test_taxonomy_of_good_files_has_all_classes_edges_and_keywords(folder: Folder) -> None:
    taxonomy = folder.taxonomy(keywords="animals:pets, fur_ball ,pets\ne:spade\n")
    assert taxonomy.class_ids == ("a", "b", "c", "d", "e")
    assert taxonomy.names == ("animals", "garden", "dogs", "toys", "toys")
    assert taxonomy.parents == ((), (), (0,), (2,), (1,))
    assert taxonomy.keywords == (("pets", "fur ball"), (), (), (), ("spade",))


def test_taxonomy_needs_no_keywords_file(folder: Folder) -> None:
    missing = RawTable("class_related_keywords.txt", make_rows([], [], [], []), exists=False)
    taxonomy = build_taxonomy(folder.table("c", CLASSES), folder.table("h", EDGES), missing)
    assert not any(taxonomy.keywords)


def test_taxonomy_may_be_flat(folder: Folder) -> None:
    assert len(folder.taxonomy(edges="").roots) == 5


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {"edges": "a\tc\nc\td\nd\ta\n"},
            "class_hierarchy.txt:3: this edge closes a cycle: {cycle}; "
            "a taxonomy is acyclic, remove one of these edges",
            id="cycle",
        ),
        pytest.param(
            {"edges": "a\tc\n\nc\tc\n"},
            "class_hierarchy.txt:3: class 'c' is its own parent; remove the line",
            id="self-loop",
        ),
        pytest.param(
            {"edges": "a\tc\nx\td\n"},
            "class_hierarchy.txt:2: class 'x' is not in classes.txt; add it there or remove the edge",
            id="unknown-parent",
        ),
        pytest.param(
            {"edges": "a\ty\n"},
            "class_hierarchy.txt:1: class 'y' is not in classes.txt; add it there or remove the edge",
            id="unknown-child",
        ),
        pytest.param(
            {"edges": "a\tc\nb\td\na\tc\n"},
            "class_hierarchy.txt:3: the edge is already on line 1; remove one",
            id="edge-twice",
        ),
        pytest.param(
            {"edges": "a\tc\nb d\n"},
            "class_hierarchy.txt:2: the line has no TAB; write <key>TAB<value>",
            id="edge-without-tab",
        ),
        pytest.param(
            {"classes": CLASSES + "c\tcats\n"},
            "classes.txt:6: class id 'c' is already on line 3; give each class its own id",
            id="class-id-twice",
        ),
        pytest.param(
            {"classes": "a\tanimals\nb\t\n"},
            "classes.txt:2: class 'b' has no id or no name; write <class_id>TAB<class_name>",
            id="class-without-name",
        ),
        pytest.param(
            {"classes": "\n \n"},
            "classes.txt:1: no classes; write <class_id>TAB<class_name> lines",
            id="no-classes",
        ),
        pytest.param(
            {"classes": b"a\tanimals\nb\tgard\xe9n\n"},
            "classes.txt:2: byte 7 of the line is not UTF-8; save the file as UTF-8",
            id="class-not-utf8",
        ),
        pytest.param(
            {"keywords": "animals:fur\ncows:milk\n"},
            "class_related_keywords.txt:2: there is no class 'cows'; correct the name or remove the line",
            id="keywords-for-unknown-class",
        ),
        pytest.param(
            {"keywords": "toys:ball\n"},
            "class_related_keywords.txt:1: 2 classes are called 'toys'; "
            "write the class id in place of the name, one of d, e",
            id="keywords-for-a-name-of-two",
        ),
        pytest.param(
            {"keywords": "animals:fur\ndogs:bone\na:paw\n"},
            "class_related_keywords.txt:3: class 'a' already has keywords on line 1; join the two lines",
            id="keywords-twice",
        ),
        pytest.param(
            {"keywords": "animals fur\n"},
            "class_related_keywords.txt:1: the line has no :; write <key>:<value>",
            id="keywords-without-colon",
        ),
    ],
)
def test_bad_taxonomy_file_is_one_message_with_file_line_and_mend(
    folder: Folder, files: dict[str, str | bytes], expected: str
) -> None:
    with pytest.raises(InputError) as error:
        folder.taxonomy(**files)
    found = message(error, folder)
    if "{cycle}" in expected:
        cycle = found.split("cycle: ")[1].split("; ")[0]
        assert cycle in {"a -> c -> d -> a", "c -> d -> a -> c", "d -> a -> c -> d"}
        expected = expected.format(cycle=cycle)
    assert found == expected


def test_all_bad_lines_are_listed_up_to_ten(folder: Folder) -> None:
    with pytest.raises(InputError) as error:
        folder.taxonomy(edges="".join(f"a\tx{i}\n" for i in range(13)))
    lines = message(error, folder).split("\n")
    assert [line.split(":")[1] for line in lines[:10]] == [str(i) for i in range(1, 11)]
    assert lines[10:] == ["... and 3 more of this kind"]


def test_keywords_of_an_ambiguous_name_may_be_given_by_id(folder: Folder) -> None:
    assert folder.taxonomy(keywords="d:bone\ne:spade\n").keywords[3:] == (("bone",), ("spade",))


def test_keywords_may_hold_a_colon(folder: Folder) -> None:
    assert folder.taxonomy(keywords="dogs:ratio 1:2,leash\n").keywords[2] == ("ratio 1:2", "leash")


# ---------------------------------------------------------------------- documents


def test_both_splits_may_count_from_zero(folder: Folder) -> None:
    documents, rejected = folder.documents()
    assert documents.to_dict("list") == {
        "split": ["train", "train", "test", "test"],
        "doc_id": ["0", "1", "0", "1"],
        "text": ["first text", "second text"] * 2,
    }
    assert rejected.empty


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        pytest.param("", "train_corpus.txt:1: no documents; write <doc_id>TAB<text> lines", id="empty-file"),
        pytest.param("\n\r\n  \n", "train_corpus.txt:1: no documents; write <doc_id>TAB<text> lines", id="blank-file"),
        pytest.param(
            "0\tone\n1\t\n2\t  \n",
            "train_corpus.txt:2: the text is empty; write one or remove the line (or set ingest.on_invalid: skip)\n"
            "train_corpus.txt:3: the text is empty; write one or remove the line",
            id="empty-texts",
        ),
        pytest.param(
            "0\tone\n\n1 two\n",
            "train_corpus.txt:3: the line has no TAB; write <key>TAB<value> (or set ingest.on_invalid: skip)",
            id="no-tab",
        ),
        pytest.param(
            "\tone\n",
            "train_corpus.txt:1: no document id; write <doc_id>TAB<text> (or set ingest.on_invalid: skip)",
            id="no-id",
        ),
        pytest.param(
            b"0\tone\n1\tcaf\xe9\n",
            "train_corpus.txt:2: byte 6 of the line is not UTF-8; save the file as UTF-8 "
            "(or set ingest.on_invalid: skip)",
            id="latin-1",
        ),
        pytest.param(
            "0\tone\n1\ttwo\n0\tthree\n",
            "train_corpus.txt:3: document id '0' is already on line 1; ids are unique within a split "
            "(or set ingest.on_invalid: skip)",
            id="id-twice",
        ),
    ],
)
def test_bad_corpus_is_one_message_with_file_line_and_mend(folder: Folder, train: str | bytes, expected: str) -> None:
    with pytest.raises(InputError) as error:
        folder.documents(train=train)
    assert message(error, folder) == expected


def test_bad_test_corpus_names_its_own_file(folder: Folder) -> None:
    with pytest.raises(InputError, match=r"test_corpus\.txt:2: the text is empty"):
        folder.documents(test="0\tone\n1\t\n")


def test_skip_sets_every_bad_document_aside_with_line_and_reason(folder: Folder) -> None:
    train = b"0\tgood\n1\t\nno tab\n0\tagain\n4\t\xff\n5\tfine\n"
    documents, rejected = folder.documents(train=train, skip_invalid=True)
    assert documents.loc[documents["split"] == "train", "doc_id"].tolist() == ["0", "5"]
    assert list(rejected.columns) == ["split", "doc_id", "text", "line", "reason"]
    assert rejected["split"].tolist() == ["train"] * 4
    assert rejected["line"].tolist() == [2, 3, 4, 5]
    assert [reason.split(";")[0] for reason in rejected["reason"]] == [
        "the text is empty",
        "the line has no TAB",
        "document id '0' is already on line 1",
        "byte 3 of the line is not UTF-8",
    ]


def test_skipped_line_does_not_take_an_id(folder: Folder) -> None:
    documents, rejected = folder.documents(train="0\t\n0\tsecond try\n", skip_invalid=True)
    assert documents["text"].tolist()[0] == "second try"
    assert rejected["line"].tolist() == [1]


def test_corpus_of_bad_documents_alone_is_an_error_even_when_skipping(folder: Folder) -> None:
    with pytest.raises(InputError, match=r"train_corpus\.txt:1: no documents"):
        folder.documents(train="0\t\n1\t\n", skip_invalid=True)


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


# ---------------------------------------------------------------------- gold labels


def test_gold_labels_are_read_with_spaces_and_repeats(folder: Folder, diamond: Taxonomy) -> None:
    assert folder.gold("0\tan, do ,an\n1\tga\n", diamond) == {"0": ["an", "do"], "1": ["ga"]}


def test_missing_gold_file_gives_no_labels(diamond: Taxonomy) -> None:
    assert read_gold_labels(RawTable("x", make_rows([], [], [], []), exists=False), diamond, None) == {}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("0\tan\n1\tan,xx,yy\n", "doc2labels.txt:2: unknown class 'xx', 'yy'; use the ids of classes.txt"),
        ("0\tan\n7\tan\n", "doc2labels.txt:2: document '7' is not in the test corpus; remove the line"),
        ("0\tan\n0\tga\n", "doc2labels.txt:2: document '0' has labels above; join the lines"),
        ("0\tan\n1\t,\n", "doc2labels.txt:2: no label; write <doc_id>TAB<id>,<id>,..."),
        ("0 an\n", "doc2labels.txt:1: the line has no TAB; write <key>TAB<value>"),
        (b"0\tan\n1\t\xe9\n", "doc2labels.txt:2: byte 3 of the line is not UTF-8; save the file as UTF-8"),
    ],
)
def test_bad_gold_file_is_one_message_with_file_line_and_mend(
    folder: Folder, diamond: Taxonomy, content: str | bytes, expected: str
) -> None:
    with pytest.raises(InputError) as error:
        folder.gold(content, diamond, {"0", "1"})
    assert message(error, folder) == expected


# ---------------------------------------------------------------------- anything at all

separators = st.sampled_from([b"\t", b"\n", b"\r\n", b":", b",", b'"', b"\xef\xbb\xbf", b"\xff", b"\x00"])
contents = st.one_of(
    st.binary(max_size=60), st.lists(st.one_of(separators, st.binary(max_size=3)), max_size=25).map(b"".join)
)
fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


@fuzz
@given(classes=contents, edges=contents, keywords=contents)
def test_arbitrary_bytes_give_a_taxonomy_or_an_input_error(
    folder: Folder, classes: bytes, edges: bytes, keywords: bytes
) -> None:
    try:
        taxonomy = folder.taxonomy(classes, edges, keywords)
    except InputError as error:
        assert str(error).startswith(str(folder))
    else:
        assert len(taxonomy) >= 1


@fuzz
@given(content=contents, ending=st.sampled_from(["txt", "csv", "parquet"]), skip=st.booleans(), header=st.booleans())
def test_arbitrary_bytes_give_documents_or_an_input_error(
    folder: Folder, content: bytes, ending: str, skip: bool, header: bool
) -> None:
    prefix = {"txt": b"", "csv": b"doc_id,text\n", "parquet": b"PAR1"}[ending] if header else b""
    path = folder.path / f"corpus.{ending}"
    path.write_bytes(prefix + content)
    try:
        table = read_text_table(path, "\t") if ending == "txt" else read_corpus_frame(path)
        documents, rejected = build_documents({"train": table}, skip)
    except InputError as error:
        assert str(error).startswith(str(path))
    else:
        assert len(documents) + len(rejected) == len(table.rows)
        assert documents["doc_id"].is_unique
        assert (documents[["doc_id", "text"]] != "").all(axis=None)
        "".join(documents["text"]).encode("utf-8")


@fuzz
@given(content=contents)
def test_arbitrary_bytes_give_gold_labels_or_an_input_error(folder: Folder, diamond: Taxonomy, content: bytes) -> None:
    try:
        labels = folder.gold(content, diamond, {"0"})
    except InputError as error:
        assert str(error).startswith(str(folder))
    else:
        assert set(labels) <= {"0"}
