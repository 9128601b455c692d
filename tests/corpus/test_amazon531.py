"""TELEClass's folder into `data/01_raw/amazon531`, and the environment that runs on it; on copies of its layout."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from amazon import AMAZON, needs_amazon
from hmltc_kedro.corpus.amazon531 import FILES, PAPER, Counts, prepare
from hmltc_kedro.errors import InputError
from kedro_project import Project
from teleclass import publish, write_lines

SMALL = Counts(classes=12, edges=11, train_documents=14, test_documents=5)
RAW_NAMES = [file.raw_name for file in FILES]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return publish(tmp_path / "Amazon-531", SMALL)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "amazon531"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of the paper's size."""
    return publish(tmp_path_factory.mktemp("whole") / "Amazon-531", PAPER)


def list_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# ---------------------------------------------------------------------- what is written


def test_files_are_copied_under_the_projects_names(source: Path, target: Path) -> None:
    prepared = prepare(source, target, SMALL)
    assert prepared.counts == SMALL
    assert (prepared.written, prepared.unchanged) == (tuple(RAW_NAMES), ())
    assert list_files(target) == sorted(RAW_NAMES)  # no training labels, no temporary file
    for file in FILES:
        assert (target / file.raw_name).read_bytes() == (source / file.name).read_bytes()


def test_second_time_nothing_is_touched(source: Path, target: Path) -> None:
    prepare(source, target, SMALL)
    before = {name: (target / name).stat().st_mtime_ns for name in RAW_NAMES}
    prepared = prepare(source, target, SMALL)
    assert (prepared.written, prepared.unchanged) == ((), tuple(RAW_NAMES))
    assert {name: (target / name).stat().st_mtime_ns for name in RAW_NAMES} == before


def test_only_the_missing_file_is_made_again(source: Path, target: Path) -> None:
    prepare(source, target, SMALL)
    (target / "train/train_corpus.txt").unlink()
    (target / "README.md").write_text("stays")
    (target / "llm_responses.jsonl").write_text("stays")
    assert prepare(source, target, SMALL).written == ("train/train_corpus.txt",)
    assert list_files(target) == sorted([*RAW_NAMES, "README.md", "llm_responses.jsonl"])


def test_edited_files_are_not_overwritten_and_nothing_else_is_written(source: Path, target: Path) -> None:
    prepare(source, target, SMALL)
    keywords = target / "class_related_keywords.txt"
    keywords.write_text("kind_0:mine\n")
    (target / "classes.txt").unlink()
    with pytest.raises(InputError) as caught:
        prepare(source, target, SMALL)
    published = source / "train/llm_enrichment.txt"
    assert str(caught.value) == f"{keywords}: there already and not the same as {published}; move it away or delete it"
    assert keywords.read_text() == "kind_0:mine\n"
    assert not (target / "classes.txt").exists()


def test_byte_order_mark_and_windows_line_ends_are_no_obstacle(source: Path, target: Path) -> None:
    for file in FILES:
        path = source / file.name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(prepare(source, target, SMALL).written) == len(FILES)


# ---------------------------------------------------------------------- what is refused, before anything is written


def append(text: str) -> Callable[[bytes], bytes]:
    return lambda content: content + text.encode("latin-1")


def replace(old: str, new: str) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        assert content.count(old.encode()) == 1
        return content.replace(old.encode(), new.encode("latin-1"))

    return edit


def drop_last_line(content: bytes) -> bytes:
    return content[: content[:-1].rindex(b"\n") + 1]


