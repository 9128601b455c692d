"""The rows of the ablation: what each is, where it comes from, and which nodes it runs for itself.

What differs in *settings* is in `conf/base/parameters_ablation.yml`, as overlays on the settings of the environment:
the same rows measure the project's own method (`kedro run --pipeline=ablation`) and the paper's (`--env=paper`).
"""

from __future__ import annotations

from typing import NamedTuple

LABELLING = (
    "fit_lexical_view",
    "weigh_views",
    "find_neighbours",
    "score_candidates",
    "assign_silver_labels",
    "find_starved_classes",
)
EXAMPLES = ("write_synthetic_documents", "build_training_examples")


class Variant(NamedTuple):
    """One row of the table.

    Attributes:
        title: how the row is called in table and figure.
        source: what it is, and where it was published.
        own: nodes of the stages before training that the variant runs for itself; the others are shared.
        labeller: the node that gives silver labels in place of the stage `pseudo_label`, if there is one.
        trains: False for a variant that decodes the probabilities of `final` in its own way.
    """

    title: str
    source: str
    own: tuple[str, ...] = ()
    labeller: str | None = None
    trains: bool = True


VARIANTS = {
    "taxoclass": Variant(
        "TaxoClass-style",
        "Core classes by similarity against parents and siblings, text-matching classifier, multi-label self-training; "
        "on the configured encoder. Shen et al., NAACL 2021.",
        own=EXAMPLES,
        labeller="assign_taxoclass_labels",
    ),
    "teleclass_basic": Variant(
        "TELEClass-basic",
        "Core classes level by level with keywords, refined by class centroids and similarity gaps, flat classifier "
        "and flat top-3; without corpus-mined terms and generated texts. Zhang et al., WWW 2025.",
        own=EXAMPLES,
        labeller="assign_teleclass_labels",
    ),
    "published_code": Variant(
        "the paper's published code",
        "The paper with the deviations of its code put back, see docs/reproduction.md: 1-3 labels by the largest gap "
        "for every document, one epoch, a fixed temperature, ancestors of synthetic documents as negatives, everything "
        "below any label masked, no child threshold.",
        own=LABELLING + EXAMPLES,
    ),
    "no_augmentation": Variant(
        "without augmentation",
        "No synthetic documents for starved classes. The paper's ablation.",
        own=EXAMPLES,
    ),
    "no_style_calibration": Variant(
        "without style calibration",
        "Synthetic documents as the language model wrote them. The paper's ablation.",
        own=EXAMPLES,
    ),
    "gcn": Variant(
        "with GCN",
        "Two graph convolutions with residual connections over the class vectors. The paper's section 5.2.",
    ),
    "leaf_priority": Variant(
        "leaf-priority decoding",
        "The most probable leaf and its way up, from the probabilities of `final`. The paper's ablation.",
        trains=False,
    ),
    "final": Variant("final", "The method of the environment, nothing changed."),
}
"""By namespace, in the order of the table."""
