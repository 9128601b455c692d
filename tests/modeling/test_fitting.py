"""`HierarchicalClassifier.fit`: in one call what `kedro run` does in stages."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro import HierarchicalClassifier, Taxonomy
from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling.fitting import read_documents
from hmltc_kedro.modeling.settings import FitSettings
from hmltc_kedro.text.backends import choose_backend
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.models import resolve_model
from kedro_project import Project, write_short_encoder

STAGES = "ingest,enrich,pseudo_label,annotate,augment,train,infer"
NESTED = {"animals": {"dogs": ["pet beds"], "cats": ["cat toys"]}, "garden": ["tools"]}


@pytest.fixture(scope="module")
def texts(shop_texts: list[tuple[str, list[str]]]) -> list[str]:
    return [text for text, _ in shop_texts]


def test_label_sets_are_those_of_kedro_run(project: Project) -> None:
    """Without a language model and labels: with them a run knows more than texts and classes."""
    raw = project.add_dataset("plain", without=("llm_responses.jsonl", "judgements.jsonl"))
    project.run(f"--pipelines={STAGES}", "--params=dataset=plain")
    documents = pd.read_parquet(project.folder / "data/02_intermediate/plain/documents.parquet")
    predictions = pd.read_parquet(project.folder / "data/07_model_output/plain/predictions.parquet")
    cache = project.folder / "data/04_feature/plain/vector_cache.sqlite"
    classifier = HierarchicalClassifier.fit(documents["text"], raw, encoder=TextEncoder(cache=cache))
    test = documents[documents["split"] == "test"]
    own = classifier.predict_frame(list(test["text"]))
    assert list(test["doc_id"]) == list(predictions["doc_id"])
    assert own["class_ids"].tolist() == predictions["class_ids"].map(list).tolist()
    assert own["fits"].tolist() == predictions["fits"].tolist()
    for mine, theirs in zip(own["probabilities"], predictions["probabilities"], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-3)


def test_three_lines_fit_save_and_load(texts: list[str], encoder: TextEncoder, tmp_path: Path) -> None:
    classifier = HierarchicalClassifier.fit(pd.Series(texts, index=range(7, 47)), NESTED, encoder=encoder)
    classifier.save(tmp_path / "model")
    predicted = HierarchicalClassifier.load(tmp_path / "model").predict(texts)
    assert predicted == classifier.predict(texts)
    assert classifier.predict("A chew bone for my puppy, for dogs")[0].names[:2] == ["animals", "dogs"]
    assert classifier.predict("Steel tools for the garden")[0].names == ["garden", "tools"]
    assert len(classifier.nulls) == len(texts) and classifier.decoding == FitSettings().decoding
    assert classifier.description["n_examples"] == len(texts)


def test_encoder_that_changes_before_it_is_saved_is_refused(texts: list[str], tmp_path: Path) -> None:
    folder = write_short_encoder(tmp_path / "encoder")
    settings = FitSettings.model_validate({"train": {"head": {"epochs": 1}}})
    classifier = HierarchicalClassifier.fit(texts[:4], NESTED, encoder=str(folder), settings=settings)
    classifier.save(tmp_path / "sound")
    with (folder / "model.safetensors").open("r+b") as weights:
        weights.seek(-1, 2)
        weights.write(b"?")
    said = f"^{re.escape(str(folder))}: the encoder has changed since this classifier was trained; train it again$"
    with pytest.raises(InputError, match=said):
        classifier.save(tmp_path / "mixed")
    with pytest.raises(InputError, match=said):
        classifier.with_parts().predict(texts[:1])
    assert not (tmp_path / "mixed").exists()
    assert HierarchicalClassifier.load(tmp_path / "sound").predict(texts[:1])[0].names


def test_encoder_by_name_is_computed_as_in_a_run(texts: list[str]) -> None:
    settings = FitSettings.model_validate({"train": {"head": {"epochs": 1}}})
    classifier = HierarchicalClassifier.fit(texts[:4], NESTED, settings=settings)
    assert classifier.backend == choose_backend("auto", resolve_model("embedded"))


def test_same_seed_is_the_same_classifier(texts: list[str], encoder: TextEncoder) -> None:
    settings = FitSettings.model_validate({"train": {"head": {"epochs": 2}}, "max_documents": 20})
    first, second, third = (
        HierarchicalClassifier.fit(texts, NESTED, encoder=encoder, settings=settings, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.predict_proba(texts), second.predict_proba(texts))
    assert not np.array_equal(first.predict_proba(texts), third.predict_proba(texts)), "another sample"
    assert first.description["n_examples"] == 20


def test_view_without_weight_is_no_part_of_the_classifier(texts: list[str], encoder: TextEncoder) -> None:
    settings = FitSettings.model_validate(
        {"pseudo_label": {"lexical_weight": 0, "neighbours": 0}, "train": {"self_training": {"rounds": 1}}}
    )
    classifier = HierarchicalClassifier.fit(texts, NESTED, encoder=encoder, settings=settings)
    assert classifier.lexical is None


def test_documents_are_texts_by_position() -> None:
    documents = read_documents(pd.Series(["a", "b", "c"], index=[9, 8, 7]), None, 0)
    assert documents.to_dict("list") == {"split": ["train"] * 3, "doc_id": ["0", "1", "2"], "text": ["a", "b", "c"]}
    assert len(read_documents(list("abcdef"), 4, 0)) == 4


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("one", "1 text to fit on; give the corpus, two texts at least"),
        ([], "no text to fit on; give the corpus, two texts at least"),
        (["a", " "], "text 1: it is empty; give a text or leave it out"),
        (["a", None], "text 1: None is no text; give it one or leave it out"),
        (["a", 3], "text 1: 3 is no text; give it one or leave it out"),
    ],
)
def test_what_cannot_be_fitted_on_is_one_line(given: Any, says: str, diamond: Taxonomy) -> None:
    with pytest.raises(InputError) as error:
        HierarchicalClassifier.fit(given, diamond)
    assert str(error.value) == says
