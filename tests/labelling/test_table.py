"""One table of documents to one table of labels, for people."""

import csv
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from hmltc_kedro.corpus import spreadsheets
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


def test_workbook_gives_the_labels_of_its_first_sheet(documents: pd.DataFrame, model: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.xlsx", tmp_path / "out.xlsx"
    sheet = documents.assign(doc_id=["=1+1", 2.0, 3, pd.Timestamp("2026-11-26"), "e\nf"])
    with pd.ExcelWriter(source, engine="openpyxl") as writer:
        sheet.to_excel(writer, index=False)
        documents.iloc[:1].to_excel(writer, sheet_name="another", index=False)
        writer.sheets["Sheet1"]["A2"].data_type = "s"
    assert label_table(source, target, model).rows == 5
    expected = HierarchicalClassifier.load(model).predict(TEXTS).to_frame()
    found = pd.read_excel(target, dtype={"doc_id": str})
    assert found["doc_id"].tolist() == ["=1+1", "2", "3", "2026-11-26 00:00:00", "e f"]
    pd.testing.assert_frame_equal(found.drop(columns="doc_id"), expected, check_dtype=False)
    with zipfile.ZipFile(target) as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml"), "a text is no formula"


def test_bad_row_of_a_workbook_is_named_as_it_is_numbered_there(
    documents: pd.DataFrame, model: Path, tmp_path: Path
) -> None:
    source = tmp_path / "in.xlsx"
    documents.assign(text=["two\nlines", "b", None, "d", "e"]).to_excel(source, index=False)
    with pytest.raises(InputError, match=r"/in\.xlsx:4: the text is empty"):
        label_table(source, tmp_path / "out.csv", model)
    assert [path.name for path in tmp_path.iterdir()] == ["in.xlsx"]


def test_workbook_that_is_too_small_is_one_line(
    documents: pd.DataFrame, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents.to_csv(tmp_path / "in.csv", index=False)
    monkeypatch.setattr(spreadsheets, "MOST_ROWS", 5)
    with pytest.raises(InputError, match=r"^a sheet holds 5 rows; write to a CSV or Parquet file$"):
        label_table(tmp_path / "in.csv", tmp_path / "out.xlsx", model)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_without_openpyxl_a_workbook_is_one_line(
    tmp_path: Path, documents: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents.to_excel(tmp_path / "in.xlsx", index=False)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(InputError, match=r"in\.xlsx: openpyxl reads and writes workbooks; pip install"):
        label_table(tmp_path / "in.xlsx", tmp_path / "out.csv", tmp_path / "no_model")


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
        ("in.xls", "out.csv", "in.xls: not .csv, .parquet or .xlsx; save it as one of them"),
        ("in.csv", "out.txt", "out.txt: not .csv, .parquet or .xlsx; save it as one of them"),
        (
            "in.xlsx",
            "out.csv",
            "in.xlsx: not a readable workbook (File is not a zip file); save it again",
        ),
        ("none.csv", "out.csv", "none.csv: no such file; give the table of your documents"),
        ("in.csv", "none/out.csv", "none: no such folder; make it or give another one"),
    ],
)
def test_files_that_will_not_do_are_one_line(tmp_path: Path, source: str, target: str, says: str) -> None:
    for name in ("in.csv", "in.xls", "in.xlsx"):
        (tmp_path / name).write_text("text\na\n", "utf-8")
    (tmp_path / "link.csv").symlink_to(tmp_path / "in.csv")
    with pytest.raises(InputError) as error:
        label_table(tmp_path / source, tmp_path / target, tmp_path / "no_model")
    assert str(error.value).startswith(f"{tmp_path}/{says}")
    assert (tmp_path / "in.csv").read_text("utf-8") == "text\na\n"
