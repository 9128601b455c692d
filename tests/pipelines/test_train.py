"""The stage `train`, on the real encoder: the head for one epoch."""

import numpy as np
import pandas as pd

from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.enrichment import class_texts
from hmltc_kedro.enrichment.class_texts import write_lexical_texts
from hmltc_kedro.modeling.abstention import write_null_documents
from hmltc_kedro.modeling.settings import SelfTrainingSettings
from hmltc_kedro.pipelines.train import create_pipeline, nodes
from hmltc_kedro.text.lexical_view import LexicalView

EXAMPLES = pd.DataFrame(
    {
        "text": ["a leash for the puppy", "a mouse for the cat", "rake and spade", "cushion for a dog", "catnip toy"],
        "class_ids": [["an", "do"], ["an", "ca", "ct"], ["ga", "to"], ["an", "do", "be"], ["an", "ca", "ct"]],
        "weight": [1.0, 0.5, 1.0, 1.0, 1.0],
    }
)

WEIGHTS = {
    "n_documents": 3,
    "dense_reliability": 0.5,
    "lexical_reliability": 0.5,
    "lexical_weight": 1.0,
    "neighbour_share": 0.3,
}
DOCUMENTS = pd.DataFrame({"text": ["a lead for dogs", "the cat mouse", "a spade"]})


def fit_view(taxonomy) -> pd.DataFrame:
    texts = [*EXAMPLES["text"], *DOCUMENTS["text"]]
    return LexicalView.fit(texts, write_lexical_texts(taxonomy, taxonomy.labels)).to_frame(taxonomy)


def test_examples_become_a_classifier_and_its_history(run, diamond, encoder, parameters) -> None:
    views = class_texts.embed_classes(encoder, diamond, diamond.labels)
    outputs = run(
        create_pipeline(),
        training_examples=EXAMPLES,
        documents=DOCUMENTS,
        class_embeddings=TensorTable(diamond.class_ids, views),
        lexical_view=fit_view(diamond),
        view_weights=WEIGHTS,
        taxonomy=diamond,
        encoder=encoder,
    )
    classifier, history = outputs["classifier"], outputs["training_history"]
    assert len(history) >= 1
    assert classifier.decoding == parameters["infer"].decoding
    assert classifier.description["n_examples"] == 5
    assert classifier.description["seed"] == 42
    assert classifier.predict_probabilities(["rake"]).shape == (1, 7)
    assert classifier.lexical.words == tuple(fit_view(diamond)["word"])
    assert classifier.max_windows == encoder.max_windows
    assert classifier.encoder is not encoder.model, "training must not change the encoder that others use"


def test_documents_are_for_self_training_only(diamond, encoder, parameters, monkeypatch) -> None:
    asked: list[list[str]] = []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts: asked.append(list(texts)) or encode(texts))
    embeddings = TensorTable(diamond.class_ids, class_texts.embed_classes(encoder, diamond, diamond.labels))
    view = fit_view(diamond)

    def train(params):
        asked.clear()
        entries = (EXAMPLES, DOCUMENTS, embeddings, view, WEIGHTS, diamond, encoder, params, parameters["infer"], 42)
        return nodes.train_classifier(*entries)[1]

    settings = parameters["train"]
    assert set(train(settings)["phase"]) == {"head"}
    assert list(DOCUMENTS["text"]) not in asked
    assert asked[-1] == write_null_documents(list(DOCUMENTS["text"]))
    history = train(settings.model_copy(update={"self_training": SelfTrainingSettings(rounds=2, tolerance=0.0)}))
    assert list(history["phase"]) == ["head"] * 2 + ["self_training"] * 3
    assert list(DOCUMENTS["text"]) in asked


def test_head_has_the_lexical_term_if_there_is_a_view_and_it_is_wanted(diamond, encoder, parameters) -> None:
    embeddings = TensorTable(diamond.class_ids, class_texts.embed_classes(encoder, diamond, diamond.labels))
    settings = parameters["train"]
    unwanted = settings.model_copy(update={"head": settings.head.model_copy(update={"lexical": False})})
    empty = LexicalView.empty(7).to_frame(diamond)

    def train(view, params, weight=1.0):
        given = (EXAMPLES, DOCUMENTS, embeddings, view, {**WEIGHTS, "lexical_weight": weight}, diamond, encoder)
        return nodes.train_classifier(*given, params, parameters["infer"], 42)[0]

    for classifier in (train(empty, settings), train(fit_view(diamond), unwanted)):
        assert classifier.lexical is None and classifier.head.log_lexical is None
    light, heavy = (train(fit_view(diamond), settings, weight) for weight in (0.5, 2.0))
    ratio = (heavy.head.log_lexical - light.head.log_lexical).exp().item()
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
    view = LexicalView.fit(texts, write_lexical_texts(diamond, diamond.labels)).to_frame(diamond)
    embeddings = TensorTable(diamond.class_ids, class_texts.embed_classes(encoder, diamond, diamond.labels))
    settings = parameters["train"]
    longer = settings.model_copy(update={"head": settings.head.model_copy(update={"epochs": 30})})
    given = (examples, examples[["text"]], embeddings, view, WEIGHTS, diamond, encoder, longer, parameters["infer"], 42)
    classifier = nodes.train_classifier(*given)[0]
    assert classifier.frozen == encoder.fingerprint
    assert classifier.nulls.shape == (len(texts), 7)
    assert np.mean([prediction.fits for prediction in classifier.predict(texts)]) > 0.8
    assert not any(prediction.fits for prediction in classifier.predict(FOREIGN))


def test_tuned_encoder_is_not_frozen_and_encodes_the_null_documents_itself(
    diamond, encoder, parameters, monkeypatch
) -> None:
    asked: list[list[str]] = []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts: asked.append(list(texts)) or encode(texts))
    embeddings = TensorTable(diamond.class_ids, class_texts.embed_classes(encoder, diamond, diamond.labels))
    settings = parameters["train"]
    tuned = settings.model_copy(update={"fine_tuning": settings.fine_tuning.model_copy(update={"epochs": 1})})
    given = (EXAMPLES, DOCUMENTS, embeddings, fit_view(diamond), WEIGHTS, diamond, encoder, tuned, parameters["infer"])
    classifier = nodes.train_classifier(*given, 42)[0]
    assert classifier.frozen is None
    assert classifier.nulls.shape == (len(DOCUMENTS), 7)
    assert write_null_documents(list(DOCUMENTS["text"])) not in asked
