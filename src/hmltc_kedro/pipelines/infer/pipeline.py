"""Wiring of the stage `infer`."""

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.infer import nodes


def create_pipeline() -> Pipeline:
    """`classifier` and the raw test corpus to `predictions` and `submission`."""
    return Pipeline(
        [
            Node(
                nodes.read_test_documents,
                inputs=["raw_test_corpus", "params:ingest"],
                outputs="test_documents",
                name="read_test_documents",
            ),
            Node(
                nodes.predict_probabilities,
                inputs=["test_documents", "classifier", "encoder", "params:infer"],
                outputs="class_probabilities",
                name="predict_probabilities",
            ),
            Node(
                nodes.decode_predictions,
                inputs=["class_probabilities", "classifier", "taxonomy", "params:infer"],
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
