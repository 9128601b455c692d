"""Files and folders are the old ones or the new ones at every moment, and killed writers leave nothing for long."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

from hmltc_kedro import atomic
from hmltc_kedro.atomic import clean_up, write_file, write_folder
from hmltc_kedro.corpus.storage import write_bytes
from hmltc_kedro.corpus.tensors import TensorTable, write_tensors
from hmltc_kedro.datasets.files import JSONDataset, ParquetDataset
from hmltc_kedro.freshness.records import Content, Making, Record, write_record


@pytest.fixture(scope="module")
def dead() -> int:
    """Return the number of a process that has ended."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


@pytest.fixture
def without_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a disk on which two folders cannot be exchanged in one move."""
    monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)


def make_folder(path: Path, text: str) -> None:
    path.mkdir()
    (path / "a.txt").write_text(text)


def list_names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# ---------------------------------------------------------------------- the old one or the new one


@pytest.mark.parametrize("kind", ["exchange", "two moves"])
def test_folder_replaces_what_was_there_when_all_is_written(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "two moves":
        request.getfixturevalue("without_exchange")
    target = tmp_path / "deep" / "model"
    for content in ("old", "new", "newer"):
        with write_folder(target) as temporary:
            (temporary / "file").write_text(content)
            assert temporary.parent == target.parent and temporary != target
        assert (target / "file").read_text() == content
        assert list(target.parent.iterdir()) == [target]


def test_failure_on_the_way_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "model"
    make_folder(target, "old")
    with pytest.raises(OSError, match="disk full"), write_folder(target) as temporary:
        (temporary / "a.txt").write_text("half")
        raise OSError("disk full")
    assert (target / "a.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_old_folder_is_moved_back_where_the_new_one_cannot_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_exchange: None
) -> None:
    target = tmp_path / "model"
    make_folder(target, "old")
    moves = iter([True, False, True])
    replace_really = os.replace

    def fail_second(source: Path, goal: Path) -> None:
        if not next(moves):
            raise OSError("no rename")
        replace_really(source, goal)

    monkeypatch.setattr(os, "replace", fail_second)
    with pytest.raises(OSError, match="no rename"), write_folder(target) as temporary:
        (temporary / "a.txt").write_text("new")
    assert (target / "a.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a folder is replaced in two moves")
def test_there_is_a_folder_at_every_moment(tmp_path: Path) -> None:
    target, done = tmp_path / "model", threading.Event()
    make_folder(target, "0")
    looks: list[bool] = []

    def look() -> None:
        while not done.is_set():
            looks.append((target / "a.txt").exists())

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for number in range(100):
            with write_folder(target) as temporary:
                (temporary / "a.txt").write_text(str(number))
    finally:
        done.set()
        reader.join()
    assert len(looks) > 100 and all(looks)


# ---------------------------------------------------------------------- what killed processes left


@pytest.mark.parametrize("process", ["dead", "this"])
def test_old_folder_is_put_back_after_a_kill_between_two_moves(process: str, dead: int, tmp_path: Path) -> None:
    """In a container the process that was killed had the number of this one."""
    number = dead if process == "dead" else os.getpid()
    make_folder(tmp_path / f".model.{number}.old", "old")
    make_folder(tmp_path / f".model.{number}.tmp", "half of the new one")
    clean_up(tmp_path / "model")
    assert list_names(tmp_path) == {"model"}
    assert (tmp_path / "model" / "a.txt").read_text() == "old"


def test_what_killed_writers_of_a_folder_left_is_removed_and_what_a_living_one_needs_is_not(
    dead: int, tmp_path: Path
) -> None:
    living = {f".model.{os.getppid()}.tmp", ".model.x.tmp", f".model.b.{dead}.tmp", f".other.{dead}.tmp"}
    for name in {"model", f".model.{dead}.old", f".model.{dead}.tmp", f".model.{os.getpid()}.tmp"} | living:
        make_folder(tmp_path / name, name)
    with write_folder(tmp_path / "model") as temporary:
        (temporary / "a.txt").write_text("new")
    assert list_names(tmp_path) == {"model"} | living
    assert (tmp_path / "model" / "a.txt").read_text() == "new"


def test_what_killed_writers_of_a_file_left_is_removed_and_what_a_living_one_needs_is_not(
    dead: int, tmp_path: Path
) -> None:
    living = {f".x[1].json.{os.getppid()}.tmp", f".x1.json.{dead}.tmp"}
    for name in {f".x[1].json.{dead}.tmp", f".x[1].json.{os.getpid()}.tmp"} | living:
        (tmp_path / name).write_text("half")
    with write_file(tmp_path / "x[1].json") as temporary:
        temporary.write_text("new")
    assert list_names(tmp_path) == {"x[1].json"} | living


WRITERS = {
    "parquet": lambda path: ParquetDataset(filepath=str(path)).save(pd.DataFrame({"a": [1]})),
    "json": lambda path: JSONDataset(filepath=str(path)).save({"a": 1}),
    "tensors": lambda path: write_tensors(TensorTable([], {}), path),
    "record": lambda path: write_record(Record(Making({}, {}, {}), Content("")), path),
    "bulk labels": lambda path: write_bytes(str(path), b"labels", {}),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_run_that_follows_a_killed_one_leaves_nothing_of_it(kind: str, tmp_path: Path) -> None:
    """A process that writes the entry is killed before the move; the next one cleans up."""
    path = tmp_path / "entry"
    code = (
        "import os, test_atomic\n"
        "os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        f"test_atomic.WRITERS[{kind!r}](test_atomic.Path({str(path)!r}))"
    )
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    assert subprocess.run([sys.executable, "-c", code], env=surroundings, check=False).returncode == -9
    assert [name.endswith(".tmp") for name in list_names(tmp_path)] == [True]
    WRITERS[kind](path)
    assert list_names(tmp_path) == {"entry"}


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_rights_are_those_of_any_new_file(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        with write_file(tmp_path / "one") as temporary:
            temporary.unlink()
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
        with write_folder(tmp_path / "several") as temporary:
            (temporary / "deep").mkdir()
            os.close(os.open(temporary / "deep" / "file", os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        os.umask(before)
    for file in (tmp_path / "one", tmp_path / "several" / "deep" / "file"):
        assert file.stat().st_mode & 0o777 == 0o666 & ~mask
    assert [path.name for path in (tmp_path / "several").iterdir()] == ["deep"]
