"""Wiring of the stage `infer`."""

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.infer import nodes


def create_pipeline() -> Pipeline:
    """`trained_classifier` and the test documents to `predictions` and `submission`."""
    return Pipeline(
        [
            Node(
                nodes.predict_probabilities,
                inputs=["documents", "trained_classifier", "student", "encoder", "params:infer.batch_size"],
                outputs="class_probabilities",
                name="predict_probabilities",
            ),
            Node(
                nodes.decode_predictions,
                inputs=[
                    "class_probabilities",
                    "null_probabilities",
                    "annotations",
                    "calibration",
                    "taxonomy",
                    "params:infer.decoding",
                ],
                outputs="predictions",
                name="decode_predictions",
            ),
            Node(
                nodes.write_submission,
                inputs="predictions",
                outputs="submission",
                name="write_submission",
            ),
        ],
        tags="infer",
    )
