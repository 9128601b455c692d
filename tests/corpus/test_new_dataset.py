"""A raw dataset of what one has: what is written ingests, all of it or nothing, and never over another."""

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from hmltc_kedro import cli
from hmltc_kedro.corpus.class_sources import read_classes
from hmltc_kedro.corpus.new_dataset import make_dataset
from hmltc_kedro.errors import InputError
from ingest import ingest
from kedro_project import REPOSITORY

DOCUMENTS = "bed for a dog\nbed for a cat\na spade\na rake\na rose\n"


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "classes.txt").write_text("pets\n  dogs\n    beds\n  cats\n    beds\ngarden tools\n", "utf-8")
    (tmp_path / "texts.txt").write_text(DOCUMENTS, "utf-8")
    return tmp_path / "classes.txt", tmp_path / "texts.txt"


def test_files_are_those_of_a_raw_dataset(tmp_path: Path, sources: tuple[Path, Path]) -> None:
    target = tmp_path / "raw" / "mine"
    made = make_dataset(target, *sources, test_share=0.4, seed=3)
    assert (target / "classes.txt").read_text("utf-8").splitlines()[-1] == "5\tgarden_tools"
    assert (target / "class_hierarchy.txt").read_text("utf-8") == "0\t1\n1\t2\n0\t3\n3\t4\n"
    written = [(target / split / f"{split}_corpus.txt").read_text("utf-8").splitlines() for split in ("train", "test")]
    assert [len(lines) for lines in written] == [3, 2]
    assert sorted(sum(written, [])) == [f"{i}\t{text}" for i, text in enumerate(DOCUMENTS.splitlines())]
    assert made.describe() == [
        f"classes    6 of {sources[0]} (indented tree), 4 edges, 3 levels, 2 roots",
        "documents  3 train and 2 test (one text a line)",
        "the first  id 0: bed for a dog",
        "remark     names of several classes, which their parents tell apart: 1",
    ]
    assert os.listdir(tmp_path / "raw") == ["mine"], "nothing is left behind"


def test_same_seed_writes_the_same_bytes(tmp_path: Path, sources: tuple[Path, Path]) -> None:
    for name in ("one", "two"):
        make_dataset(tmp_path / name, *sources)
    for file in ("classes.txt", "class_hierarchy.txt", "train/train_corpus.txt", "test/test_corpus.txt"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_nothing_is_written_over_what_is_there(tmp_path: Path, sources: tuple[Path, Path]) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match=r"mine: there already; give another name, or move it away"):
        make_dataset(tmp_path / "mine", *sources)
    assert not list((tmp_path / "mine").iterdir())


@pytest.mark.parametrize("bad", ["classes.txt", "texts.txt"])
def test_nothing_is_written_if_anything_is_wrong(tmp_path: Path, sources: tuple[Path, Path], bad: str) -> None:
    (tmp_path / bad).write_text("", "utf-8")
    with pytest.raises(InputError, match=rf"{bad}:1: no (classes; write one a line|documents; two at least)"):
        make_dataset(tmp_path / "raw" / "mine", *sources)
    assert not (tmp_path / "raw").exists()


def test_missing_file_of_classes_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt: no such file; give the file of your classes"):
        read_classes(tmp_path / "none.txt")


def test_long_text_is_shown_in_part(tmp_path: Path, sources: tuple[Path, Path]) -> None:
    sources[1].write_text("word " * 30 + "\nshort\n", "utf-8")
    made = make_dataset(tmp_path / "mine", *sources)
    assert made.describe()[2] == "the first  id 0: " + ("word " * 12)[:57] + "..."


# ---------------------------------------------------------------------- the command


def call(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(cli.cli, ["new-dataset", *arguments])
    return done.exit_code, done.output


def test_command_says_what_was_made_and_what_comes_next(
    tmp_path: Path, sources: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)  # which makes it a project
    (tmp_path / "below").mkdir()
    options = [f"--classes={sources[0]}", f"--documents={sources[1]}"]
    code, out = call(tmp_path / "below", monkeypatch, "mine", *options)
    assert code == 0, out
    assert out.splitlines()[0] == "Made data/01_raw/mine"
    last = "Next: kedro run --pipeline=ingest --params=dataset=mine, and without --pipeline the whole chain"
    assert out.splitlines()[-1] == last
    ingest(tmp_path)
    code, out = call(tmp_path, monkeypatch, "mine", *options)
    there = tmp_path / "data" / "01_raw" / "mine"
    assert (code, out) == (1, f"Error: {there}: there already; give another name, or move it away\n")


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "a b ", ""])
def test_name_is_that_of_a_folder(
    tmp_path: Path, sources: tuple[Path, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out = call(tmp_path, monkeypatch, name, f"--classes={sources[0]}", f"--documents={sources[1]}")
    rule = "it is the name of a folder in data/01_raw: letters, digits, _, - and ."
    assert (code, out) == (1, f"Error: dataset: {name!r} is no name; {rule}\n")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("share", ["0", "1", "-0.1", "nan"])
def test_share_is_part_of_the_whole(
    tmp_path: Path, sources: tuple[Path, Path], share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [f"--classes={sources[0]}", f"--documents={sources[1]}", f"--test-share={share}"]
    code, out = call(tmp_path, monkeypatch, "mine", *options)
    assert (code, out) == (1, f"Error: test share {float(share)}: give a number between 0 and 1\n")
    assert not (tmp_path / "data").exists()
