"""The student as a catalog entry: a directory that comes back, previews itself and is moved into place."""

from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError
from scipy import sparse

from hmltc_kedro.datasets import StudentDataset
from hmltc_kedro.modeling.path_ranking import PathTable
from hmltc_kedro.modeling.student import DenseView, Evidence, Student, fit_student
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.latent_words import LatentWords


def make_evidence(n: int = 12) -> Evidence:
    generator = np.random.default_rng(0)
    vectors, logits, lexical = (generator.standard_normal((n, 7)).astype(np.float32) for _ in range(3))
    return Evidence(vectors, sparse.csr_array(generator.random((n, 9)), dtype=np.float32), logits, lexical)


@pytest.fixture
def student(diamond: Taxonomy) -> Student:
    evidence = make_evidence()
    labels = diamond.to_matrix([["an", "do"], ["ga", "to"], ["an", "ca", "be"], ["ga"]] * 3)
    dense = DenseView(np.eye(7, dtype=np.float32), np.zeros(7, "f4"), np.ones(7, "f4"))
    latent = LatentWords.fit(evidence.words, 0)
    parts = (evidence, labels, np.ones(12, "f4"), evidence[:6], labels[:6], latent, dense, PathTable.list(diamond))
    return fit_student(*parts, seed=0)[0]


def test_student_comes_back_with_its_taxonomy(student: Student, diamond: Taxonomy, tmp_path: Path) -> None:
    dataset = StudentDataset(filepath=str(tmp_path / "deep" / "student"))
    assert not dataset.exists()
    dataset.save(student)
    assert dataset.exists()
    loaded = dataset.load()
    np.testing.assert_array_equal(loaded.predict(make_evidence(30)), student.predict(make_evidence(30)))
    taxonomy = loaded.table.taxonomy
    assert (taxonomy.class_ids, taxonomy.parents) == (diamond.class_ids, diamond.parents)
    files = {file.name for file in (tmp_path / "deep" / "student").iterdir()}
    assert files == {"student.json", "student.safetensors", "taxonomy.json"}


def test_untaught_student_comes_back_and_replaces_what_was_there(
    student: Student, diamond: Taxonomy, tmp_path: Path
) -> None:
    dataset = StudentDataset(filepath=str(tmp_path / "student"))
    dataset.save(student)
    dataset.save(Student.untaught(diamond))
    assert dataset.exists() and not dataset.load()
    assert [file.name for file in tmp_path.iterdir()] == ["student"]


def test_preview_says_what_it_was_taught(student: Student, tmp_path: Path) -> None:
    dataset = StudentDataset(filepath=str(tmp_path / "student"), metadata={"description": "x"})
    assert dataset.preview() is None
    dataset.save(student)
    assert dataset.preview() == {
        "index": [0, 1, 2, 3],
        "columns": ["name", "value"],
        "data": [["judged_documents", 12], ["mean_paths", 1.0], ["belief", 0.3902], ["n_words", 9]],
    }
    assert dataset.metadata == {"description": "x"}


def test_save_that_raises_midway_leaves_the_old_student_and_nothing_else(
    student: Student, diamond: Taxonomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = StudentDataset(filepath=str(tmp_path / "student"))
    dataset.save(student)
    before = {file: file.read_bytes() for file in (tmp_path / "student").iterdir()}

    def fail(self: Taxonomy, path: Path) -> None:
        assert path.parent.name != "student" and (path.parent / "student.json").is_file(), "half written elsewhere"
        raise OSError("disk full")

    monkeypatch.setattr(Taxonomy, "write", fail)
    with pytest.raises(DatasetError, match="disk full"):
        dataset.save(Student.untaught(diamond))
    assert {file: file.read_bytes() for file in (tmp_path / "student").iterdir()} == before
    assert list(tmp_path.iterdir()) == [tmp_path / "student"]


def test_student_of_another_taxonomy_does_not_load(student: Student, tmp_path: Path) -> None:
    dataset = StudentDataset(filepath=str(tmp_path / "student"))
    dataset.save(student)
    Taxonomy.from_edges([("a", "a")], []).write(tmp_path / "student" / "taxonomy.json")
    with pytest.raises(DatasetError, match="a student of 15 classes and paths for 1 classes"):
        dataset.load()
