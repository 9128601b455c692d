"""What can be set about training; free of torch, so that a catalog can be read without it.

The defaults are those of conf/base.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hmltc_kedro.corpus.raw_documents import MAX_DOCUMENTS
from hmltc_kedro.decoding.decode import DecodingSettings
from hmltc_kedro.pseudo_labels.settings import PseudoLabelSettings

MaskRule = Literal["below_most_specific", "below_any_label"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class LossSettings(_Settings):
    """Constants of `losses.focal_loss`; the defaults are the paper's (its code's where it gives none)."""

    gamma: float = Field(default=2.0, ge=0)
    """How much easy cases are played down; 0 is cross-entropy. The paper's."""
    alpha: float = Field(default=1.0, gt=0)
    """Factor of the whole loss. The paper's published code's."""
    positive_weight: float = Field(default=2.0, gt=0)
    """Factor of the positives, which are few among the classes. The paper's published code's."""
    soft_target: float = Field(default=0.9, gt=0.5, le=1)
    """Target of a positive: silver labels may be wrong. The paper's published code's."""
    mask: MaskRule = "below_most_specific"
    """Which unlabelled classes are unknown and no negatives: see `examples.WeightedMultiLabelDataset`.
    `below_any_label`, the paper's published code's, leaves no negative inside a labelled root.
    """


class HeadSettings(_Settings):
    """The first phase and the form of `head.CosineHead`."""

    epochs: int = Field(default=20, ge=0)
    """Of the head alone, on frozen vectors; seconds, and the best epoch is kept. 0 (the paper) starts fine-tuning from
    the class embeddings.
    """
    learning_rate: float = Field(default=0.003, gt=0)
    """Of AdamW in this phase, constant."""
    batch_size: int = Field(default=256, gt=0)
    """Documents a step."""
    temperature: float = Field(default=0.07, gt=0)
    """tau at the start. The paper's published code's."""
    bias: bool = True
    """One offset for all classes, so that a class begins at a low probability. Without it (the paper) each begins above
    one half, and training first has to push all of them down.
    """
    learn_temperature: bool = True
    """Whether tau is trained, as in the paper; its published code has a tau that nothing uses: false."""
    lexical: bool = True
    """Whether the classifier sees shared words beside the sentence vector, if there is a lexical view: see
    `head.CosineHead`. What the labels owe to words, a classifier without them can learn only by heart.
    """
    gcn_layers: int = Field(default=0, ge=0)
    """Layers of `gcn.GraphConvolution` between the class vectors and the comparison; the paper's GCN row has 2, 0
    leaves it out.
    """


class FineTuningSettings(_Settings):
    """The second phase: AdamW, linear warm-up, cosine decay."""

    epochs: int = Field(default=0, ge=0)
    """Of head and upper encoder layers; 0 leaves the phase out, which is much faster. The paper has 5, its published
    code 1.
    """
    learning_rate: float = Field(default=5e-5, gt=0)
    """Of the encoder, after the warm-up. The paper's is 0.00002, without a head trained before."""
    head_learning_rate: float = Field(default=1e-3, gt=0)
    """Of the head, which has no pretrained weights to lose."""
    batch_size: int = Field(default=16, gt=0)
    """Documents a step. The paper's."""
    trainable_layers: float = Field(default=0.34, ge=0, le=1)
    """Share of the transformer layers, from the top, that is trained. The paper's published code freezes the lower two
    thirds.
    """
    weight_decay: float = Field(default=0.01, ge=0)
    """Of AdamW, not on biases and LayerNorm. The paper's published code's."""
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the learning rate rises; a cosine to zero follows. The paper's."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient. The paper's published code's."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the encoder's arithmetic; `auto` is bfloat16 on CUDA and float32 elsewhere."""


class SelfTrainingSettings(_Settings):
    """The last phase, on all documents: see `self_training`. It trains what the phase before it did, in its way."""

    rounds: int = Field(default=0, ge=0)
    """Predictions on the whole corpus, each with an epoch towards them, sharpened; TaxoClass-style has 2. 0 leaves the
    phase out, as the paper's method does.
    """
    tolerance: float = Field(default=0.001, ge=0, le=1)
    """A round is the last if it changes the best class of a smaller share of the documents. That of deep embedded
    clustering (Xie et al. 2016).
    """


class TrainingSettings(_Settings):
    """Everything training depends on but the data and the seed."""

    loss: LossSettings = LossSettings()
    head: HeadSettings = HeadSettings()
    fine_tuning: FineTuningSettings = FineTuningSettings()
    self_training: SelfTrainingSettings = SelfTrainingSettings()
    validation_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the silver labels held out to choose the best epoch; gold labels play no part. The paper's 9:1 split."""


class FitSettings(_Settings):
    """What `HierarchicalClassifier.fit` depends on but texts, taxonomy, encoder and seed: the stages' settings."""

    pseudo_label: PseudoLabelSettings = PseudoLabelSettings()
    train: TrainingSettings = TrainingSettings()
    decoding: DecodingSettings = DecodingSettings()
    max_documents: int | None = Field(default=MAX_DOCUMENTS, ge=1)
    """Texts that are fitted on, a sample drawn by the seed where there are more; None for all."""
