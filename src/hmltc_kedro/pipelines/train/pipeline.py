"""Wiring of the stage `train`."""

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.train import nodes


def create_pipeline() -> Pipeline:
    """`training_examples` to `classifier`; `documents` are for self-training."""
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
                    "params:infer",
                    "params:seed",
                ],
                outputs=["classifier", "training_history"],
                name="train_classifier",
            ),
        ],
        tags="train",
    )
