"""The stage `train`, on the real encoder: the head for one epoch."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hmltc_kedro.annotation.rounds import COLUMNS
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.decoding.decode import DecodingSettings
from hmltc_kedro.enrichment import class_texts
from hmltc_kedro.enrichment.class_texts import write_lexical_texts
from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling.abstention import write_null_documents
from hmltc_kedro.modeling.settings import SelfTrainingSettings
from hmltc_kedro.pipelines.train import create_pipeline, nodes
from hmltc_kedro.text.lexical_view import LexicalView
from kedro_project import read_content

EXAMPLES = pd.DataFrame(
    {
        "text": ["a leash for the puppy", "a mouse for the cat", "rake and spade", "cushion for a dog", "catnip toy"],
        "class_ids": [["an", "do"], ["an", "ca", "ct"], ["ga", "to"], ["an", "do", "be"], ["an", "ca", "ct"]],
        "weight": [1.0, 0.5, 1.0, 1.0, 1.0],
    }
)

VIEWS = ("text", "template")

WEIGHTS = {
    "n_documents": 3,
    "dense_reliability": 0.5,
    "lexical_weight": 1.0,
    "neighbour_share": 0.3,
}
DOCUMENTS = pd.DataFrame(
    {"split": "train", "doc_id": ["0", "1", "2"], "text": ["a lead for dogs", "the cat mouse", "a spade"]}
)


def fit_view(taxonomy) -> pd.DataFrame:
    texts = [*EXAMPLES["text"], *DOCUMENTS["text"]]
    return LexicalView.fit(texts, write_lexical_texts(taxonomy)).to_frame(taxonomy)


def embed(taxonomy, encoder) -> TensorTable:
    return TensorTable(taxonomy.class_ids, class_texts.embed_classes(encoder, taxonomy, taxonomy.labels))


def make_entries(taxonomy, encoder):
    """Return what `train_classifier` reads besides parameters."""
    return {
        "training_examples": EXAMPLES,
        "documents": DOCUMENTS,
        "class_embeddings": embed(taxonomy, encoder),
        "lexical_view": fit_view(taxonomy),
        "view_weights": WEIGHTS,
        "taxonomy": taxonomy,
        "encoder": encoder,
    }


def make_student_entries(encoder):
    """Return what `train_student` reads besides: nobody has said anything of a document."""
    keys = [f"train/{doc_id}" for doc_id in DOCUMENTS["doc_id"]]
    return {
        "annotations": pd.DataFrame(columns=COLUMNS),
        "document_embeddings": TensorTable(keys, {"vectors": encoder.encode(list(DOCUMENTS["text"]))}),
    }


def teach(trained, entries):
    """Run the nodes between training and package; return student, probabilities of null documents and calibration."""
    names = ("documents", "class_embeddings", "encoder")
    given = {name: entries[name] for name in names} | make_student_entries(entries["encoder"])
    student, scores, nulls = nodes.train_student(
        **given, trained_classifier=trained, views=VIEWS, hubness_prior=10.0, seed=42
    )
    return student, nulls, nodes.calibrate_decisions(scores, 0.8, 42)


def test_examples_become_a_classifier_and_its_history(run, diamond, encoder, parameters) -> None:
    outputs = run(create_pipeline(), **make_entries(diamond, encoder), **make_student_entries(encoder))
    assert set(outputs) == {"classifier", "training_history"}, "what comes between is for the stages after"
    classifier, history = outputs["classifier"], outputs["training_history"]
    assert history[["phase", "epoch"]].to_numpy().tolist() == [["head", 0], ["head", 1]]
    assert classifier.decoding == parameters["infer"]["decoding"]
    assert classifier.description["n_examples"] == 5
    assert classifier.description["seed"] == 42
    assert classifier.predict_probabilities(["rake"]).shape == (1, 7)
    assert classifier.lexical.words == tuple(fit_view(diamond)["word"])
    assert classifier.max_windows == encoder.max_windows
    assert classifier.encoder is not encoder.model, "training must not change the encoder that others use"


def test_documents_are_for_self_training_only(diamond, encoder, parameters, monkeypatch) -> None:
    asked: list[list[str]] = []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts, **of: asked.append(list(texts)) or encode(texts, **of))
    entries = make_entries(diamond, encoder)

    def train(params):
        asked.clear()
        return nodes.train_classifier(**entries, params=params, views=VIEWS, seed=42)[1]

    settings = parameters["train"]
    assert set(train(settings)["phase"]) == {"head"}
    assert asked == [list(EXAMPLES["text"])]
    history = train(settings.model_copy(update={"self_training": SelfTrainingSettings(rounds=2, tolerance=0.0)}))
    assert list(history["phase"]) == ["head"] * 2 + ["self_training"] * 3
    assert list(DOCUMENTS["text"]) in asked


def test_head_has_the_lexical_term_if_there_is_a_view_and_it_is_wanted(diamond, encoder, parameters) -> None:
    entries = make_entries(diamond, encoder)
    settings = parameters["train"]
    unwanted = settings.model_copy(update={"head": settings.head.model_copy(update={"lexical": False})})
    empty = LexicalView.empty(7).to_frame(diamond)

    def train(view, params, weight=1.0):
        given = {**entries, "lexical_view": view, "view_weights": {**WEIGHTS, "lexical_weight": weight}}
        return nodes.train_classifier(**given, params=params, views=VIEWS, seed=42)[0]

    for classifier in (train(empty, settings), train(fit_view(diamond), unwanted)):
        assert classifier.lexical is None and classifier.head.log_lexical is None
    light, heavy = (train(fit_view(diamond), settings, weight) for weight in (0.5, 2.0))
    ratio = np.exp(heavy.head.log_lexical - light.head.log_lexical)
    np.testing.assert_allclose(ratio, 4, rtol=0.05)  # an epoch of training later


FOREIGN = [
    "The court upheld the appeal against the verdict",
    "Interest rates rose by a quarter of a percent",
    "The orchestra played a symphony in four movements",
    "Parliament voted on the new tax law",
    "The telescope saw two galaxies collide",
]


def test_foreign_texts_fit_no_class_and_those_of_the_corpus_mostly_do(diamond, encoder, parameters, shop_texts) -> None:
    texts = [text for text, _ in shop_texts]
    examples = pd.DataFrame({"text": texts, "class_ids": [ids for _, ids in shop_texts], "weight": 1.0})
    view = LexicalView.fit(texts, write_lexical_texts(diamond)).to_frame(diamond)
    settings = parameters["train"]
    longer = settings.model_copy(update={"head": settings.head.model_copy(update={"epochs": 30})})
    changed = {"training_examples": examples, "documents": examples[["text"]], "lexical_view": view}
    entries = make_entries(diamond, encoder) | changed
    trained, _ = nodes.train_classifier(**entries, params=longer, views=VIEWS, seed=42)
    student, nulls, calibration = teach(trained, entries)
    classifier = nodes.package_classifier(trained, student, nulls, calibration, parameters["infer"]["decoding"])
    assert classifier.frozen == encoder.fingerprint
    assert classifier.nulls.shape == (len(texts), 7)
    written = write_null_documents(texts)
    np.testing.assert_array_equal(classifier.nulls, trained.predict_probabilities(written, cache=encoder))
    assert list(nulls.columns) == list(diamond.class_ids)
    assert np.mean([prediction.fits for prediction in classifier.predict(texts)]) > 0.8
    assert not any(prediction.fits for prediction in classifier.predict(FOREIGN))


def test_tuned_encoder_is_not_frozen_and_encodes_the_null_documents_itself(
    diamond, encoder, parameters, monkeypatch
) -> None:
    asked: list[list[str]] = []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts, **of: asked.append(list(texts)) or encode(texts, **of))
    settings = parameters["train"]
    tuned = settings.model_copy(update={"fine_tuning": settings.fine_tuning.model_copy(update={"epochs": 1})})
    entries = make_entries(diamond, encoder)
    classifier, _ = nodes.train_classifier(**entries, params=tuned, views=VIEWS, seed=42)
    _, nulls, _ = teach(classifier, entries)
    assert classifier.frozen is None
    assert nulls["probabilities"].shape == (len(DOCUMENTS), 7)
    assert write_null_documents(list(DOCUMENTS["text"])) not in asked


def list_files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def test_package_is_what_was_trained_with_decoding_and_null_documents(diamond, encoder, parameters, tmp_path) -> None:
    entries = make_entries(diamond, encoder)
    trained, _ = nodes.train_classifier(**entries, params=parameters["train"], views=VIEWS, seed=42)
    student, nulls, calibration = teach(trained, entries)
    assert (len(student), calibration["n_annotated"], calibration["accept"]) == (0, 0, None), "nobody was asked"
    assert trained.decoding == DecodingSettings(), "training knows nothing of decoding"
    narrow = DecodingSettings(child_threshold=0.75, max_paths=1)
    packaged = nodes.package_classifier(trained, student, nulls, calibration, narrow)
    assert trained.decoding == DecodingSettings() and len(trained.nulls) == 0, "what was trained stays as it is"
    for name, model in (("trained", trained), ("packaged", packaged)):
        model.save(tmp_path / name)
    files = list_files(tmp_path / "trained")
    assert list_files(tmp_path / "packaged") == files >= {Path("encoder/model.safetensors"), Path("settings.json")}
    # Writers of safetensors shuffle the keys of the header.
    different = {
        path.as_posix()
        for path in files
        if read_content(tmp_path / "trained" / path) != read_content(tmp_path / "packaged" / path)
    }
    assert different == {"settings.json", "nulls.safetensors"}
    before, after = (
        json.loads((tmp_path / name / "settings.json").read_text("utf-8")) for name in ("trained", "packaged")
    )
    assert after.pop("digest") != before.pop("digest")
    assert after.pop("decoding") == narrow.model_dump()
    assert before.pop("decoding") == DecodingSettings().model_dump()
    parts = before.pop("parts")
    assert {name for name, digest in after.pop("parts").items() if digest != parts[name]} == {"nulls.safetensors"}
    assert after == before


def test_class_vectors_in_another_order_are_refused_before_anything_is_trained(diamond, encoder, parameters) -> None:
    entries = make_entries(diamond, encoder)
    table = entries["class_embeddings"]
    rows = [1, 0, *range(2, 7)]
    turned = TensorTable([table.ids[c] for c in rows], {view: array[rows] for view, array in table.arrays.items()})
    with pytest.raises(
        InputError, match=r"^entry `class_embeddings`: its 7 rows .*\('ga' is where 'an' should be\); run"
    ):
        nodes.train_classifier(
            **{**entries, "class_embeddings": turned, "training_examples": None},
            params=parameters["train"],
            views=VIEWS,
            seed=42,
        )
