"""Classes as a program has them: whatever says them, the same taxonomy comes out."""

from pathlib import Path
from typing import Any

import pytest

from hmltc_kedro.corpus.class_sources import read_folder, read_taxonomy
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy
from kedro_project import REPOSITORY

LABELS = ("animals", "animals > dogs", "animals > dogs > pet beds", "animals > cats", "garden")


@pytest.mark.parametrize(
    "source",
    [
        {"animals": {"dogs": ["pet beds"], "cats": None}, "garden": None},
        ["animals", "animals > dogs", "animals>dogs>pet beds", "animals > cats", "garden"],
        [{"animals": [{"dogs": ["pet beds"]}, "cats"]}, "garden"],
        [{"name": "animals", "children": [{"name": "dogs", "children": ["pet beds"]}, "cats"]}, {"name": "garden"}],
    ],
)
def test_forms_say_the_same(source: Any) -> None:
    assert read_taxonomy(source).labels == LABELS


def test_file_folder_and_taxonomy_are_taken(tmp_path: Path, diamond: Taxonomy) -> None:
    (tmp_path / "classes.txt").write_text("animals\n  dogs\n    pet beds\n  cats\ngarden\n", "utf-8")
    assert read_taxonomy(str(tmp_path / "classes.txt")).labels == LABELS
    assert read_taxonomy(diamond) is diamond
    sample = read_taxonomy(REPOSITORY / "data/01_raw/sample")
    assert len(sample) == 49 and any(sample.keywords)


def test_folder_may_lack_keywords_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("1\tpets\n2\tdogs\n", "utf-8")
    with pytest.raises(InputError) as error:
        read_folder(tmp_path)
    assert str(error.value) == f"{tmp_path / 'class_hierarchy.txt'}: no such file; give a dataset's folder"
    (tmp_path / "class_hierarchy.txt").write_text("1\t2\n", "utf-8")
    assert read_folder(tmp_path).labels == ("pets", "pets > dogs")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({}, "taxonomy: no classes; give one at least"),
        ([], "taxonomy: no classes; give one at least"),
        (3, "taxonomy: a int; give a Taxonomy, a file of classes, or names in a dict"),
        ({"a": {1, 2}}, "taxonomy: not names within each other (Object of type set is not JSON serializable); write"),
        (["a", "b", "a"], "taxonomy:3: class 'a' is already on line 1; remove one or rename it"),
        (["a > > b"], "taxonomy:1: a class without a name; write one or remove it"),
        ({"a": ["b", "b"]}, "taxonomy:4: class 'a > b' is already on line 3; remove one or rename it"),
        ("no/such/file.txt", "no/such/file.txt: no such file; give the file of your classes"),
    ],
)
def test_what_says_no_taxonomy_is_one_line(source: Any, says: str) -> None:
    with pytest.raises(InputError) as error:
        read_taxonomy(source)
    assert str(error.value).startswith(says)
