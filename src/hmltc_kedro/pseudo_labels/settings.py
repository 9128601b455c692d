"""What can be set about candidates and silver labels; the defaults are those of conf/base."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hmltc_kedro.pseudo_labels.gaps import GapMethod, Rivals, Selection


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class StarvedSettings(_Settings):
    """Classes with fewer silver documents than `threshold` are starved."""

    unit: Literal["documents", "share_of_mean"] = "share_of_mean"
    """Whether `threshold` counts documents, as the paper does, or is a share of the mean class size. The default
    follows the corpus: 15 documents are many in a small one and few in a large one.
    """
    threshold: float = Field(default=0.2, ge=0)
    """A class with fewer kept silver documents, its descendants' included, is starved. The paper's is 15 documents."""


class GapSettings(_Settings):
    """What the gap of eq. 2 is measured to, and what delta is; see `gaps.measure_gaps` and `choose_threshold`."""

    rivals: Rivals = "unrelated"
    """What the best class has to stand out from: classes that are neither its ancestors nor its descendants, or all, as
    in the paper. The default does not let `dogs` contend with `dogs > beds`.
    """
    method: GapMethod = "quantile"
    """What delta is: a quantile of the observed gaps, the same level by level, or `value` itself. A quantile follows
    the scores' scale, so it fits any encoder and any weights.
    """
    value: float = Field(default=0.0, ge=0)
    """As a quantile the share of the documents that is not trusted; 0 trusts all. TELEClass drops the least certain
    quarter; the paper gives no number.
    """

    @model_validator(mode="after")
    def check_quantile(self) -> Self:
        """Refuse a quantile that nothing exceeds."""
        if self.method != "fixed" and self.value >= 1:
            raise ValueError(f"a {self.method} should be less than 1")
        return self


class PseudoLabelSettings(_Settings):
    """How candidates are scored and which labels are kept; see `pseudo_labels` for the formulas."""

    views: tuple[Literal["text", "template", "path"], ...] = Field(default=("text", "template"), min_length=1)
    """Dense views of a class, averaged: its text (name, keywords, description), the same with what needs no language
    model for a description, and its path from the root. A description that names neither parents nor children costs
    where it stands alone; the path tells classes of one name apart where nothing else does.
    """
    hubness_prior: float = Field(default=10.0, ge=0)
    """Documents a class at which the class's own mean and spread count half in the standardisation of its scores; .inf
    is plain cosine. A low number trusts small corpora too much, where a high mean may just be a big class.
    """
    lexical_weight: float | None = Field(default=None, ge=0)
    """Weight of the TF-IDF view beside the dense ones, in units of its spread; 0 leaves it out, as the paper does. Null
    weighs it by what other documents confirm, see `lexical_weight.weigh_lexical_view`: how much words say differs from
    corpus to corpus.
    """
    ancestor_weight: float = Field(default=0.25, ge=0)
    """What the classes above a class count beside its own score, see `path_evidence.add_ancestors`; 0, as in the paper,
    leaves each class to itself.
    """
    second_look: float = Field(default=0.25, ge=0)
    """Weight of what the documents labelled at first sight say of a class, see `second_look`; 0, as in the paper, looks
    once.
    """
    neighbours: int = Field(default=5, ge=0)
    """Documents whose scores a document's own are drawn towards, by as much as `reliability.choose_neighbour_share`
    says, and whose labels should agree with its own, see `silver_labels.measure_agreement`; 0 leaves them out. Short
    texts say little, and those most alike tend to be about the same.
    """
    top_k: int = Field(default=20, ge=2)
    """Candidates kept a document. The labels need the best few; the rest is for people who look."""
    selection: Selection = "largest_gap"
    """`largest_gap` is 1-3 classes a document, the rule of TELEClass and of the paper's published code; `threshold` is
    eq. 2, the path to the best class. Many a document is about more than one thing.
    """
    gap: GapSettings = GapSettings()
    starved: StarvedSettings = StarvedSettings()
