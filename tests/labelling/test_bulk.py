"""Bulk files to bulk labels: what is labelled, what is left alone, what a kill leaves, what is wrong."""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.corpus import shards
from hmltc_kedro.decoding.decode import DecodingSettings
from hmltc_kedro.errors import InputError
from hmltc_kedro.labelling import bulk, shard
from hmltc_kedro.labelling import folder as folder_module
from hmltc_kedro.labelling.folder import BulkFolder
from hmltc_kedro.modeling import HierarchicalClassifier

TEXTS = ["a puppy on a leash", "a steel spade for the garden", "a cat asleep on its pet bed", "x", "cats and cat toys"]
ALL = {"first.parquet": list("756"), "second-00001.parquet": list("de"), "second.parquet": list("abc")}

Label = Callable[..., dict[str, Any]]


def make_texts(ids: str) -> pd.DataFrame:
    return pd.DataFrame({"doc_id": list(ids), "text": [TEXTS[place % len(TEXTS)] for place in range(len(ids))]})


def read_labels(folder: BulkFolder) -> dict[str, list[str]]:
    target = Path(folder.target)
    return {str(p.relative_to(target)): list(pd.read_parquet(p)["doc_id"]) for p in sorted(target.rglob("*.parquet"))}


def read_bytes(folder: BulkFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder.target).glob("*.parquet"))}


def assert_same_labels(one: BulkFolder, other: BulkFolder) -> None:
    assert read_labels(one) == read_labels(other)
    for name in read_labels(one):
        pd.testing.assert_frame_equal(*(pd.read_parquet(Path(folder.target) / name) for folder in (one, other)))


def test_labels_are_the_predictions_of_the_texts(folder: BulkFolder, label: Label, model: Path) -> None:
    manifest = label(folder)
    assert read_labels(folder) == ALL
    parts = [pd.read_parquet(Path(folder.target) / name) for name in ("second.parquet", "second-00001.parquet")]
    found = pd.concat(parts, ignore_index=True)
    assert list(found.columns) == [
        "doc_id",
        "class_ids",
        "names",
        "paths",
        "scores",
        "probabilities",
        "fits",
        "decision",
    ]
    expected = HierarchicalClassifier.load(model, device="cpu").predict_frame(TEXTS)
    for column in ("class_ids", "names"):
        assert list(map(list, found[column])) == list(expected[column])
    assert [[list(path) for path in paths] for paths in found["paths"]] == list(expected["paths"])
    for scores, other in zip(found["scores"], expected["scores"], strict=True):
        np.testing.assert_allclose(scores, other, atol=1e-3)
    assert found[["fits", "decision"]].to_numpy().tolist() == expected[["fits", "decision"]].to_numpy().tolist()
    assert found["names"].map(list).iloc[1] == ["garden", "tools"]
    assert json.loads((Path(folder.target) / "manifest.json").read_text("utf-8")) == manifest
    assert (manifest["rows"], manifest["left_out"], manifest["failures"]) == (8, 0, {})
    assert list(manifest["shards"]) == sorted(ALL)
    second = manifest["shards"]["second-00001.parquet"]
    assert (second["source"], second["rows"], second["last"]) == (f"{folder.source}/second.parquet", 2, True)
    assert second["model"] == manifest["model"] and second["columns"] == "doc_id: text"
    assert not manifest["shards"]["second.parquet"]["last"]


def test_blocks_do_not_matter(folder: BulkFolder, label: Label, monkeypatch: pytest.MonkeyPatch) -> None:
    label(folder)
    other = replace(folder, target=f"{folder.target}-2")
    monkeypatch.setattr(shard, "BLOCK", 2)
    label(other)
    columns = ["doc_id", "class_ids", "names", "paths", "fits", "decision"]
    for name in ALL:
        one, two = (pd.read_parquet(Path(place.target) / name)[columns] for place in (folder, other))
        pd.testing.assert_frame_equal(one, two)


def test_file_of_no_document_has_labels_of_none(folder: BulkFolder, label: Label) -> None:
    Path(folder.source, "empty.csv").write_text("doc_id,text\n", "utf-8")
    label(folder)
    assert read_labels(folder) == {**ALL, "empty.parquet": []}
    empty, full = (pd.read_parquet(Path(folder.target) / name) for name in ("empty.parquet", "first.parquet"))
    assert list(empty.columns) == list(full.columns)


# ---------------------------------------------------------------------- what is done is done once


