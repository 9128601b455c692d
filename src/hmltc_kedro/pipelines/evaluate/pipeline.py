"""Wiring of the stage `evaluate`."""

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.evaluate import nodes


def create_pipeline() -> Pipeline:
    """`predictions` and gold labels to `metrics` and `case_studies`."""
    return Pipeline(
        [
            Node(
                nodes.predict_zero_shot,
                inputs=["documents", "document_embeddings", "class_embeddings", "taxonomy"],
                outputs="zero_shot_predictions",
                name="predict_zero_shot",
            ),
            Node(
                nodes.evaluate_predictions,
                inputs=[
                    "gold_labels",
                    "predictions",
                    "class_probabilities",
                    "zero_shot_predictions",
                    "taxonomy",
                    "params:seed",
                ],
                outputs="metrics",
                name="evaluate_predictions",
            ),
            Node(
                nodes.trace_cases,
                inputs=["gold_labels", "documents", "predictions", "class_probabilities", "taxonomy"],
                outputs="case_studies",
                name="trace_cases",
            ),
        ],
        tags="evaluate",
    )
