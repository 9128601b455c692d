"""Wiring of the stage `annotate`."""

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.annotate import nodes


def create_pipeline() -> Pipeline:
    """`labels` of people and answers about documents to `annotations`; `annotation_queue` says who was asked."""
    return Pipeline(
        [
            Node(
                nodes.annotate_documents,
                inputs=[
                    "documents",
                    "labels",
                    "candidate_scores",
                    "silver_labels",
                    "document_embeddings",
                    "class_embeddings",
                    "lexical_view",
                    "view_weights",
                    "taxonomy",
                    "class_descriptions",
                    "llm",
                    "params:annotate",
                    "params:pseudo_label.views",
                    "params:pseudo_label.hubness_prior",
                    "params:seed",
                ],
                outputs=["annotation_queue", "annotations"],
                name="annotate_documents",
            ),
        ],
        tags="annotate",
    )
