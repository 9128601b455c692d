"""Encoder, language model and classifier as catalog entries."""

import json
from pathlib import Path

import pytest
from kedro.io import DatasetError

from fake_llm import make_requests
from hmltc_kedro.datasets.classifier import ClassifierDataset
from hmltc_kedro.datasets.encoder import EncoderDataset
from hmltc_kedro.datasets.llm import LLMDataset
from hmltc_kedro.errors import InputError
from hmltc_kedro.llm import RecordedClient, TemplateClient
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.modeling import classifier as classifier_module
from hmltc_kedro.text import backends

# ---------------------------------------------------------------------- encoder


def test_encoder_is_one_object_for_the_same_settings(tmp_path: Path) -> None:
    settings = {"model": "embedded", "max_length": 32, "cache": str(tmp_path / "cache.sqlite")}
    first, again = EncoderDataset(**settings), EncoderDataset(**settings, metadata={"layer": "raw"})
    assert first.load() is first.load() is again.load()
    assert EncoderDataset(**{**settings, "max_length": 33}).load() is not first.load()


def test_encoder_has_the_settings_of_its_entry(tmp_path: Path) -> None:
    given = {"max_length": 32, "max_windows": 5, "batch_size": 3, "device": "cpu"}
    dataset = EncoderDataset(model="some/name", **given, cache=str(tmp_path / "c"))
    encoder = dataset.load()
    assert encoder.name == "some/name"
    assert {name: getattr(encoder, name) for name in given} == given
    assert encoder._cache_path == tmp_path / "c"
    assert dataset.exists()


def test_encoder_is_read_only() -> None:
    with pytest.raises(DatasetError, match="the encoder is read-only"):
        EncoderDataset(model="embedded").save("anything")


def test_encoder_is_identified_by_name_length_and_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", "utf-8")
    first = EncoderDataset(model=str(tmp_path), max_length=32).identify()
    assert (first["model"], first["max_length"]) == (str(tmp_path), 32)
    assert EncoderDataset(model=str(tmp_path), max_length=32, batch_size=3, device="cpu").identify() == first
    assert EncoderDataset(model=str(tmp_path), max_length=33).identify() != first
    windows = EncoderDataset(model=str(tmp_path), max_length=32, max_windows=2).identify()
    assert windows["max_windows"] == 2 and windows["weights"] != first["weights"]
    (tmp_path / "config.json").write_text("{ }", "utf-8")
    assert EncoderDataset(model=str(tmp_path), max_length=32).identify()["weights"] != first["weights"]


def test_encoder_is_identified_by_the_backend_that_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "has_accelerator", lambda: False)
    monkeypatch.setattr(backends, "find_version", lambda package: "1.0")
    found = {name: EncoderDataset(model="embedded", backend=name).identify() for name in ("auto", "torch", "openvino")}
    assert found["auto"] == found["openvino"] != found["torch"]
    assert [found[name]["backend"] for name in found] == ["openvino", "torch", "openvino"]
    monkeypatch.setattr(backends, "find_version", lambda package: None)
    assert EncoderDataset(model="embedded", backend="auto").identify() == found["torch"]


def test_identity_of_the_embedded_encoder_is_that_of_its_vectors() -> None:
    dataset = EncoderDataset(model="embedded", max_length=32, max_windows=4)
    assert dataset.identify()["weights"] == dataset.load().fingerprint


def test_encoder_that_is_not_here_is_identified_without_fetching_it() -> None:
    dataset = EncoderDataset(model="nobody/has-this-model", max_length=32)
    assert dataset.identify()["weights"] == "not on this disk"


# ---------------------------------------------------------------------- language model


@pytest.mark.parametrize(("client", "kind"), [("recorded", RecordedClient), ("template", TemplateClient)])
def test_llm_loads_the_client_of_its_name(client: str, kind: type, tmp_path: Path) -> None:
    dataset = LLMDataset(client=client, recordings=str(tmp_path / "none.jsonl"), cache="x")
    assert isinstance(dataset.load(), kind)
    assert dataset.exists()


