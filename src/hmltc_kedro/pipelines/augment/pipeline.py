"""Wiring of the stage `augment`."""

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.augment import nodes


def create_pipeline() -> Pipeline:
    """`starved_classes` to `synthetic_documents`, and with the silver labels to `training_examples`."""
    return Pipeline(
        [
            Node(
                nodes.write_synthetic_documents,
                inputs=[
                    "starved_classes",
                    "silver_labels",
                    "enriched_taxonomy",
                    "class_descriptions",
                    "documents",
                    "llm",
                    "params:augment.reviews_per_class",
                    "params:augment.temperature",
                    "params:augment.max_tokens",
                    "params:augment.style",
                    "params:augment.style_examples",
                    "params:seed",
                ],
                outputs="synthetic_documents",
                name="write_synthetic_documents",
            ),
            Node(
                nodes.build_training_examples,
                inputs=[
                    "documents",
                    "silver_labels",
                    "synthetic_documents",
                    "params:augment.synthetic_weight",
                    "params:augment.synthetic_ancestors",
                ],
                outputs="training_examples",
                name="build_training_examples",
            ),
        ],
        tags="augment",
    )
