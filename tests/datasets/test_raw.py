"""Raw files as catalog entries: found under either ending, never written."""

import json
from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DatasetError

from hmltc_kedro.datasets.raw import RawTableDataset
from hmltc_kedro.errors import InputError


def test_text_file_is_read_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "keywords.txt"
    path.write_text("dogs:puppy\n\ncats:kitten\n")
    dataset = RawTableDataset(filepath=str(path), separator=":")
    assert dataset.exists()
    table = dataset.load()
    assert table.path == str(path)
    assert table.rows[["line", "key", "value"]].values.tolist() == [[1, "dogs", "puppy"], [3, "cats", "kitten"]]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_corpus_may_have_columns_of_its_own(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame({"abstract": ["b", None], "title": ["a", "c"], "id": ["7", "8"]})
    path = tmp_path / f"corpus.{ending}"
    frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    columns = {"key": ["id"], "values": ["title", "abstract"]}
    table = RawTableDataset(filepath=str(tmp_path / "corpus.txt"), corpus=True, columns=columns).load()
    assert table.rows[["key", "value"]].values.tolist() == [["7", "a b"], ["8", "c"]]
    other = {"key": ["id"], "values": ["title", "summary"]}
    with pytest.raises(DatasetError) as error:
        RawTableDataset(filepath=str(tmp_path / "corpus.txt"), corpus=True, columns=other).load()
    message = f"{path}:1: no column summary; a corpus has the columns id, title and summary"
    assert str(error.value.__cause__) == message


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_corpus_may_be_csv_or_parquet(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame({"doc_id": ["7"], "text": ["some text"]})
    path = tmp_path / f"corpus.{ending}"
    frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    dataset = RawTableDataset(filepath=str(tmp_path / "corpus.txt"), corpus=True)
    assert dataset.exists()
    table = dataset.load()
    assert table.path == str(path)
    assert table.rows[["key", "value"]].values.tolist() == [["7", "some text"]]
    assert not RawTableDataset(filepath=str(tmp_path / "corpus.txt")).exists()


def test_csv_with_a_key_of_two_columns(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("classes,split,note,doc_id\ndogs,test,sure,a/b\n")
    columns = {"key": ["split", "doc_id"], "values": ["classes"]}
    dataset = RawTableDataset(filepath=str(path), columns=columns, optional=True)
    assert dataset.load().rows[["line", "key", "value"]].values.tolist() == [[2, "test/a/b", "dogs"]]
    path.unlink()
    assert not dataset.load().exists


@pytest.mark.parametrize("other", ["corpus.csv", "corpus.parquet"])
def test_two_files_of_one_corpus_are_refused_by_name(tmp_path: Path, other: str) -> None:
    (tmp_path / "corpus.txt").write_text("1\tfrom text\n")
    dataset = RawTableDataset(filepath=str(tmp_path / "corpus.txt"), corpus=True)
    assert dataset.find_file() == tmp_path / "corpus.txt"
    (tmp_path / other).write_text("doc_id,text\n1,from another\n")
    with pytest.raises(InputError) as error:
        dataset.find_file()
    assert str(error.value) == f"{tmp_path}/corpus.txt: {other} lies beside it and holds the same; remove all but one"


def test_corpus_may_be_a_folder_of_parquet_parts(tmp_path: Path) -> None:
    folder = tmp_path / "corpus.parquet"
    for name, doc_id in {"part-1": "b", "part-0": "a", "day=2/part-0": "0", "_temporary/part-0": "x"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"doc_id": [doc_id], "text": [f"text of {doc_id}"]}).to_parquet(folder / f"{name}.parquet")
    (folder / "_SUCCESS").write_text("")
    (folder / ".part-0.parquet.crc").write_text("")
    table = RawTableDataset(filepath=str(tmp_path / "corpus.txt"), corpus=True).load()
    assert table.rows[["line", "key"]].values.tolist() == [[1, "0"], [2, "a"], [3, "b"]]
    assert table.path == str(folder)


def test_missing_file_loads_as_an_empty_table_that_says_so(tmp_path: Path) -> None:
    dataset = RawTableDataset(filepath=str(tmp_path / "gold.txt"), optional=True)
    assert not dataset.exists()
    table = dataset.load()
    assert not table.exists and table.rows.empty
    assert dataset.optional


def test_raw_files_are_read_only(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("a\tanimals\n")
    with pytest.raises(DatasetError, match=r"classes\.txt: raw files are read-only"):
        RawTableDataset(filepath=str(path)).save("anything")
    assert path.read_text() == "a\tanimals\n"


def test_preview_is_json(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("".join(f"{i}\tclass {i}\n" for i in range(30)))
    preview = json.loads(json.dumps(RawTableDataset(filepath=str(path)).preview(nrows=2)))
    assert preview == {
        "index": [0, 1],
        "columns": ["line", "key", "value"],
        "data": [[1, "0", "class 0"], [2, "1", "class 1"]],
    }
