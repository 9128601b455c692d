"""One table of documents to one table of labels, for people."""

import csv
from pathlib import Path

import pandas as pd
import pytest

from hmltc_kedro.errors import InputError
from hmltc_kedro.labelling.table import label_table
from hmltc_kedro.modeling import HierarchicalClassifier

TEXTS = ["a puppy on a leash", "a steel spade for the garden", "a cat asleep on its pet bed", "x", "cats and cat toys"]


@pytest.fixture
def documents(tmp_path: Path) -> pd.DataFrame:
    return pd.DataFrame({"doc_id": ["=1+1", "b", "c", "d", "e"], "text": TEXTS})


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_rows_are_the_predictions_in_the_order_of_the_documents(
    documents: pd.DataFrame, model: Path, tmp_path: Path, ending: str
) -> None:
    """Five documents are two shards of three, of one piece or of two."""
    source = tmp_path / f"in.{ending}"
    documents.to_csv(source, index=False) if ending == "csv" else documents.to_parquet(source)
    done = label_table(source, tmp_path / "out.parquet", model)
    expected = HierarchicalClassifier.load(model).predict(TEXTS).to_frame()
    expected.insert(0, "doc_id", documents["doc_id"])
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), expected, check_dtype=False)
    unfit, review = int((~expected["fits"]).sum()), int((expected["decision"] == "review").sum())
    assert (done.rows, done.unfit, done.review, done.left_out) == (5, unfit, review, 0)
    assert done.describe().startswith("5 documents labelled, ") and "numbered" not in done.describe()


def test_csv_does_nothing_in_a_spreadsheet(documents: pd.DataFrame, model: Path, tmp_path: Path) -> None:
    documents.to_csv(tmp_path / "in.csv", index=False)
    label_table(tmp_path / "in.csv", tmp_path / "out.csv", model)
    rows = read_csv(tmp_path / "out.csv")
    assert [row["doc_id"] for row in rows] == ["'=1+1", "b", "c", "d", "e"]
    assert list(rows[0]) == ["doc_id", "names", "probabilities", "paths", "scores", "fits", "decision"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_rows_without_ids_are_numbered(documents: pd.DataFrame, model: Path, tmp_path: Path, ending: str) -> None:
    source = tmp_path / f"in.{ending}"
    table = documents[["text"]].rename(columns={"text": "title"}).assign(note="")
    table.to_csv(source, index=False) if ending == "csv" else table.to_parquet(source)
    done = label_table(source, tmp_path / "out.csv", model, text_columns=["title", "note"])
    assert [row["doc_id"] for row in read_csv(tmp_path / "out.csv")] == list("01234")
    assert done.describe().endswith("rows numbered, there is no column doc_id")


def test_bad_documents_are_refused_by_line_or_left_out(documents: pd.DataFrame, model: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    documents.assign(text=["a", "b", " ", "d", "e"]).to_csv(source, index=False)
    target.write_text("old", "utf-8")
    with pytest.raises(InputError, match=r"in\.csv:4: the text is empty"):
        label_table(source, target, model)
    assert target.read_text("utf-8") == "old" and len(list(tmp_path.iterdir())) == 2, "nothing half-written"
    assert "1 left out" in label_table(source, target, model, skip_invalid=True).describe()
    assert [row["doc_id"] for row in read_csv(target)] == ["'=1+1", "b", "d", "e"]


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("in.csv", "in.csv", "in.csv: the documents themselves; give another file to write to"),
        ("in.csv", "./link.csv", "link.csv: the documents themselves; give another file to write to"),
        ("in.xlsx", "out.csv", "in.xlsx: neither .csv nor .parquet; save it as one of them, a spreadsheet as CSV"),
        ("in.csv", "out.xlsx", "out.xlsx: neither .csv nor .parquet; save it as one of them, a spreadsheet as CSV"),
        ("none.csv", "out.csv", "none.csv: no such file; give the table of your documents"),
        ("in.csv", "none/out.csv", "none: no such folder; make it or give another one"),
    ],
)
def test_files_that_will_not_do_are_one_line(tmp_path: Path, source: str, target: str, says: str) -> None:
    for name in ("in.csv", "in.xlsx"):
        (tmp_path / name).write_text("text\na\n", "utf-8")
    (tmp_path / "link.csv").symlink_to(tmp_path / "in.csv")
    with pytest.raises(InputError) as error:
        label_table(tmp_path / source, tmp_path / target, tmp_path / "no_model")
    assert str(error.value).startswith(f"{tmp_path}/{says}")
    assert (tmp_path / "in.csv").read_text("utf-8") == "text\na\n"
