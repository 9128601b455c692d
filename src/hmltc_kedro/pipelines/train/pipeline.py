"""Wiring of the stage `train`."""

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.train import nodes


def create_pipeline() -> Pipeline:
    """`training_examples` to `trained_classifier`, `annotations` to `student`, both together to `classifier`."""
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
                    "params:pseudo_label.views",
                    "params:seed",
                ],
                outputs=["trained_classifier", "training_history"],
                name="train_classifier",
            ),
            Node(
                nodes.train_student,
                inputs=[
                    "annotations",
                    "documents",
                    "document_embeddings",
                    "class_embeddings",
                    "trained_classifier",
                    "encoder",
                    "params:pseudo_label.views",
                    "params:pseudo_label.hubness_prior",
                    "params:seed",
                ],
                outputs=["student", "annotation_scores", "null_probabilities"],
                name="train_student",
            ),
            Node(
                nodes.calibrate_decisions,
                inputs=["annotation_scores", "params:infer.precision", "params:seed"],
                outputs="calibration",
                name="calibrate_decisions",
            ),
            Node(
                nodes.package_classifier,
                inputs=["trained_classifier", "student", "null_probabilities", "calibration", "params:infer.decoding"],
                outputs="classifier",
                name="package_classifier",
            ),
        ],
        tags="train",
    )