def test_finished_shards_are_skipped_without_reading_their_documents(
    folder: BulkFolder, label: Label, labelled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = label(folder)
    before = read_bytes(folder)
    labelled.clear()
    monkeypatch.setattr(shard, "read_shards", lambda *_: pytest.fail("documents of a finished shard are read"))
    assert label(folder) == manifest
    assert read_bytes(folder) == before and labelled == []


def test_same_content_of_another_version_is_read_and_not_labelled(
    folder: BulkFolder, label: Label, labelled: list[int]
) -> None:
    label(folder)
    before = read_bytes(folder)
    labelled.clear()
    for name in ("first.csv", "second.parquet"):
        os.utime(Path(folder.source, name), (1, 1))
    label(folder)
    assert read_bytes(folder) == before and labelled == []


def test_changed_shard_is_labelled_again_and_no_other(folder: BulkFolder, label: Label, labelled: list[int]) -> None:
    label(folder)
    labelled.clear()
    make_texts("abcdf").to_parquet(Path(folder.source, "second.parquet"))
    label(folder)
    assert labelled == [2], "its first shard is as it was"
    assert read_labels(folder)["second-00001.parquet"] == ["d", "f"]


def test_file_that_grows_by_a_shard_keeps_those_before(folder: BulkFolder, label: Label, labelled: list[int]) -> None:
    make_texts("123456").to_csv(Path(folder.source, "first.csv"), index=False)
    label(folder)
    labelled.clear()
    make_texts("1234567").to_csv(Path(folder.source, "first.csv"), index=False)
    label(folder)
    assert labelled == [3, 1], "the second shard was the last one, and is not"
    assert read_labels(folder)["first-00002.parquet"] == ["7"]


@pytest.mark.parametrize("name", ["first.parquet", "second.parquet", "second-00001.parquet"])
@pytest.mark.parametrize("how", ["deleted", "damaged"])
def test_labels_that_are_gone_are_made_again(
    folder: BulkFolder, label: Label, labelled: list[int], name: str, how: str
) -> None:
    label(folder)
    labelled.clear()
    path = Path(folder.target, name)
    path.unlink() if how == "deleted" else path.write_bytes(b"PAR1")
    label(folder)
    assert labelled == [len(ALL[name])]
    assert read_labels(folder) == ALL


def test_another_model_labels_everything_again(
    folder: BulkFolder, label: Label, model: Path, tmp_path: Path, labelled: list[int]
) -> None:
    label(folder)
    loaded = HierarchicalClassifier.load(model, device="cpu")
    loaded.with_parts(decoding=DecodingSettings(max_paths=1, child_threshold=1.0)).save(tmp_path / "narrow")
    labelled.clear()
    label(folder, tmp_path / "narrow")
    assert labelled == [3, 3, 2], "other settings of decoding make another model"
    assert list(map(list, pd.read_parquet(Path(folder.target, "first.parquet"))["names"]))[1] == ["garden"]
    label(folder, tmp_path / "narrow")
    loaded.save(tmp_path / "copy")
    label(folder)
    labelled.clear()
    label(folder, tmp_path / "copy")
    assert labelled == [], "a copy is the same model"


def test_other_columns_are_other_documents(folder: BulkFolder, label: Label, labelled: list[int]) -> None:
    for name in ("first.csv", "second.parquet"):
        Path(folder.source, name).unlink()
    table = make_texts("abc").assign(title=["rake", "leash", "spade"])
    table.to_parquet(Path(folder.source, "a.parquet"))
    label(folder)
    labelled.clear()
    titled = replace(folder, columns={"key": ["doc_id"], "values": ["title", "text"]})
    manifest = label(titled)
    assert labelled == [3], "the file is as it was, what is read of it is not"
    assert manifest["shards"]["a.parquet"]["columns"] == "doc_id: title, text"
    label(titled)
    assert labelled == [3]


def test_shards_of_another_size_are_not_taken_for_those_of_this(
    folder: BulkFolder, label: Label, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(folder)
    monkeypatch.setattr(shards, "SHARD", 4)
    label(folder)
    assert read_labels(folder) == {
        "first.parquet": list("756"),
        "second-00001.parquet": ["e"],
        "second.parquet": list("abcd"),
    }


def test_file_that_nobody_could_look_into_at_first_is_not_doubled(
    folder: BulkFolder, label: Label, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = shards._cut_parquet
    calls: list[str] = []

    def fail_once(file: Any, options: Any) -> Any:
        calls.append(file.name)
        if len(calls) == 1:
            raise InputError("the network is down")
        return cut(file, options)

    monkeypatch.setattr(shards, "_cut_parquet", fail_once)
    for _ in range(2):
        label(folder)
        assert read_labels(folder) == ALL


# ---------------------------------------------------------------------- killed at any moment


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("moment", [1, 2, 3, 4])
def test_killed_at_any_write_the_next_run_makes_the_same(
    folder: BulkFolder, label: Label, monkeypatch: pytest.MonkeyPatch, labelled: list[int], moment: int, when: str
) -> None:
    reference = replace(folder, target=f"{folder.target}-reference")
    label(reference)
    labelled.clear()
    write, calls = folder_module.write_bytes, 0

    def write_or_die(address: str, data: bytes, options: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == moment and when == "before":
            raise Killed
        write(address, data, options)
        if calls == moment:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "write_bytes", write_or_die)
        with pytest.raises(Killed):
            label(folder)
    label(folder)
    assert_same_labels(folder, reference)
    lost = moment if when == "before" and moment < 4 else 0
    assert sum(labelled) == 8 + ([0, 3, 3, 2][lost]), "what a kill loses is the shard in hand"


def test_killed_while_a_file_shrinks(folder: BulkFolder, label: Label, monkeypatch: pytest.MonkeyPatch) -> None:
    label(folder)
    make_texts("ab").to_parquet(Path(folder.source, "second.parquet"))
    with monkeypatch.context() as patch:
        patch.setattr(BulkFolder, "remove", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            label(folder)
    label(folder)
    assert read_labels(folder) == {"first.parquet": list("756"), "second.parquet": list("ab")}


def test_file_that_shrinks_loses_its_surplus_and_nobody_elses(folder: BulkFolder, label: Label) -> None:
    label(folder)
    target = Path(folder.target)
    neighbour = pd.read_parquet(target / "first.parquet")
    neighbour.to_parquet(target / "second-00007.parquet")  # of a person, who calls it so
    other = Path(folder.source).parent / "other"
    other.mkdir()
    make_texts("wxyz").to_csv(other / "third.csv", index=False)
    label(replace(folder, source=str(other)))
    make_texts("ab").to_parquet(Path(folder.source, "second.parquet"))
    label(folder)
    assert sorted(read_labels(folder)) == [
        "first.parquet",
        "second-00007.parquet",
        "second.parquet",
        "third-00001.parquet",
        "third.parquet",
    ]


# ---------------------------------------------------------------------- files that are wrong

BAD = "doc_id,text\n1,a rake\n2, \n1,a spade\n,nameless\n3,a leash\n"
ASIDE = "1 file is set aside, the others are labelled; mend and run again"


def test_broken_file_is_tried_three_times_and_set_aside(
    folder: BulkFolder, label: Label, monkeypatch: pytest.MonkeyPatch, labelled: list[int]
) -> None:
    bad = Path(folder.source, "more.parquet")  # after the first and before the second
    bad.write_bytes(b"PAR1")
    read, tries = shard.read_shards, []

    def count(piece: Any, *rest: Any) -> Any:
        tries.append(piece.file.name)
        return read(piece, *rest)

    monkeypatch.setattr(shard, "read_shards", count)
    with pytest.raises(InputError) as error:
        label(folder)
    first, last = str(error.value).splitlines()
    assert first.startswith(f"{bad}: not a readable Parquet file (") and last == ASIDE
    assert tries == ["first", "more", "more", "more", "second", "second"]
    assert read_labels(folder) == ALL
    manifest = folder.read_manifest()
    assert manifest["failures"] == {str(bad): first} and manifest["rows"] == 8
    make_texts("uv").to_parquet(bad)
    labelled.clear()
    assert label(folder)["failures"] == {}
    assert labelled == [2], "mended, it is labelled alone"


def test_failure_of_a_moment_is_none(folder: BulkFolder, label: Label, monkeypatch: pytest.MonkeyPatch) -> None:
    write, calls = shard.write_labels, 0

    def fail_twice(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls in (2, 3):
            raise ConnectionError("reset by peer")
        write(*arguments)

    monkeypatch.setattr(shard, "write_labels", fail_twice)
    assert label(folder)["failures"] == {}
    assert read_labels(folder) == ALL


def test_whatever_a_library_raises_sets_one_file_aside_and_hides_secrets(
    folder: BulkFolder, label: Label, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = shard.write_labels

    def refuse(address: str, *rest: Any) -> None:
        if "first" in address:
            raise RuntimeError("no room for s3cret")
        write(address, *rest)

    monkeypatch.setattr(shard, "write_labels", refuse)
    with pytest.raises(InputError) as error:
        label(replace(folder, options={"secret": "s3cret"}))
    assert str(error.value) == f"{folder.source}/first.csv: RuntimeError: no room for ***\n{ASIDE}"


def test_many_failures_leave_room_for_what_to_do(folder: BulkFolder, label: Label) -> None:
    for number in range(12):
        Path(folder.source, f"bad{number:02d}.csv").write_text("id,text\n", "utf-8")
    with pytest.raises(InputError) as error:
        label(folder)
    lines = str(error.value).splitlines()
    assert len(lines) == 12
    assert lines[-2:] == [
        "... and 2 more of this kind",
        "12 files are set aside, the others are labelled; mend and run again",
    ]


def test_bad_documents_are_named_with_file_and_line(folder: BulkFolder, label: Label) -> None:
    bad = Path(folder.source, "more.csv")
    bad.write_text("doc_id,text\nu,a rake\nv,a rake\nw,a rake\n1,a rake\n2, \n1,a spade\n", "utf-8")
    with pytest.raises(InputError) as error:
        label(folder)
    assert str(error.value).splitlines() == [
        f"{bad}:6: the text is empty; write one or remove the line (or set ingest.on_invalid: skip)",
        f"{bad}:7: document id '1' is already on line 5; ids are unique within a split",
        ASIDE,
    ]
    assert read_labels(folder) == {**ALL, "more.parquet": list("uvw")}, "its first shard is labelled"


def test_bad_documents_are_left_out_only_where_that_is_wanted(
    folder: BulkFolder, label: Label, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "hmltc_kedro")
    Path(folder.source, "more.csv").write_text(BAD, "utf-8")
    manifest = label(folder, skip_invalid=True)
    assert read_labels(folder)["more.parquet"] == ["1"] and read_labels(folder)["more-00001.parquet"] == ["3"]
    assert manifest["left_out"] == 2 + 1 == 3
    assert [record.getMessage() for record in caplog.records] == ["3 documents are left out"]
    with pytest.raises(InputError, match=r"more\.csv:3: the text is empty"):
        label(folder)  # a run that is to stop at such documents does not pass over them


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id,text\n1,a\n", ":1: no column doc_id; a corpus has the columns doc_id and text"),
        (b'doc_id,text\n1,"a\n', ":2: not CSV (unexpected end of data); check the quotes"),
        (b"doc_id,text\n1,caf\xe9\n", ":2: bytes that are not UTF-8; save the file as UTF-8"),
    ],
)
def test_file_that_is_no_corpus_is_set_aside(folder: BulkFolder, label: Label, content: bytes, words: str) -> None:
    Path(folder.source, "first.csv").write_bytes(content)
    with pytest.raises(InputError) as error:
        label(folder)
    assert str(error.value).startswith(f"{folder.source}/first.csv{words}")
    assert sorted(read_labels(folder)) == ["second-00001.parquet", "second.parquet"]


def test_names_that_clash_are_refused_before_anything_is_labelled(folder: BulkFolder, label: Label) -> None:
    make_texts("z").to_csv(Path(folder.source, "second-00001.csv"), index=False)
    with pytest.raises(InputError) as error:
        label(folder)
    message = "its labels would be called like a part of those of another file; rename it"
    assert str(error.value) == f"second-00001: {message}"
    assert not Path(folder.target).exists()


def test_manifest_is_saved_while_a_run_goes_on(
    folder: BulkFolder, label: Label, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "SAVED_EVERY", -1)
    saved: list[int] = []
    monkeypatch.setattr(BulkFolder, "write_manifest", lambda _, manifest: saved.append(manifest["rows"]))
    label(folder)
    assert saved == [3, 6, 8, 8]


def test_model_that_changes_is_no_model(folder: BulkFolder, label: Label, model: Path, tmp_path: Path) -> None:
    HierarchicalClassifier.load(model, device="cpu").save(tmp_path / "model")
    digest = bulk.content_digest
    bulk_digest = f"{digest(tmp_path / 'model')}-before"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "content_digest", lambda _: bulk_digest)
        with pytest.raises(InputError, match="the model was trained again while it was labelling; run again"):
            label(folder, tmp_path / "model")
    assert read_labels(folder) == {}
