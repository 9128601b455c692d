"""Wiring of the ablation: one namespace a variant over shared entries."""

import warnings

from kedro.pipeline import Node, Pipeline, pipeline

from hmltc_kedro.pipelines import augment, pseudo_label
from hmltc_kedro.pipelines.ablation import nodes
from hmltc_kedro.pipelines.ablation.variants import VARIANTS, Variant
from hmltc_kedro.pipelines.base import describe_nodes

PARAMETERS = ("pseudo_label", "augment", "train", "infer")
"""The stages whose settings a variant may change."""

MEASURED = {"scores": "scores", "documents": "document_scores"}
"""What the table is made of, a variant."""


def create_pipeline() -> Pipeline:
    """Every variant from the shared entries to its scores, then `ablation_table` and `ablation_plot`."""
    with warnings.catch_warnings():
        # The table reads entries of namespaces, whose names hold a dot, as it should be.
        warnings.filterwarnings("ignore", "One or more dataset names contain '.'")
        return describe_nodes(_create_rows() + _create_table())


def _create_rows() -> Pipeline:
    return sum((create_variant(name, variant) for name, variant in VARIANTS.items()), Pipeline([]))


def _create_table() -> Pipeline:
    entries = {f"{name}_{short}": f"{name}.{entry}" for name in VARIANTS for short, entry in MEASURED.items()}
    table = [
        Node(
            nodes.tabulate_variants,
            inputs={"seed": "params:seed", **entries},
            outputs="ablation_table",
            name="tabulate_variants",
        ),
        Node(nodes.plot_ablation, inputs="ablation_table", outputs="ablation_plot", name="plot_ablation"),
    ]
    return Pipeline(table, tags="ablation")


def create_variant(name: str, variant: Variant) -> Pipeline:
    """One variant: its own nodes below its namespace, everything else from the shared entries."""
    stages = (pseudo_label.create_pipeline() + augment.create_pipeline()).nodes
    chosen = [node for node in stages if node.name in variant.own]
    chosen += [_label_documents(variant.labeller)] if variant.labeller else []
    chosen += [*([_train()] if variant.trains else []), *_measure()]
    own = Pipeline([_retag(node) for node in chosen])
    read = (key.removeprefix("params:") for key in own.inputs() if key.startswith("params:"))
    kept = {
        f"params:{key}": f"params:ablation.variants.{name}.{key}" for key in read if key.split(".")[0] in PARAMETERS
    }
    shared = {entry for entry in own.inputs() if not entry.startswith("params:")}
    inputs = {entry: entry for entry in shared}
    if not variant.trains:
        inputs |= {entry: f"final.{entry}" for entry in ("probabilities", "training_log")}
    seeds = {key: key for key in own.inputs() if key in ("params:seed", "params:ablation.seeds")}
    return pipeline(own, namespace=name, inputs=inputs, parameters={**kept, **seeds})


def _retag(node: Node) -> Node:
    return node._copy(tags={"ablation"})


def _label_documents(labeller: str) -> Node:
    inputs = ["documents", "document_embeddings", "class_embeddings", "enriched_taxonomy"]
    if labeller == "assign_teleclass_labels":
        return Node(nodes.assign_teleclass_labels, inputs=[*inputs, "encoder"], outputs="silver_labels", name=labeller)
    return Node(nodes.assign_taxoclass_labels, inputs=inputs, outputs="silver_labels", name=labeller)


def _train() -> Node:
    return Node(
        nodes.train_over_seeds,
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
            "params:infer.batch_size",
            "params:ablation.seeds",
        ],
        outputs=["probabilities", "training_log"],
        name="train_over_seeds",
    )


def _measure() -> list[Node]:
    return [
        Node(
            nodes.decode_over_seeds,
            inputs=["probabilities", "taxonomy", "params:infer.decoding"],
            outputs="predictions",
            name="decode_over_seeds",
        ),
        Node(
            nodes.score_variant,
            inputs=["gold_labels", "predictions", "probabilities", "training_log", "taxonomy"],
            outputs=list(MEASURED.values()),
            name="score_variant",
        ),
    ]
