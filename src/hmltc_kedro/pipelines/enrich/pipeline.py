"""Wiring of the stage `enrich`."""

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.enrich import nodes


def create_pipeline() -> Pipeline:
    """`taxonomy` to `enriched_taxonomy`, `class_descriptions` and `class_embeddings`."""
    return Pipeline(
        [
            Node(
                nodes.complete_keywords,
                inputs=["taxonomy", "llm", "params:enrich"],
                outputs="enriched_taxonomy",
                name="complete_keywords",
            ),
            Node(
                nodes.describe_classes,
                inputs=["enriched_taxonomy", "llm", "params:enrich"],
                outputs="class_descriptions",
                name="describe_classes",
            ),
            Node(
                nodes.embed_classes,
                inputs=["enriched_taxonomy", "class_descriptions", "encoder"],
                outputs="class_embeddings",
                name="embed_classes",
            ),
        ],
        tags="enrich",
    )
