"""The stage `train`, on the real encoder: the head for one epoch."""

import pandas as pd

from hmltc_kedro import scoring
from hmltc_kedro.pipelines.train import create_pipeline
from hmltc_kedro.tensors import TensorTable

EXAMPLES = pd.DataFrame(
    {
        "text": ["a leash for the puppy", "a mouse for the cat", "rake and spade", "cushion for a dog", "catnip toy"],
        "class_ids": [["an", "do"], ["an", "ca", "ct"], ["ga", "to"], ["an", "do", "be"], ["an", "ca", "ct"]],
        "weight": [1.0, 0.5, 1.0, 1.0, 1.0],
    }
)


def test_examples_become_a_classifier_and_its_history(run, diamond, encoder, parameters) -> None:
    views = scoring.embed_classes(encoder, diamond, diamond.labels)
    outputs = run(
        create_pipeline(),
        training_examples=EXAMPLES,
        class_embeddings=TensorTable(diamond.class_ids, views),
        taxonomy=diamond,
        encoder=encoder,
    )
    classifier, history = outputs["classifier"], outputs["training_history"]
    assert len(history) >= 1
    assert classifier.decoding == parameters["infer"].decoding
    assert classifier.description["n_examples"] == 5
    assert classifier.description["seed"] == 42
    assert classifier.predict_probabilities(["rake"]).shape == (1, 7)
    assert classifier.encoder is not encoder.model, "training must not change the encoder that others use"
