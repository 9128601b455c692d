"""The directory of a classifier: every file that is damaged, missing, foreign or new is refused in one line."""

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from drawn_graphs import draw_taxonomies
from hmltc_kedro.decoding.decode import DecodingSettings
from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.modeling.files import SETTINGS, UNCHECKED
from hmltc_kedro.modeling.head import CosineHead
from hmltc_kedro.modeling.path_ranking import PathTable
from hmltc_kedro.modeling.student import DenseView, Evidence, Student, fit_student
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.latent_words import LatentWords
from hmltc_kedro.text.lexical_view import LexicalView

TEXTS = ["a puppy on a leash", "a steel spade for the garden", "a cat asleep on a bed", "cats and cat toys"] * 3
ENCODER = ["modules.json", "config.json", "model.safetensors", "1_Pooling/config.json"]
"""Files of an encoder that is never opened."""

FILES = [
    *(f"encoder/{name}" for name in ENCODER),
    "head.safetensors",
    "nulls.safetensors",
    "taxonomy.json",
    "words.json",
    "lexical.safetensors",
    "student.json",
    "student.safetensors",
]
"""Of a classifier that reads words and was taught, but for `UNCHECKED`."""


def build_classifier(folder: Path, taxonomy: Taxonomy, seed: int) -> HierarchicalClassifier:
    """Return a classifier of random parts in which no file is as in one of another seed."""
    generator = np.random.default_rng(seed)
    for name in ENCODER:
        (folder / "encoder" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "encoder" / name).write_text(f'["{name}", {seed}]')
    vectors = generator.standard_normal((12, 7)).astype(np.float32)
    view = LexicalView.fit([*TEXTS, *TEXTS[:seed], f"seed{seed}"], [f"{name} seed{seed}" for name in taxonomy.names])
    words = view.represent(TEXTS)
    logits = generator.standard_normal((12, 7)).astype(np.float32)
    evidence = Evidence(vectors, words, logits, view.score(words))
    dense = DenseView(np.eye(7, dtype=np.float32), np.zeros(7, "f4"), np.full(7, 1 + seed, "f4"))
    labels = taxonomy.to_matrix([["an", "do"], ["ga", "to"], ["an", "ca", "be"]][: 2 + seed % 2] * 4)
    n = labels.shape[0]
    student, _ = fit_student(
        evidence[:n], labels, np.ones(n, "f4"), evidence[:6], labels[:6], LatentWords.fit(words, seed), dense,
        PathTable.list(taxonomy), seed,
    )  # fmt: skip
    return HierarchicalClassifier(
        folder / "encoder",
        CosineHead(torch.from_numpy(vectors[:7]), lexical_weight=1.0).freeze(),
        taxonomy.with_keywords({"to": [f"rake{seed}"]}),
        decoding=DecodingSettings.model_validate({"max_paths": 2 + seed}).for_student(),
        description={"seed": seed},
        lexical=view,
        max_length=64,
        max_windows=3,
        frozen=f"encoder {seed}",
        nulls=generator.random((5, 7)).astype(np.float16),
        student=student,
        accept=0.625,
        device="cpu",
        directory=folder,
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the directories of two saved classifiers of one taxonomy; copy one before changing anything."""
    edges = [("an", "do"), ("an", "ca"), ("do", "be"), ("ca", "be"), ("ca", "ct"), ("ga", "to")]
    names = ["animals", "garden", "dogs", "cats", "pet_beds", "cat_toys", "tools"]
    taxonomy = Taxonomy.from_edges(list(zip(["an", "ga", "do", "ca", "be", "ct", "to"], names, strict=True)), edges)
    folder = tmp_path_factory.mktemp("models")
    for seed in (0, 1):
        build_classifier(folder / f"parts{seed}", taxonomy, seed).save(folder / f"model{seed}")
    return folder / "model0", folder / "model1"


@pytest.fixture
def copied(models: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(models[0], tmp_path / "classifier"))


def refuse(directory: Path) -> str:
    """Return the one line by which a directory is refused."""
    with pytest.raises(InputError) as caught:
        HierarchicalClassifier.load(directory, device="cpu")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{directory}: not a readable classifier (") and message.endswith("); train it again")
    return message.removeprefix(f"{directory}: not a readable classifier (").removesuffix("); train it again")


def list_files(directory: Path) -> set[str]:
    return {file.relative_to(directory).as_posix() for file in directory.rglob("*") if file.is_file()}


# ---------------------------------------------------------------------- what comes back


def test_every_file_is_known_here_and_has_a_digest(models: tuple[Path, Path]) -> None:
    assert list_files(models[0]) == {*FILES, *UNCHECKED}
    assert set(json.loads((models[0] / SETTINGS).read_text("utf-8"))["parts"]) == set(FILES)
    for name in FILES:
        assert (models[0] / name).read_bytes() != (models[1] / name).read_bytes(), "or swapping would test nothing"


def test_settings_student_and_what_is_accepted_come_back(models: tuple[Path, Path], tmp_path: Path) -> None:
    for seed, directory in enumerate(models):
        loaded = HierarchicalClassifier.load(directory, device="cpu")
        assert loaded.accept == 0.625
        assert (loaded.decoding.method, loaded.decoding.max_paths) == ("expected_f1", 2 + seed)
        assert (loaded.max_length, loaded.max_windows, loaded.frozen) == (64, 3, f"encoder {seed}")
        assert loaded.description == {"seed": seed}
        assert loaded.student is not None and len(loaded.student) == 8 + 4 * seed
        assert loaded.nulls.shape == (5, 7) and loaded.nulls.dtype == np.float16
        loaded.save(tmp_path / "again")
        again = HierarchicalClassifier.load(tmp_path / "again", device="cpu")
        assert again.student is not None
        np.testing.assert_array_equal(again.student.alpha, loaded.student.alpha)
        assert again.accept == 0.625


def test_without_student_and_cut_there_is_none_afterwards(models: tuple[Path, Path], tmp_path: Path) -> None:
    loaded = HierarchicalClassifier.load(models[0], device="cpu")
    for student in (None, Student.untaught(loaded.taxonomy)):
        loaded.with_parts(student=student, accept=None).save(tmp_path / "plain")
        assert not {"student.json", "student.safetensors"} & list_files(tmp_path / "plain")
        plain = HierarchicalClassifier.load(tmp_path / "plain", device="cpu")
        assert plain.student is None and plain.accept is None


def test_card_and_notes_of_people_are_theirs(copied: Path) -> None:
    (copied / "README.md").write_text("my own words")
    (copied / "notes.txt").write_text("where I use it")
    assert HierarchicalClassifier.load(copied, device="cpu").accept == 0.625
    (copied / "README.md").unlink()
    assert HierarchicalClassifier.load(copied, device="cpu").accept == 0.625


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_refused(name: str, copied: Path) -> None:
    (copied / name).unlink()
    assert refuse(copied) == f"no {name}"


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("name", FILES)
def test_truncated_file_is_refused(name: str, share: float, copied: Path) -> None:
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[: int(share * len(content))])
    assert refuse(copied) == f"{name} is not the file that was saved"


@pytest.mark.parametrize("name", FILES)
def test_file_of_another_model_is_refused(name: str, copied: Path, models: tuple[Path, Path]) -> None:
    shutil.copy(models[1] / name, copied / name)
    assert refuse(copied) == f"{name} is not the file that was saved"


@pytest.mark.parametrize("name", FILES)
def test_one_turned_bit_is_refused(name: str, copied: Path) -> None:
    content = bytearray((copied / name).read_bytes())
    content[-1] ^= 1
    (copied / name).write_bytes(bytes(content))
    assert refuse(copied) == f"{name} is not the file that was saved"


@pytest.mark.parametrize("name", ["adapter.py", "adapter_config.json", "2_Dense/model.safetensors"])
def test_file_that_has_come_in_below_the_encoder_is_refused(name: str, copied: Path) -> None:
    (copied / "encoder" / name).parent.mkdir(exist_ok=True)
    (copied / "encoder" / name).write_text("{}")
    assert refuse(copied) == f"encoder/{name} was not there when the model was saved"


def test_student_that_has_come_in_does_not_speak(models: tuple[Path, Path], tmp_path: Path) -> None:
    HierarchicalClassifier.load(models[0], device="cpu").with_parts(student=None).save(tmp_path / "plain")
    for name in ("student.json", "student.safetensors"):
        shutil.copy(models[0] / name, tmp_path / "plain" / name)
    assert HierarchicalClassifier.load(tmp_path / "plain", device="cpu").student is None


def test_settings_of_another_model_are_refused(copied: Path, models: tuple[Path, Path]) -> None:
    shutil.copy(models[1] / SETTINGS, copied / SETTINGS)
    assert refuse(copied).endswith("is not the file that was saved")


def test_directory_without_settings_is_no_classifier(copied: Path) -> None:
    (copied / SETTINGS).unlink()
    with pytest.raises(InputError, match="no classifier here; `kedro run --pipeline=train` makes one$"):
        HierarchicalClassifier.load(copied)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null", b"7", b'"text"', b"\xff\xfe", b"[" * 100_000])
def test_settings_that_are_none_are_refused(content: bytes, copied: Path) -> None:
    (copied / SETTINGS).write_bytes(content)
    assert refuse(copied)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated_settings_are_refused(share: float, copied: Path) -> None:
    content = (copied / SETTINGS).read_bytes()
    (copied / SETTINGS).write_bytes(content[: int(share * len(content))])
    assert refuse(copied)


@pytest.mark.parametrize(
    "key", ["format", "parts", "decoding", "description", "max_length", "max_windows", "frozen", "accept"]
)
def test_setting_that_is_missing_is_named(key: str, copied: Path) -> None:
    whole = json.loads((copied / SETTINGS).read_text("utf-8"))
    del whole[key]
    write_sealed(copied, whole)
    assert key in refuse(copied)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 2, "format 2, this version reads 4"),
        ("format", 5, "format 5, this version reads 4"),
        ("decoding", {"beam": 3}, "beam"),
        ("decoding", {"method": "best", "max_paths": 0}, "method.*max_paths"),
        ("max_windows", "many", "many"),
        ("parts", [], "list"),
        ("parts", None, "NoneType"),
        ("parts", {"head.safetensors": "0" * 64}, "head.safetensors is not the file that was saved"),
    ],
)
def test_setting_that_cannot_be_is_refused(key: str, value: object, message: str, copied: Path) -> None:
    write_sealed(copied, {**json.loads((copied / SETTINGS).read_text("utf-8")), key: value})
    assert re.search(message, refuse(copied))


def write_digests_anew(directory: Path) -> None:
    """Make the digests those of the files, as somebody might who knows how."""
    from hmltc_kedro.freshness.digests import file_digest

    whole = json.loads((directory / SETTINGS).read_text("utf-8"))
    whole["parts"] = {name: file_digest(directory / name) for name in FILES}
    write_sealed(directory, whole)


def write_sealed(directory: Path, settings: dict[str, Any]) -> None:
    """Write settings with the digest they should have."""
    rest = {name: value for name, value in settings.items() if name != "digest"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
    (directory / SETTINGS).write_text(json.dumps({**rest, "digest": digest}))


@pytest.mark.parametrize(
    "change",
    [{"max_windows": 1}, {"max_length": 8}, {"accept": None}, {"description": {"seed": 9}}, {"digest": "0" * 64}],
)
def test_settings_changed_by_hand_are_refused(change: dict[str, Any], copied: Path) -> None:
    whole = json.loads((copied / SETTINGS).read_text("utf-8"))
    changed = {**whole, **change, "extra": 1} if whole == {**whole, **change} else {**whole, **change}
    (copied / SETTINGS).write_text(json.dumps(changed))
    assert "settings.json is not as it was saved" in refuse(copied)


def test_parts_of_another_taxonomy_are_refused_whatever_their_digests(copied: Path) -> None:
    Taxonomy.from_edges([("a", "a"), ("b", "b")], []).write(copied / "taxonomy.json")
    write_digests_anew(copied)
    assert refuse(copied) == "vectors, nulls and words of [7, 7, 7] classes for 2 classes"


def test_student_of_other_paths_is_refused_whatever_its_digest(copied: Path) -> None:
    taxonomy = Taxonomy.read(copied / "taxonomy.json")
    parents = list(taxonomy.parents)
    parents[4] = (2,)  # beds below dogs alone: as many classes, a path fewer
    replace(taxonomy, parents=tuple(parents)).write(copied / "taxonomy.json")
    write_digests_anew(copied)
    assert refuse(copied) == "a student of 15 classes and paths for 7 classes"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(deadline=None, max_examples=60)
@given(draw_taxonomies(), st.lists(TEXT, min_size=9, max_size=9), st.lists(st.lists(TEXT, max_size=3), max_size=9))
def test_taxonomy_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy, names: list[str], keywords: list[list[str]]
) -> None:
    words = dict(zip(taxonomy.class_ids, keywords, strict=False))
    named = replace(taxonomy, names=tuple(names[: len(taxonomy)])).with_keywords(words)
    path = tmp_path_factory.mktemp("taxonomy") / "taxonomy.json"
    named.write(path)
    again = Taxonomy.read(path)
    for field in ("class_ids", "names", "parents", "keywords"):
        assert getattr(again, field) == getattr(named, field)


@pytest.mark.parametrize("class_id", ["007", "1e5", "null", "true", "2024-01-01", 'a"b\\c/d', "é", "\U0001f415", " x "])
def test_ids_that_look_like_something_else_come_back(class_id: str, tmp_path: Path) -> None:
    taxonomy = Taxonomy.from_edges([(class_id, class_id), ("b", "b")], [(class_id, "b")], {class_id: [class_id]})
    taxonomy.write(tmp_path / "taxonomy.json")
    again = Taxonomy.read(tmp_path / "taxonomy.json")
    assert (again.class_ids, again.names) == (taxonomy.class_ids, taxonomy.names)
    assert (again.parents, again.keywords) == (taxonomy.parents, taxonomy.keywords)


def test_arrays_of_no_row_are_written(tmp_path: Path, models: tuple[Path, Path]) -> None:
    """No text about nothing, no judged document."""
    loaded = HierarchicalClassifier.load(models[0], device="cpu")
    nothing = np.zeros((0, 7), dtype=np.float16)
    loaded.with_parts(nulls=nothing, student=Student.untaught(loaded.taxonomy)).save(tmp_path / "bare")
    bare = HierarchicalClassifier.load(tmp_path / "bare", device="cpu")
    assert bare.nulls.shape == (0, 7)
    assert sparse.issparse(Student.untaught(loaded.taxonomy).words)