def test_llm_is_identified_by_client_and_recordings(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    dataset = LLMDataset(client="recorded", recordings=str(path), cache="x")
    assert dataset.identify() == {"client": "recorded", "answers": [None]}
    path.write_text("", "utf-8")
    assert [len(digest) for digest in dataset.identify()["answers"]] == [64]


def test_llm_reads_and_names_all_files_of_recordings(tmp_path: Path) -> None:
    paths = [tmp_path / "classes.jsonl", tmp_path / "documents.jsonl"]
    dataset = LLMDataset(client="recorded", recordings=[str(path) for path in paths], cache="x")
    assert dataset.identify()["answers"] == [None, None]
    paths[1].write_text('{"task": "judge_document", "document": "train/1", "answer": {}}', "utf-8")
    assert [digest and len(digest) for digest in dataset.identify()["answers"]] == [None, 64]
    assert dataset.load().list_subjects("judge_document") == {"train/1"}
    assert dataset.preview()["data"][1] == ["answers", ", ".join(map(str, paths))]


def test_recordings_that_changed_are_read_again_and_others_are_not(tmp_path: Path) -> None:
    """What answers is what `identify()` names, also where a notebook or two runs share a process."""
    path = tmp_path / "answers.jsonl"
    dataset = LLMDataset(client="recorded", recordings=str(path), cache="x")
    request = make_requests(1)[0]
    seen = []
    for text in ("first", "later"):
        row = {"task": request.task, "class_id": request.subject, "answer": {"description": text}}
        path.write_text(json.dumps(row), "utf-8")
        assert dataset.load() is dataset.load() is LLMDataset(client="recorded", recordings=str(path), cache="x").load()
        seen.append((dataset.load().ask([request])[0].value.description, dataset.identify()["answers"]))
    path.unlink()
    assert dataset.load().ask([request])[0].value is None and dataset.identify()["answers"] == [None]
    assert [text for text, _ in seen] == ["first", "later"] and seen[0][1] != seen[1][1]


def test_llm_is_identified_by_model_and_server_and_never_by_its_key() -> None:
    given = {"recordings": "x", "cache": "x", "settings": {"model": "one", "extra_body": {"token": "sk-hidden"}}}
    dataset = LLMDataset(client="openai", credentials={"api_key": "sk-secret"}, **given)
    identity = dataset.identify()
    assert (identity["client"], identity["model"], identity["base_url"]) == ("openai", "one", None)
    assert "sk-" not in json.dumps(identity)
    more = {**given, "settings": {"model": "one", "extra_body": {"token": "other"}}}
    assert LLMDataset(client="openai", **more).identify() != identity


def test_llm_refuses_an_unknown_client() -> None:
    with pytest.raises(InputError, match="there is no client 'oracle'"):
        LLMDataset(client="oracle", recordings="x", cache="x")


def test_llm_is_read_only() -> None:
    with pytest.raises(DatasetError, match="the language model is read-only"):
        LLMDataset(client="template", recordings="x", cache="x").save("anything")


# ---------------------------------------------------------------------- classifier


def test_classifier_round_trip_existence_and_preview(classifier: HierarchicalClassifier, tmp_path: Path) -> None:
    dataset = ClassifierDataset(filepath=str(tmp_path / "deep" / "classifier"), device="cpu")
    assert not dataset.exists()
    dataset.save(classifier)
    assert dataset.exists()
    assert dataset.load().predict(["a puppy"]) == classifier.predict(["a puppy"])
    settings = dict(dataset.preview()["data"])
    assert settings["description.seed"] == 7
    assert settings["decoding.max_paths"] == 2
    assert settings["max_length"] == 64


def test_classifier_that_is_not_there_is_an_error_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"kedro run --pipeline=train"):
        ClassifierDataset(filepath=str(tmp_path / "classifier")).load()


def test_failed_save_leaves_the_old_classifier(
    classifier: HierarchicalClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = ClassifierDataset(filepath=str(tmp_path / "classifier"), device="cpu")
    dataset.save(classifier)

    def fail(*parts: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr(classifier_module, "write_card", fail)
    with pytest.raises(DatasetError, match="disk full"):
        dataset.save(classifier)
    assert dataset.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["classifier"]
