"""Wiring of the stage `ingest`."""

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.ingest import nodes


def create_pipeline() -> Pipeline:
    """Raw files to `taxonomy`, `documents`, `rejected_documents` and `labels`."""
    return Pipeline(
        [
            Node(
                nodes.build_taxonomy,
                inputs=["raw_classes", "raw_hierarchy", "raw_keywords"],
                outputs="taxonomy",
                name="build_taxonomy",
            ),
            Node(
                nodes.build_documents,
                inputs=["raw_train_corpus", "raw_test_corpus", "params:ingest", "params:seed"],
                outputs=["documents", "rejected_documents"],
                name="build_documents",
            ),
            Node(
                nodes.check_gold_labels,
                inputs=["gold_labels", "documents", "rejected_documents", "taxonomy"],
                outputs=None,
                name="check_gold_labels",
            ),
            Node(
                nodes.read_labels,
                inputs=["raw_labels", "documents", "taxonomy", "params:ingest"],
                outputs="labels",
                name="read_labels",
            ),
        ],
        tags="ingest",
    )
