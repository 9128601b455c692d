"""Wiring of the stage `pseudo_label`."""

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.pseudo_label import nodes


def create_pipeline() -> Pipeline:
    """`documents` and `class_embeddings` to `silver_labels`, `starved_classes` and what there is to see of them."""
    return Pipeline(
        [
            Node(
                nodes.embed_documents,
                inputs=["documents", "encoder"],
                outputs="document_embeddings",
                name="embed_documents",
            ),
            Node(
                nodes.fit_lexical_view,
                inputs=["documents", "enriched_taxonomy", "params:pseudo_label.lexical_weight"],
                outputs="lexical_view",
                name="fit_lexical_view",
            ),
            Node(
                nodes.weigh_views,
                inputs=[
                    "documents",
                    "document_embeddings",
                    "class_embeddings",
                    "lexical_view",
                    "taxonomy",
                    "encoder",
                    "params:pseudo_label.views",
                    "params:pseudo_label.hubness_prior",
                    "params:pseudo_label.lexical_weight",
                    "params:pseudo_label.ancestor_weight",
                    "params:pseudo_label.neighbours",
                    "params:seed",
                ],
                outputs="view_weights",
                name="weigh_views",
            ),
            Node(
                nodes.find_neighbours,
                inputs=["document_embeddings", "params:pseudo_label.neighbours", "params:seed"],
                outputs="document_neighbours",
                name="find_neighbours",
            ),
            Node(
                nodes.score_candidates,
                inputs=[
                    "documents",
                    "document_embeddings",
                    "class_embeddings",
                    "lexical_view",
                    "view_weights",
                    "document_neighbours",
                    "taxonomy",
                    "params:pseudo_label.views",
                    "params:pseudo_label.hubness_prior",
                    "params:pseudo_label.ancestor_weight",
                    "params:pseudo_label.second_look",
                    "params:pseudo_label.top_k",
                    "params:seed",
                ],
                outputs="candidate_scores",
                name="score_candidates",
            ),
            Node(
                nodes.assign_silver_labels,
                inputs=[
                    "candidate_scores",
                    "document_neighbours",
                    "taxonomy",
                    "params:pseudo_label.selection",
                    "params:pseudo_label.gap",
                ],
                outputs="silver_labels",
                name="assign_silver_labels",
            ),
            Node(
                nodes.find_starved_classes,
                inputs=["silver_labels", "taxonomy", "params:pseudo_label.starved"],
                outputs="starved_classes",
                name="find_starved_classes",
            ),
            Node(
                nodes.summarise_classes,
                inputs=["silver_labels", "starved_classes", "taxonomy"],
                outputs="label_statistics",
                name="summarise_classes",
            ),
            Node(
                nodes.plot_label_distribution,
                inputs="label_statistics",
                outputs="label_distribution",
                name="plot_label_distribution",
            ),
        ],
        tags="pseudo_label",
    )
