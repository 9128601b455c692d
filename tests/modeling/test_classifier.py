"""The model directory: what is saved is what is loaded, and no file in it can run code."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from hmltc_kedro.decoding.decode import DecodingSettings, decode
from hmltc_kedro.enrichment.class_texts import write_lexical_texts
from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling import HierarchicalClassifier, Prediction
from hmltc_kedro.modeling import classifier as module
from hmltc_kedro.modeling.abstention import find_fitting
from hmltc_kedro.modeling.files import write_settings
from hmltc_kedro.text import backends
from hmltc_kedro.text.lexical_view import LexicalView
from hmltc_kedro.text.windows import encode_texts
from kedro_project import read_content

TEXTS = ["a puppy on a leash", "a steel spade for the garden", "a cat asleep on its pet bed", "x", "cats and cat toys"]
LONG = "the weather was fine that day, we stayed at home. " * 10 + "A rake and a spade, good tools for the garden. " * 4
"""Longer than 64 word pieces, and what it is about comes after them."""


@pytest.fixture(scope="session")
def saved(classifier: HierarchicalClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the saved classifier; copy it before changing anything."""
    directory = tmp_path_factory.mktemp("models") / "classifier"
    classifier.save(directory)
    return directory


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "classifier"))


def seal(directory: Path) -> None:
    """Give a directory the digests of its files as they are: what is wrong with a file has to show by itself."""
    settings = json.loads((directory / "settings.json").read_text("utf-8"))
    write_settings(directory, {name: value for name, value in settings.items() if name != "parts"})


@pytest.fixture(scope="session")
def reader(classifier: HierarchicalClassifier) -> HierarchicalClassifier:
    """Return a classifier with a lexical view that reads long texts in windows."""
    taxonomy = classifier.taxonomy
    head = replace(classifier.head, log_lexical=float(np.log(2)))
    view = LexicalView.fit([*TEXTS, LONG], write_lexical_texts(taxonomy))
    return HierarchicalClassifier(
        classifier.encoder, head, taxonomy, decoding=classifier.decoding, lexical=view, max_windows=3
    )


@pytest.fixture(scope="session")
def saved_reader(reader: HierarchicalClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "reader"
    reader.save(directory)
    return directory


@pytest.fixture
def copied_reader(saved_reader: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved_reader, tmp_path / "reader"))


# ---------------------------------------------------------------------- prediction


def test_probabilities_are_those_of_head_and_encoder(classifier: HierarchicalClassifier) -> None:
    probabilities = classifier.predict_probabilities(TEXTS, batch_size=2)
    assert (probabilities.shape, probabilities.dtype) == ((5, 7), np.float32)
    for text, row in zip(TEXTS, probabilities, strict=True):
        logits = classifier.head.score(classifier.encoder.encode([text]))
        np.testing.assert_allclose(row, 1 / (1 + np.exp(-logits[0])), atol=2e-3)


