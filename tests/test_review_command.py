"""`kedro review` as a user meets it: documents go out, answers come back, and `ingest` takes them."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from kedro_project import Finished, Project


@pytest.fixture
def ran(project: Project, first_run: Finished) -> Iterator[Project]:
    """Return the project after a run, and leave its raw data as they were."""
    yield project
    (project.raw / "sample" / "labels.csv").unlink(missing_ok=True)
    for path in project.folder.glob("review*"):
        path.unlink()


def review(project: Project, *arguments: str) -> Finished:
    return project.kedro("review", "--env=test", *arguments)


def export(project: Project, name: str, *arguments: str) -> Path:
    path = project.folder / name
    done = review(project, f"--export={path}", *arguments)
    assert done.code == 0, done.text
    assert f"kedro review --import {path} --env=test" in done.out
    return path


def test_table_goes_out_and_comes_back_as_labels(ran: Project) -> None:
    path = export(ran, "review.csv", "--count=3")
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    diagnostics = pd.read_parquet(ran.folder / "data/08_reporting/sample/test/document_diagnostics.parquet")
    assert [row["doc_id"] for row in rows] == list(diagnostics["doc_id"][:3])
    assert rows[0]["classes"] and rows[0]["candidates"]
    rows[1]["classes"] = rows[0]["candidates"].split("; ")[0]
    rows[2]["classes"] = ""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    done = review(ran, f"--import={path}")
    assert done.code == 0, done.text
    assert done.out.splitlines()[-2:] == [
        f"{path}: 2 added, 0 changed, 0 unchanged (1 of them as predicted), 1 skipped (no answer)",
        "Written to data/01_raw/sample/labels.csv; next: kedro refresh --env=test",
    ]
    labels = ran.raw / "sample" / "labels.csv"
    assert [row["doc_id"] for row in csv.DictReader(labels.open(encoding="utf-8"))] == [r["doc_id"] for r in rows[:2]]
    again = review(ran, f"--import={path}")
    assert "0 added, 0 changed, 2 unchanged" in again.out and "Written" not in again.out
    status = json.loads(ran.kedro("status", "--env=test", "--pipeline=ingest", "--json").out)
    stale = {entry["entry"]: entry["reasons"] for entry in status["entries"] if entry["state"] != "fresh"}
    assert stale == {"labels": ["`raw_labels` was missing"]}


@pytest.mark.parametrize(("name", "beside"), [("review.json", "review.xml"), ("review.jsonl", "review.settings.json")])
def test_other_tools_get_what_they_read(ran: Project, name: str, beside: str) -> None:
    path = export(ran, name)
    assert (ran.folder / beside).is_file()
    done = review(ran, f"--import={path}")
    assert done.code == 0, done.text
    assert "0 added, 0 changed, 0 unchanged, 20 skipped (no answer)" in done.out
    assert not (ran.raw / "sample" / "labels.csv").exists()


def test_what_is_wrong_is_one_message(ran: Project) -> None:
    path = ran.folder / "review.csv"
    path.write_text("split,doc_id,classes\ntest,none,kettles\n", "utf-8")
    for arguments, code, words in (
        ([f"--import={path}"], 1, "review.csv:2: test has no document 'none'; correct the id or remove the line"),
        ([f"--export={path}"], 1, "review.csv: there already; import it first"),
        (["--export=review.txt"], 1, "review.txt: the ending says no format"),
        ([], 2, "give --export FILE or --import FILE"),
        ([f"--export={path}", f"--import={path}"], 2, "give --export FILE or --import FILE"),
        (["--export=x.csv", "--params=dataset=yours"], 1, "make it with: kedro run --pipeline=ingest --env=test"),
        (["--export=x.csv", "--params=datset=mine"], 1, "there is no parameter `datset`"),
    ):
        done = review(ran, *arguments)
        assert done.code == code, done.text
        assert words in done.err
        assert "Traceback" not in done.text
    assert not (ran.raw / "sample" / "labels.csv").exists()
