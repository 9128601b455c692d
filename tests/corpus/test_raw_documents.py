"""The table of documents: every message with file and line, and what is set aside."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.corpus.raw_documents import build_documents, sample_split
from hmltc_kedro.corpus.raw_files import read_corpus_frame, read_text_table
from hmltc_kedro.errors import InputError
from raw_folder import Folder, contents, fuzz, message

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


# ---------------------------------------------------------------------- anything at all


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


@pytest.mark.parametrize("doc_id", ["1\n2", "1\t2", "1\r2", "1\u20282"])
def test_id_of_two_lines_is_refused(folder: Folder, doc_id: str) -> None:
    path = folder.path / "corpus.csv"
    path.write_bytes(f'doc_id,text\n0,zero\n"{doc_id}",one\n'.encode())
    with pytest.raises(InputError) as error:
        build_documents({"train": read_corpus_frame(path)}, skip_invalid=False)
    says = "the document id has a line break or TAB in it; write it without (or set ingest.on_invalid: skip)"
    assert message(error, folder) == f"corpus.csv:3: {says}"


def make_corpus(n: int, split: str = "train") -> pd.DataFrame:
    ids = [str(k) for k in range(n)]
    return pd.DataFrame({"split": split, "doc_id": ids, "text": [f"text {k}" for k in ids]})


def test_a_sample_is_drawn_by_the_seed_and_keeps_its_order() -> None:
    corpus = pd.concat([make_corpus(1000), make_corpus(50, "test")], ignore_index=True)
    sample = sample_split(corpus, "train", 100, seed=42)
    assert sample["split"].value_counts().to_dict() == {"train": 100, "test": 50}
    numbers = sample.loc[sample["split"] == "train", "doc_id"].astype(int)
    assert numbers.is_monotonic_increasing and 300 < numbers.mean() < 700
    assert (sample["text"] == "text " + sample["doc_id"]).all()
    assert sample.index.tolist() == list(range(150))
    assert sample.equals(sample_split(corpus, "train", 100, seed=42))
    assert not sample.equals(sample_split(corpus, "train", 100, seed=43))
    assert sample_split(corpus, "train", 1000, seed=42).equals(corpus)


@pytest.mark.parametrize("order", [1, -1])
def test_a_corpus_that_grows_keeps_most_of_its_sample(order: int) -> None:
    before = sample_split(make_corpus(1000), "train", 100, seed=42)["doc_id"]
    after = sample_split(make_corpus(1100)[::order].reset_index(drop=True), "train", 100, seed=42)["doc_id"]
    assert len(set(before) & set(after)) == len(set(after) - set(map(str, range(1000, 1100)))) > 80
