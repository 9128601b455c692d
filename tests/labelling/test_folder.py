"""The folder of a bulk run: which files there are, which are done, and what a kill at any moment leaves."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import file_digest
from hmltc_kedro.labelling import folder as module
from hmltc_kedro.labelling.folder import BulkFolder, Shard

LABELS = pd.DataFrame({"doc_id": ["1", "2"], "class_ids": [["an"], ["ga", "to"]]})


@pytest.fixture
def folder(tmp_path: Path) -> BulkFolder:
    """Return a folder with two files of documents; nothing is labelled."""
    (tmp_path / "bulk").mkdir()
    for name in ("b.csv", "a.csv"):
        (tmp_path / "bulk" / name).write_text("doc_id,text\n1,a\n2,b\n", "utf-8")
    return BulkFolder(tmp_path / "bulk", tmp_path / "deep" / "labels")


def finish(folder: BulkFolder, name: str, model: str = "model", labels: pd.DataFrame = LABELS) -> None:
    """Write labels of a file as it is now."""
    file = folder.source / name
    folder.write(labels, file, Shard(str(file), file_digest(file), model, len(labels), 0.5))


def list_labels(folder: BulkFolder) -> list[str]:
    return sorted(path.name for path in folder.target.iterdir())


def test_files_are_those_of_two_endings_by_name(folder: BulkFolder) -> None:
    for name in ("c.parquet", "notes.txt", ".hidden.csv", "d.CSV"):
        (folder.source / name).write_bytes(b"")
    assert [file.name for file in folder.list_files()] == ["a.csv", "b.csv", "c.parquet"]


@pytest.mark.parametrize("missing", [True, False], ids=["no folder", "no file in it"])
def test_no_file_is_an_input_error(tmp_path: Path, missing: bool) -> None:
    source = tmp_path / "bulk"
    if not missing:
        source.mkdir()
        (source / "readme.txt").write_text("", "utf-8")
    with pytest.raises(InputError) as error:
        BulkFolder(source, tmp_path / "labels").list_files()
    assert str(error.value) == f"{source}: no parquet or CSV file here; put the documents to label there"


def test_two_files_of_one_stem_are_refused(folder: BulkFolder) -> None:
    (folder.source / "a.parquet").write_bytes(b"")
    with pytest.raises(InputError) as error:
        folder.list_files()
    expected = f"{folder.source / 'a.parquet'}: a.csv lies beside it and has the same name; rename one of the two"
    assert str(error.value) == expected


def test_folder_called_like_a_file_is_refused(folder: BulkFolder) -> None:
    (folder.source / "c.parquet").mkdir()
    with pytest.raises(InputError, match=r"c\.parquet: a folder, no file; move its files up"):
        folder.list_files()


def test_labels_lie_under_the_name_of_their_file(folder: BulkFolder) -> None:
    assert folder.find_labels(folder.source / "a.csv") == folder.target / "a.parquet"
    finish(folder, "a.csv")
    assert list_labels(folder) == ["a.parquet", "manifest.json"]
    written = pd.read_parquet(folder.target / "a.parquet")
    assert list(written["doc_id"]) == ["1", "2"]
    assert list(map(list, written["class_ids"])) == [["an"], ["ga", "to"]]


def test_manifest_holds_what_was_labelled_with_what(folder: BulkFolder) -> None:
    finish(folder, "b.csv", model="one")
    finish(folder, "a.csv", model="two")
    written = json.loads((folder.target / "manifest.json").read_text("utf-8"))
    digest = file_digest(folder.source / "a.csv")
    assert list(written["shards"]) == ["a.parquet", "b.parquet"]
    assert written["shards"]["a.parquet"] == {
        "source": str(folder.source / "a.csv"),
        "digest": digest,
        "model": "two",
        "rows": 2,
        "seconds": 0.5,
    }
    assert folder.read_manifest()["b.parquet"] == Shard(str(folder.source / "b.csv"), digest, "one", 2, 0.5)


def change_file(folder: BulkFolder) -> None:
    (folder.source / "a.csv").write_text("doc_id,text\n1,other\n", "utf-8")


def delete_labels(folder: BulkFolder) -> None:
    (folder.target / "a.parquet").unlink()


def delete_manifest(folder: BulkFolder) -> None:
    (folder.target / "manifest.json").unlink()


@pytest.mark.parametrize("change", [change_file, delete_labels, delete_manifest])
def test_file_is_done_until_something_changes(folder: BulkFolder, change: Callable[[BulkFolder], None]) -> None:
    file = folder.source / "a.csv"
    assert not folder.is_done(file, "model")
    finish(folder, "a.csv")
    assert folder.is_done(file, "model")
    assert not folder.is_done(file, "another model")
    assert not folder.is_done(folder.source / "b.csv", "model")
    os.utime(file)
    assert folder.is_done(file, "model"), "a file that was touched is the same"
    change(folder)
    assert not folder.is_done(file, "model")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b'{"shards": []}',
        b'{"shards": {"a.parquet": {"digest": 1}}}',
        b'{"shards": 3}',
    ],
)
def test_damaged_manifest_counts_as_none(folder: BulkFolder, content: bytes) -> None:
    finish(folder, "a.csv")
    (folder.target / "manifest.json").write_bytes(content)
    assert folder.read_manifest() == {}
    assert not folder.is_done(folder.source / "a.csv", "model")
    finish(folder, "a.csv")
    assert folder.is_done(folder.source / "a.csv", "model")


# ---------------------------------------------------------------------- killed


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_at(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """End the process instead of the move of that number into place, from 1."""
    moves = 0

    def replace(source: Path, target: Path) -> None:
        nonlocal moves
        moves += 1
        if moves == moment:
            raise Killed
        os.rename(source, target)

    monkeypatch.setattr(module.os, "replace", replace)


@pytest.mark.parametrize(("moment", "left"), [(1, []), (2, ["a.parquet"])], ids=["before labels", "before manifest"])
def test_killed_at_the_first_file_it_is_not_done_and_is_written_again(
    folder: BulkFolder, monkeypatch: pytest.MonkeyPatch, moment: int, left: list[str]
) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, moment)
        with pytest.raises(Killed):
            finish(folder, "a.csv")
    assert list_labels(folder) == left
    assert not folder.is_done(folder.source / "a.csv", "model")
    finish(folder, "a.csv")
    assert folder.is_done(folder.source / "a.csv", "model")
    assert list_labels(folder) == ["a.parquet", "manifest.json"]


@pytest.mark.parametrize("moment", [2, 3], ids=["before labels", "before manifest"])
def test_killed_while_labels_are_replaced_the_file_is_done_by_no_version_of_it(
    folder: BulkFolder, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    file = folder.source / "a.csv"
    before = file.read_bytes()
    finish(folder, "a.csv")
    finish(folder, "b.csv")
    change_file(folder)
    with monkeypatch.context() as patch:
        kill_at(patch, moment)
        with pytest.raises(Killed):
            finish(folder, "a.csv", labels=LABELS.iloc[:1])
    assert len(pd.read_parquet(folder.target / "a.parquet")) == (2 if moment == 2 else 1)
    assert not folder.is_done(file, "model")
    file.write_bytes(before)
    assert not folder.is_done(file, "model"), "the labels may be those of the other version"
    assert folder.is_done(folder.source / "b.csv", "model")