def test_chunks_and_order_of_the_texts_do_not_matter(
    classifier: HierarchicalClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = classifier.predict_probabilities(TEXTS)
    monkeypatch.setattr(module, "CHUNK", 2)
    np.testing.assert_allclose(classifier.predict_probabilities(TEXTS[::-1])[::-1], whole, atol=2e-3)


def test_no_texts_give_no_predictions(classifier: HierarchicalClassifier) -> None:
    assert classifier.predict_probabilities([]).shape == (0, 7)
    assert classifier.predict([]) == []


def test_table_of_probabilities_has_the_classes_by_name(classifier: HierarchicalClassifier) -> None:
    series = pd.Series(TEXTS, index=list("vwxyz"))
    table = classifier.predict_proba(series)
    assert list(table.columns) == list(classifier.taxonomy.names) and list(table.index) == list("vwxyz")
    np.testing.assert_array_equal(table.to_numpy(), classifier.predict_probabilities(TEXTS))
    assert classifier.predict_proba(TEXTS[0]).shape == (1, 7)


def test_predictions_are_a_table_of_one_row_a_text(classifier: HierarchicalClassifier) -> None:
    predictions = classifier.predict(pd.Series(TEXTS, index=list("vwxyz")))
    table = predictions.to_frame()
    assert list(table.columns) == ["names", "probabilities", "paths", "scores", "fits", "decision"]
    assert list(table.index) == list("vwxyz") and len(predictions) == 5
    for prediction, row in zip(predictions, table.itertuples(index=False), strict=True):
        assert row.names.split("; ") == prediction.names
        assert [float(p) for p in row.probabilities.split("; ")] == pytest.approx(prediction.probabilities, abs=5e-4)
        assert len(row.scores.split("; ")) == len(row.paths.split("; ")) == len(prediction.paths)
    assert table["paths"]["v"] == "animals > dogs"
    assert len(classifier.predict([]).to_frame()) == 0


def test_few_texts_are_encoded_on_one_thread(
    classifier: HierarchicalClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    seen: list[int] = []

    def encode(*arguments: Any) -> np.ndarray:
        seen.append(torch.get_num_threads())
        return encode_texts(*arguments)

    monkeypatch.setattr(module, "encode_texts", encode)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        classifier.predict(TEXTS[0])
        classifier.predict(TEXTS * 2)
        assert (seen, torch.get_num_threads()) == ([1, 2], 2)
    finally:
        torch.set_num_threads(before)


def test_texts_are_taken_by_position_and_one_text_is_one(classifier: HierarchicalClassifier) -> None:
    expected = classifier.predict(TEXTS)
    shuffled = pd.Series(TEXTS)[[3, 1, 4, 0, 2]]
    assert classifier.predict(shuffled) == [expected[i] for i in shuffled.index]
    assert classifier.predict(np.array(TEXTS)) == expected
    assert classifier.predict(TEXTS[0]) == expected[:1]


def test_frame_of_a_series_has_its_labels(classifier: HierarchicalClassifier) -> None:
    expected = classifier.predict_frame(TEXTS)
    documents = pd.DataFrame({"text": TEXTS}).iloc[[3, 1, 4, 0, 2]]
    documents["class_ids"] = classifier.predict_frame(documents["text"])["class_ids"]
    assert documents.sort_index()["class_ids"].tolist() == expected["class_ids"].tolist()


def test_value_that_is_no_text_is_one_line_and_half_a_character_loses_no_batch(
    classifier: HierarchicalClassifier,
) -> None:
    with pytest.raises(InputError, match="^text 1: None is no text; give it one or leave it out$"):
        classifier.predict(["a puppy", None])  # type: ignore[list-item]
    assert classifier.predict(["a puppy \ud83d", "x"]) == classifier.predict(["a puppy \ufffd", "x"])


def test_vector_that_is_not_finite_is_no_label_set(
    classifier: HierarchicalClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier.encoder, "encode", lambda texts, **_: np.full((len(texts), 384), np.inf))
    with pytest.raises(InputError, match="^encoder of the classifier: the vector of 'a puppy' is not finite; "):
        classifier.predict(["a puppy"])


def test_label_sets_are_unions_of_paths_with_names_and_scores(classifier: HierarchicalClassifier) -> None:
    taxonomy = classifier.taxonomy
    predictions = classifier.predict(TEXTS)
    assert len(predictions) == len(TEXTS)
    for prediction in predictions:
        assert prediction.names == [taxonomy.names[taxonomy.index[i]] for i in prediction.class_ids]
        assert len(prediction.paths) == len(prediction.scores) >= 1
        assert set(prediction.class_ids) == {i for path in prediction.paths for i in path}
        for path in prediction.paths:
            assert tuple(taxonomy.index[i] for i in path) in taxonomy.iterate_paths([taxonomy.index[path[-1]]])
        assert all(0 < score <= 1 for score in prediction.scores)
        assert prediction.scores == sorted(prediction.scores, reverse=True)
    probabilities = classifier.predict_probabilities(TEXTS)
    for row, prediction in zip(probabilities, predictions, strict=True):
        np.testing.assert_allclose(
            prediction.probabilities, row[[taxonomy.index[i] for i in prediction.class_ids]], atol=1e-6
        )
    assert taxonomy.is_path_consistent(taxonomy.to_matrix([p.class_ids for p in predictions])).all()


def test_parents_stand_before_their_children(classifier: HierarchicalClassifier) -> None:
    taxonomy = classifier.taxonomy
    for prediction in classifier.predict(TEXTS):
        for position, class_id in enumerate(prediction.class_ids):
            parents = {taxonomy.class_ids[p] for p in taxonomy.parents[taxonomy.index[class_id]]}
            assert not parents & set(prediction.class_ids[position:])


def test_zero_shot_predictions_make_sense(classifier: HierarchicalClassifier) -> None:
    dogs, tools, *_ = classifier.predict(TEXTS)
    assert dogs.names[:2] == ["animals", "dogs"]
    assert tools.names == ["garden", "tools"]


class KnownVectors:
    """A `TextEncoder` that knows its vectors, turned by a place if it is to lie."""

    def __init__(self, model: Any, fingerprint: str, turn: int = 0) -> None:
        self.model, self.fingerprint, self.turn = model, fingerprint, turn

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.roll(encode_texts(self.model, texts, 32, max_windows=3), self.turn, axis=0)


def test_vectors_given_are_as_good_as_vectors_computed(reader: HierarchicalClassifier, monkeypatch) -> None:
    texts = [LONG, *TEXTS]
    monkeypatch.setattr(reader, "frozen", "the encoder")
    same, turned, other = (
        KnownVectors(reader.encoder, name, turn)
        for name, turn in (("the encoder", 0), ("the encoder", 1), ("another", 1))
    )
    computed, given, wrong, unread = (reader.predict_probabilities(texts, cache=c) for c in (None, same, turned, other))
    np.testing.assert_allclose(given, computed, atol=2e-3)
    assert np.abs(wrong - computed).max() > 0.1, "else the vectors would not be read"
    np.testing.assert_array_equal(unread, computed)


# ---------------------------------------------------------------------- documents that fit no class


@pytest.fixture
def calibrated(classifier: HierarchicalClassifier) -> HierarchicalClassifier:
    """Return a classifier of its own that takes five texts for texts about nothing."""
    return HierarchicalClassifier(
        classifier.encoder,
        classifier.head,
        classifier.taxonomy,
        decoding=classifier.decoding,
        frozen="the encoder",
        nulls=classifier.predict_probabilities(TEXTS),
    )


def test_texts_fit_that_score_the_median_of_the_null_documents(
    classifier: HierarchicalClassifier, calibrated: HierarchicalClassifier
) -> None:
    scores = [prediction.scores[0] for prediction in classifier.predict(TEXTS)]
    least = sorted(scores)[2]
    assert [p.fits for p in calibrated.predict(TEXTS)] == [score >= least for score in scores]
    assert sum(prediction.fits for prediction in calibrated.predict(TEXTS)) == 3
    assert all(prediction.fits is True for prediction in classifier.predict(TEXTS))


def test_null_documents_are_decoded_as_the_documents_are(calibrated: HierarchicalClassifier) -> None:
    probabilities = calibrated.predict_probabilities(TEXTS)
    for power in (0.0, 1.0, 3.0):  # products, geometric means, the paper's code: scores of three kinds
        settings = calibrated.decoding.model_copy(update={"length_power": power})
        decoded = decode(probabilities, calibrated.taxonomy, settings)
        assert find_fitting(decoded, calibrated.nulls, calibrated.taxonomy, settings).sum() == 3
        assert sum(prediction.fits for prediction in calibrated.with_parts(decoding=settings).predict(TEXTS)) == 3


def test_null_documents_and_the_frozen_encoder_come_back(calibrated: HierarchicalClassifier, tmp_path: Path) -> None:
    calibrated.save(tmp_path / "classifier")
    loaded = HierarchicalClassifier.load(tmp_path / "classifier", device="cpu")
    assert loaded.nulls.dtype == np.float32
    np.testing.assert_array_equal(loaded.nulls, calibrated.nulls)
    assert loaded.frozen == "the encoder"
    assert loaded.predict(TEXTS) == calibrated.predict(TEXTS)


def test_classifier_without_null_documents_is_an_input_error(copied: Path) -> None:
    (copied / "nulls.safetensors").unlink()
    with pytest.raises(InputError, match=r"nulls\.safetensors.*; train it again"):
        HierarchicalClassifier.load(copied, device="cpu")


def test_null_documents_of_other_classes_are_an_input_error(copied: Path) -> None:
    save_file({"probabilities": np.zeros((2, 3), dtype=np.float16)}, copied / "nulls.safetensors")
    seal(copied)
    with pytest.raises(InputError, match=r"vectors, nulls and words of \[7, 3\] classes for 7 classes"):
        HierarchicalClassifier.load(copied, device="cpu")


# ---------------------------------------------------------------------- the directory


def test_round_trip_gives_identical_probabilities_and_label_sets(
    classifier: HierarchicalClassifier, saved: Path
) -> None:
    loaded = HierarchicalClassifier.load(saved, device="cpu")
    np.testing.assert_array_equal(loaded.predict_probabilities(TEXTS), classifier.predict_probabilities(TEXTS))
    assert loaded.predict(TEXTS) == classifier.predict(TEXTS)
    assert loaded.encoder.max_seq_length == classifier.encoder.max_seq_length == 64
    assert loaded.decoding == classifier.decoding
    assert loaded.description == {"encoder": "embedded", "seed": 7}
    for name in ("class_ids", "names", "parents", "keywords"):
        assert getattr(loaded.taxonomy, name) == getattr(classifier.taxonomy, name)


def test_encoder_is_opened_when_it_is_needed_and_once(
    classifier: HierarchicalClassifier, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def open_encoder(directory: Path, *settings: Any) -> Any:
        opened.append(directory)
        return module_open(directory, *settings)

    module_open = module.open_encoder
    monkeypatch.setattr(module, "open_encoder", open_encoder)
    loaded = HierarchicalClassifier.load(saved, device="cpu")
    assert loaded.directory == saved and classifier.directory is None
    assert (loaded.max_length, repr(loaded)) == (64, repr(classifier))
    narrow = loaded.with_parts(decoding=DecodingSettings(max_paths=1))
    vectors = KnownVectors(classifier.encoder, "the encoder")
    loaded.frozen = "the encoder"
    np.testing.assert_allclose(
        loaded.predict_probabilities(TEXTS, cache=vectors), classifier.predict_probabilities(TEXTS), atol=2e-3
    )
    assert not opened, "vectors that are known need no encoder"
    for _ in range(2):
        narrow.predict(TEXTS)
    assert opened == [saved / "encoder"]


def test_saving_a_loaded_classifier_copies_the_files_of_its_encoder(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*settings: Any) -> Any:
        raise AssertionError("the encoder is opened")

    monkeypatch.setattr(module, "open_encoder", fail)
    decoding = DecodingSettings(child_threshold=0.75, max_paths=1)
    HierarchicalClassifier.load(saved, device="cpu").with_parts(decoding=decoding).save(tmp_path / "again")
    files = {path.relative_to(saved) for path in saved.rglob("*") if path.is_file()}
    again = {path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*") if path.is_file()}
    assert again == files
    for file in files - {Path("settings.json")}:
        assert read_content(tmp_path / "again" / file) == read_content(saved / file), file
    before, after = (
        json.loads((folder / "settings.json").read_text("utf-8")) for folder in (saved, tmp_path / "again")
    )
    assert before.pop("digest") != after.pop("digest")
    assert after == {**before, "decoding": decoding.model_dump()}


def test_loaded_classifier_can_be_saved_where_it_lies(copied: Path, classifier: HierarchicalClassifier) -> None:
    loaded = HierarchicalClassifier.load(copied, device="cpu")
    loaded.with_parts(decoding=DecodingSettings(max_paths=1, child_threshold=0.5)).save(copied)
    again = HierarchicalClassifier.load(copied, device="cpu")
    assert again.decoding == DecodingSettings(max_paths=1, child_threshold=0.5)
    np.testing.assert_array_equal(again.predict_probabilities(TEXTS), classifier.predict_probabilities(TEXTS))
    assert list(copied.parent.iterdir()) == [copied]


def test_other_decoding_is_another_classifier_of_the_same_parts(classifier: HierarchicalClassifier) -> None:
    before = classifier.decoding
    other = classifier.with_parts(decoding=DecodingSettings(max_paths=1))
    assert classifier.decoding is before and other.decoding == DecodingSettings(max_paths=1)
    assert (other.head, other.encoder, other.taxonomy) == (classifier.head, classifier.encoder, classifier.taxonomy)
    assert all(len(prediction.paths) == 1 for prediction in other.predict(TEXTS))
    assert max(len(prediction.paths) for prediction in classifier.predict(TEXTS)) == 2


def test_frame_has_the_predictions_row_by_row(calibrated: HierarchicalClassifier) -> None:
    frame = calibrated.predict_frame(TEXTS)
    assert list(frame.columns) == ["class_ids", "names", "paths", "scores", "probabilities", "fits", "decision"]
    rows = [Prediction(*row) for row in frame.itertuples(index=False, name=None)]
    assert rows == calibrated.predict(TEXTS)
    assert calibrated.predict_frame([]).empty


def test_what_may_fit_no_class_is_never_accepted(calibrated: HierarchicalClassifier) -> None:
    frame = calibrated.with_parts(accept=0.0).predict_frame(TEXTS)
    assert frame["decision"].tolist() == ["accept" if fits else "review" for fits in frame["fits"]]
    assert set(frame["decision"]) == {"accept", "review"}
    assert set(calibrated.with_parts(accept=1.01).predict_frame(TEXTS)["decision"]) == {"review"}


def test_directory_holds_no_file_that_could_run_code(saved: Path) -> None:
    files = {file.relative_to(saved).as_posix() for file in saved.rglob("*") if file.is_file()}
    assert {Path(file).suffix for file in files} <= {".safetensors", ".json", ".txt", ".md"}
    expected = {"README.md", "head.safetensors", "taxonomy.json", "settings.json", "encoder/model.safetensors"}
    assert expected <= files


def test_card_says_what_the_model_is_and_how_it_was_made(saved: Path) -> None:
    card = (saved / "README.md").read_text("utf-8")
    assert "7 classes" in card and "roots: animals, garden" in card
    assert "- seed: 7" in card


# ---------------------------------------------------------------------- backends


def test_backend_is_saved_and_chosen_again_where_the_model_is_opened(
    reader: HierarchicalClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lossless one is chosen anew, since another machine may lack it; one that rounds is part of the model."""
    asked: list[str] = []
    monkeypatch.setattr(module, "choose_backend", lambda name, directory, device: asked.append(name) or "torch")
    for backend in ("torch", "openvino", "openvino-int8"):
        reader.with_parts(backend=backend).save(tmp_path / backend)
        loaded = HierarchicalClassifier.load(tmp_path / backend, device="cpu")
        assert loaded.backend == backend
        _ = loaded.encoder
    assert asked == ["torch", "auto", "openvino-int8"]


def test_model_that_needs_a_missing_extra_is_one_line(
    reader: HierarchicalClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.with_parts(backend="openvino-int8").save(tmp_path / "model")
    monkeypatch.setattr(backends, "find_version", lambda package: None)
    with pytest.raises(InputError) as error:
        HierarchicalClassifier.load(tmp_path / "model", device="cpu").predict(["a cat"])
    assert "pip install 'hmltc_kedro[openvino]'" in str(error.value) and "\n" not in str(error.value)


# ---------------------------------------------------------------------- words and windows


def test_probabilities_are_those_of_windows_and_words(reader: HierarchicalClassifier) -> None:
    texts = [LONG, *TEXTS]
    vectors = encode_texts(reader.encoder, texts, 32, max_windows=3)
    scores = reader.lexical.score(reader.lexical.represent(texts))
    expected = 1 / (1 + np.exp(-reader.head.score(vectors, scores)))
    np.testing.assert_allclose(reader.predict_probabilities(texts), expected, atol=2e-3)


def test_what_a_text_says_late_counts_only_with_windows(
    classifier: HierarchicalClassifier, reader: HierarchicalClassifier
) -> None:
    tools = reader.taxonomy.index["to"]
    bare = HierarchicalClassifier(
        classifier.encoder, classifier.head, classifier.taxonomy, decoding=classifier.decoding, max_windows=3
    )
    cut, whole = (model.predict_probabilities([LONG])[0, tools] for model in (classifier, bare))
    assert whole > 2 * cut


def test_words_and_windows_come_back(reader: HierarchicalClassifier, saved_reader: Path) -> None:
    loaded = HierarchicalClassifier.load(saved_reader, device="cpu")
    texts = [LONG, *TEXTS]
    assert loaded.max_windows == 3
    assert loaded.lexical is not None and loaded.lexical.words == reader.lexical.words
    np.testing.assert_array_equal(loaded.predict_probabilities(texts), reader.predict_probabilities(texts))
    assert loaded.predict(texts) == reader.predict(texts)


def test_words_are_files_like_the_others(saved_reader: Path, saved: Path) -> None:
    new = {file.name for file in saved_reader.iterdir()} - {file.name for file in saved.iterdir()}
    assert new == {"words.json", "lexical.safetensors"}


@pytest.mark.parametrize("file", ["words.json", "lexical.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b"\xff\x00 half"])
def test_damaged_words_are_an_input_error(copied_reader: Path, file: str, content: bytes | None) -> None:
    (copied_reader / file).unlink()
    if content is not None:
        (copied_reader / file).write_bytes(content)
    seal(copied_reader)
    with pytest.raises(InputError, match="not a readable classifier"):
        HierarchicalClassifier.load(copied_reader, device="cpu")


def test_words_of_another_taxonomy_are_an_input_error(copied_reader: Path) -> None:
    LexicalView.fit(TEXTS, ["dogs", "cats"]).save(copied_reader)
    seal(copied_reader)
    with pytest.raises(InputError, match=r"vectors, nulls and words of \[7, 7, 2\] classes for 7 classes"):
        HierarchicalClassifier.load(copied_reader, device="cpu")


# ---------------------------------------------------------------------- atomic


def test_saving_again_replaces_the_directory_as_a_whole(classifier: HierarchicalClassifier, copied: Path) -> None:
    (copied / "left_over.txt").write_text("of an older version")
    classifier.save(copied)
    assert not (copied / "left_over.txt").exists()
    assert HierarchicalClassifier.load(copied, device="cpu").predict(TEXTS[:1]) == classifier.predict(TEXTS[:1])
    assert list(copied.parent.iterdir()) == [copied]


def test_failed_save_leaves_the_old_model_and_nothing_else(
    classifier: HierarchicalClassifier, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise OSError("disk full")

    before = {file: file.read_bytes() for file in copied.rglob("*") if file.is_file()}
    monkeypatch.setattr(module, "write_card", fail)
    with pytest.raises(OSError, match="disk full"):
        classifier.save(copied)
    assert {file: file.read_bytes() for file in copied.rglob("*") if file.is_file()} == before
    assert list(copied.parent.iterdir()) == [copied]


# ---------------------------------------------------------------------- broken directories


def test_directory_without_a_classifier_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no classifier here; `kedro run --pipeline=train` makes one"):
        HierarchicalClassifier.load(tmp_path)


@pytest.mark.parametrize("file", ["taxonomy.json", "head.safetensors", "encoder/modules.json", "encoder"])
def test_missing_part_is_an_input_error(copied: Path, file: str) -> None:
    part = copied / file
    shutil.rmtree(part) if part.is_dir() else part.unlink()
    with pytest.raises(InputError, match="not a readable classifier .* train it again"):
        HierarchicalClassifier.load(copied, device="cpu")


DAMAGED = [b"", b"[]", b"{}", b"\xff\x00 half"]


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_settings_are_an_input_error(copied: Path, content: bytes) -> None:
    (copied / "settings.json").write_bytes(content)
    with pytest.raises(InputError, match="not a readable classifier"):
        HierarchicalClassifier.load(copied, device="cpu")


PARTS = ["taxonomy.json", "head.safetensors", "nulls.safetensors", "encoder/modules.json", "encoder/model.safetensors"]


@pytest.mark.parametrize("file", PARTS)
def test_file_that_is_not_the_one_that_was_saved_is_an_input_error(copied: Path, file: str) -> None:
    content = (copied / file).read_bytes()
    (copied / file).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    expected = f"{copied}: not a readable classifier ({file} is not the file that was saved); train it again"
    with pytest.raises(InputError, match=f"^{re.escape(expected)}$"):
        HierarchicalClassifier.load(copied, device="cpu")


def test_file_that_was_added_to_the_encoder_is_an_input_error(copied: Path) -> None:
    (copied / "encoder" / "adapter.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match=r"encoder/adapter\.safetensors was not there when the model was saved"):
        HierarchicalClassifier.load(copied, device="cpu")
    (copied / "encoder" / "adapter.safetensors").unlink()
    (copied / "notes.txt").write_text("a person's", "utf-8")
    assert HierarchicalClassifier.load(copied, device="cpu").directory == copied


@pytest.mark.parametrize("file", PARTS[:3])
@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_part_is_an_input_error(copied: Path, file: str, content: bytes) -> None:
    (copied / file).write_bytes(content)
    seal(copied)
    with pytest.raises(InputError, match="not a readable classifier"):
        HierarchicalClassifier.load(copied, device="cpu")


@pytest.mark.parametrize("file", PARTS[3:])
@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_encoder_is_an_input_error_once_it_is_needed(copied: Path, file: str, content: bytes) -> None:
    (copied / file).write_bytes(content)
    seal(copied)
    classifier = HierarchicalClassifier.load(copied, device="cpu")
    words = rf"^{re.escape(str(copied))}: not a readable classifier (?s:.*); train it again$"
    with pytest.raises(InputError, match=words):
        classifier.predict(TEXTS[:1])


def test_head_of_another_taxonomy_is_an_input_error(copied: Path) -> None:
    taxonomy = json.loads((copied / "taxonomy.json").read_text("utf-8"))
    (copied / "taxonomy.json").write_text(json.dumps(taxonomy[:2]), "utf-8")
    seal(copied)
    with pytest.raises(InputError, match=r"vectors, nulls and words of \[7, 7\] classes for 2 classes"):
        HierarchicalClassifier.load(copied, device="cpu")


@pytest.mark.parametrize("number", [3, 5])
def test_other_format_is_an_input_error_that_says_so(copied: Path, number: int) -> None:
    settings = json.loads((copied / "settings.json").read_text("utf-8"))
    (copied / "settings.json").write_text(json.dumps({**settings, "format": number}), "utf-8")
    with pytest.raises(InputError, match=rf"\(format {number}, this version reads 4\); train it again"):
        HierarchicalClassifier.load(copied, device="cpu")


def test_unknown_decoding_setting_is_an_input_error(copied: Path) -> None:
    settings = json.loads((copied / "settings.json").read_text("utf-8"))
    settings["decoding"]["beams"] = 3
    (copied / "settings.json").write_text(json.dumps(settings), "utf-8")
    seal(copied)
    with pytest.raises(InputError, match=r"not a readable classifier (?s:.*)beams"):
        HierarchicalClassifier.load(copied, device="cpu")


def test_repr_is_short(classifier: HierarchicalClassifier) -> None:
    assert repr(classifier) == "HierarchicalClassifier(Taxonomy(7 classes, 6 edges, 2 roots, 3 levels))"
