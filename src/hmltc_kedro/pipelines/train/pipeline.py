"""Wiring of the stage `train`."""

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.train import nodes


def create_pipeline() -> Pipeline:
    """`training_examples` to `trained_classifier`, and with the settings of decoding to `classifier`."""
    return Pipeline(
        [
            Node(
                nodes.train_classifier,
                inputs=[
                    "training_examples",
                    "documents",
                    "class_embeddings",
                    "lexical_view",
                    "view_weights",
                    "taxonomy",
                    "encoder",
                    "params:train",
                    "params:seed",
                ],
                outputs=["trained_classifier", "training_history", "null_probabilities"],
                name="train_classifier",
            ),
            Node(
                nodes.package_classifier,
                inputs=["trained_classifier", "params:infer.decoding"],
                outputs="classifier",
                name="package_classifier",
            ),
        ],
        tags="train",
    )