WRONG = {
    # name: (file, edit, how the message goes on after the file, end of the message)
    "class_too_few": ("labels.txt", drop_last_line, ": 11 classes where Amazon-531 has 12; get the folder ", "again"),
    "class_too_many": ("labels.txt", append("12\tkind_12\n"), ": 13 classes where Amazon-531 has 12; ", "again"),
    "edge_too_few": ("label_hierarchy.txt", drop_last_line, ": 10 edges where Amazon-531 has 11; ", "again"),
    "keywords_too_few": ("train/llm_enrichment.txt", drop_last_line, ": 11 classes with keywords where ", "again"),
    "train_too_few": ("train/corpus.txt", drop_last_line, ": 13 documents where Amazon-531 has 14; ", "again"),
    "train_empty": ("train/corpus.txt", lambda _: b"", ": 0 documents where ", "again"),
    "test_too_few": ("test/corpus.txt", drop_last_line, ": 4 documents where Amazon-531 has 5; ", "again"),
    "gold_too_few": ("test/doc2labels.txt", drop_last_line, ": 4 documents with labels where ", "again"),
    "class_without_tab": ("labels.txt", replace("3\tkind_3", "3 kind_3"), ":4: the line has no TAB; ", "<value>"),
    "class_twice": ("labels.txt", replace("3\tkind_3", "2\tkind_3"), ":4: class id '2' is already on line 3; ", "id"),
    "edge_unknown": ("label_hierarchy.txt", replace("0\t4\n", "0\t99\n"), ":3: class '99' is not in ", "the edge"),
    "edge_cycle": ("label_hierarchy.txt", replace("1\t11\n", "3\t1\n"), ":10: this edge closes a cycle: ", "edges"),
    "keywords_unknown": ("train/llm_enrichment.txt", replace("kind_7:", "kind_x:"), ":8: there is no class ", "line"),
    "document_twice": ("train/corpus.txt", replace("4\treview 4 ", "3\treview 4 "), ":5: document id '3' is ", "split"),
    "document_not_utf8": ("test/corpus.txt", replace("1\treview 1 ", "1\t\xe9 "), ":2: byte 3 of the line ", "UTF-8"),
    "document_without_tab": ("test/corpus.txt", replace("1\treview", "1 review"), ":2: the line has no TAB", "<value>"),
    "gold_unknown_class": ("test/doc2labels.txt", replace("1\t1,3", "1\t1,99"), ":2: unknown class '99'; ", ".txt"),
    "gold_unknown_document": ("test/doc2labels.txt", replace("1\t1,3", "77\t1,3"), ":2: document '77' is not ", "line"),
    "gold_without_label": ("test/doc2labels.txt", replace("1\t1,3", "1\t"), ":2: no label; ", "..."),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_file_is_one_message_and_nothing_is_written(source: Path, target: Path, name: str) -> None:
    file, edit, start, end = WRONG[name]
    path = source / file
    path.write_bytes(edit(path.read_bytes()))
    with pytest.raises(InputError) as caught:
        prepare(source, target, SMALL)
    message = str(caught.value)
    assert message.startswith(f"{path}{start}") and message.endswith(end), message
    assert "; " in message and "\n" not in message
    assert not target.exists()


def test_empty_text_is_refused_without_advice_that_does_not_help(source: Path, target: Path) -> None:
    path = source / "train/corpus.txt"
    lines = path.read_text("utf-8").splitlines()
    write_lines(path, [*lines[:6], "6\t ", *lines[7:]])
    with pytest.raises(InputError) as caught:
        prepare(source, target, SMALL)
    assert str(caught.value) == f"{path}:7: the text is empty; write one or remove the line"
    assert not target.exists()


def test_all_wrong_counts_are_named(source: Path, target: Path) -> None:
    with pytest.raises(InputError) as caught:
        prepare(source, target)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [str(source / file.name) for file in FILES]
    wanted = [line.split("has ")[1].split(";")[0] for line in lines]
    assert wanted == ["531", "568", "531", "29,487", "19,658", "19,658"]


def test_all_missing_files_are_named(source: Path, target: Path) -> None:
    missing = ["labels.txt", "test/doc2labels.txt"]
    for name in missing:
        (source / name).unlink()
    with pytest.raises(InputError) as caught:
        prepare(source, target, SMALL)
    advice = "no such file; give the folder data/Amazon-531 of a TELEClass clone"
    assert str(caught.value).splitlines() == [f"{source / name}: {advice}" for name in missing]
    with pytest.raises(InputError, match="none: no such folder; give the folder data/Amazon-531"):
        prepare(source / "none", target, SMALL)
    assert not target.exists()


# ---------------------------------------------------------------------- interruptions

KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from hmltc_kedro.corpus import amazon531

source, target, name, n = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
calls = []

def copyfile(start, end):
    content = Path(start).read_bytes()
    die = name == "copyfile" and len(calls) == n
    Path(end).write_bytes(content[: len(content) // 2] if die else content)
    if die:
        os.kill(os.getpid(), signal.SIGKILL)
    calls.append(end)

def replace(start, end, move=os.replace):
    if name == "replace" and len(calls) == n:
        os.kill(os.getpid(), signal.SIGKILL)
    calls.append(end)
    move(start, end)

if name == "copyfile":
    shutil.copyfile = copyfile
else:
    os.replace = replace
amazon531.prepare(source, target, amazon531.Counts(12, 11, 14, 5))
"""


@pytest.mark.parametrize(("name", "n"), [("copyfile", 0), ("copyfile", 3), ("replace", 0), ("replace", 4)])
def test_killed_half_way_leaves_nothing_half_written(source: Path, target: Path, name: str, n: int) -> None:
    command = [sys.executable, "-c", KILLED, str(source), str(target), name, str(n)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    whole = [file for file in FILES if (target / file.raw_name).exists()]
    assert len(whole) == (n if name == "replace" else 0)
    for file in whole:
        assert (target / file.raw_name).read_bytes() == (source / file.name).read_bytes()
    prepared = prepare(source, target, SMALL)
    assert len(prepared.unchanged) == len(whole)
    assert list_files(target) == sorted(RAW_NAMES)  # what the killed process left is gone


def test_full_disk_leaves_nothing(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_disk(start: Path, end: Path) -> None:
        end.write_bytes(b"half")
        if start.name == "corpus.txt":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", fill_disk)
    with pytest.raises(OSError, match="No space left"):
        prepare(source, target, SMALL)
    assert list_files(target) == []


# ---------------------------------------------------------------------- with Kedro


def test_cut_down_copy_ingests(project: Project, source: Path) -> None:
    prepare(source, project.raw / "cut_amazon", SMALL)
    out = project.run("--pipeline=ingest", "--params=dataset=cut_amazon")
    assert "14 train and 5 test documents" in out
    folder = project.folder / "data/02_intermediate/cut_amazon"
    taxonomy = pd.read_parquet(folder / "taxonomy.parquet")
    assert taxonomy["class_id"].tolist() == [str(i) for i in range(SMALL.classes)]
    assert taxonomy["parents"].map(len).sum() == SMALL.edges
    assert taxonomy["keywords"].map(list)[3] == ["term 3", "other 3"]
    texts = pd.read_parquet(folder / "documents.parquet")["text"]
    assert texts[0] == "review 0 : a thing of kind 2 , caf\u00e9 - style"


def test_command_prepares_a_copy_of_the_papers_size_and_says_what_next(project: Project, whole: Path) -> None:
    files = [f"  data/01_raw/amazon531/{name}" for name in RAW_NAMES]
    size = "Amazon-531: 531 classes, 568 edges, 29,487 training and 19,658 test documents"
    for title in ("Written", "There already"):
        done = project.kedro("prepare-amazon531", str(whole))
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines() == [size, title, *files, "Next: kedro run --env=amazon531"]
    assert "29487 train and 19658 test documents" in project.run("--env=amazon531", "--pipeline=ingest")
    shutil.rmtree(project.raw / "amazon531")


def test_command_refuses_a_cut_down_copy_in_one_message(project: Project, source: Path) -> None:
    done = project.kedro("prepare-amazon531", str(source))
    assert done.code == 1
    assert done.out == ""
    lines = done.err.splitlines()
    assert len(lines) == len(FILES)
    assert lines[0].startswith(f"Error: {source / 'labels.txt'}: 12 classes where Amazon-531 has 531; ")
    assert not (project.raw / "amazon531").exists()
    assert project.kedro("prepare-amazon531").code == 2  # usage: there is no folder


def test_command_does_not_import_torch(project: Project, source: Path) -> None:
    script = """
import sys
from kedro.framework.cli import main
try:
    main()
except SystemExit as done:
    assert done.code == 1, done
heavy = {"torch", "transformers", "sentence_transformers"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", script, "prepare-amazon531", str(source)],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "12 classes where" in done.stderr


@needs_amazon
def test_published_taxonomy_keywords_and_labels_pass(whole: Path, tmp_path: Path, target: Path) -> None:
    copy = tmp_path / "Amazon-531"
    shutil.copytree(whole, copy)
    for name, published in {
        "classes.txt": "labels.txt",
        "class_hierarchy.txt": "label_hierarchy.txt",
        "class_related_keywords.txt": "train/llm_enrichment.txt",
        "test_doc2labels.txt": "test/doc2labels.txt",
    }.items():
        shutil.copyfile(AMAZON / name, copy / published)
    assert len(prepare(copy, target).written) == len(FILES)
