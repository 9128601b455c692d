"""Wiring of the stage `label`."""

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.label import nodes


def create_pipeline() -> Pipeline:
    """`bulk_documents` and `classifier` to `bulk_labels`."""
    return Pipeline(
        [
            Node(
                nodes.label_documents,
                inputs=["bulk_documents", "classifier", "params:label", "params:ingest.on_invalid"],
                outputs=None,
                name="label_documents",
            ),
        ],
        tags="label",
    )
