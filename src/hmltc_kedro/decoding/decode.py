"""From class probabilities to label sets, as the settings say."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hmltc_kedro.arrays import AnyArray, FloatArray
from hmltc_kedro.decoding.baselines import flat, leaf_priority
from hmltc_kedro.decoding.beam import beam_search
from hmltc_kedro.decoding.blocks import round_digits
from hmltc_kedro.decoding.expected_f1 import decode_expected_f1
from hmltc_kedro.decoding.paths import DecodedPaths, choose_paths
from hmltc_kedro.decoding.thresholds import ThresholdMethod, child_thresholds
from hmltc_kedro.taxonomy import Taxonomy


class DecodingSettings(BaseModel):
    """How probabilities become label sets; saved with a model. The defaults are those of conf/base."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    method: Literal["top_down", "leaf_priority", "flat", "expected_f1"] = "top_down"
    """`top_down` is beam search from the roots, the method of the paper; `leaf_priority` its baseline; `flat` the most
    probable classes without a hierarchy, which reads `max_paths` and `child_threshold` alone; `expected_f1` the set of
    largest expected F1, which reads nothing else. `top_down` means `expected_f1` where judged documents have taught
    probabilities that are to be believed.
    """
    beam_width: int = Field(default=10, ge=1)
    """Paths kept a document and level: see `beam_search`. The paper's published code's."""
    threshold_method: ThresholdMethod = "fixed"
    """How a child's threshold is set: see `child_thresholds`. `fixed` depends on no other document of the test corpus.
    """
    child_threshold: float = Field(default=0.2, ge=0, le=1)
    """The threshold, or the quantile. A path goes on to each child at or above it; low, because a path is ranked as a
    whole afterwards.
    """
    length_power: float = Field(default=1.0, ge=0)
    """0 ranks paths by the product of their probabilities, which favours short ones, 1 by the geometric mean, 3 as the
    paper's published code.
    """
    min_length: int = Field(default=1, ge=1)
    """Nodes of the shortest path; 1 lets a document stop at a root. The paper's published code has 2."""
    max_length: int | None = Field(default=None, ge=1)
    """Nodes of the longest path; null for no limit. The paper's published code has 3."""
    max_paths: int = Field(default=3, ge=1)
    """Paths whose union a label set can be at most: see `choose_paths`. 1 is the paper's single path."""
    path_ratio: float = Field(default=0.8, ge=0, le=1)
    """A further path joins if its score is at least this share of the best one's; 1 takes ties only."""

    def for_student(self) -> DecodingSettings:
        """Return the settings for probabilities that judged documents have taught."""
        return self.model_copy(update={"method": "expected_f1"}) if self.method == "top_down" else self


def decode(
    probabilities: AnyArray,
    taxonomy: Taxonomy,
    settings: DecodingSettings,
    *,
    progress: bool = False,
) -> DecodedPaths:
    """Return the paths whose union is each document's label set.

    The union is path-consistent, but for the method `flat`.

    Args:
        probabilities: any float dtype, shape (n, C), in [0, 1].
        taxonomy: of C classes.
        settings: see `DecodingSettings`.
        progress: show a progress bar.
    """
    if settings.method == "flat":
        return flat(
            probabilities,
            taxonomy,
            max_labels=settings.max_paths,
            threshold=float(round_digits(np.asarray(settings.child_threshold))),
            progress=progress,
        )
    if settings.method == "expected_f1":
        return decode_expected_f1(probabilities, taxonomy, progress=progress)
    if settings.method == "leaf_priority":
        decoded = leaf_priority(probabilities, taxonomy, n_paths=settings.max_paths, progress=progress)
    else:
        decoded = beam_search(
            probabilities,
            taxonomy,
            beam_width=max(settings.beam_width, settings.max_paths),
            child_threshold=choose_thresholds(probabilities, taxonomy, settings),
            length_power=settings.length_power,
            min_length=settings.min_length,
            max_length=settings.max_length,
            progress=progress,
        )
    return choose_paths(decoded, max_paths=settings.max_paths, path_ratio=settings.path_ratio)


def choose_thresholds(probabilities: AnyArray, taxonomy: Taxonomy, settings: DecodingSettings) -> FloatArray:
    """Return the threshold of each class as a child, shape (C,), as the settings say."""
    return child_thresholds(probabilities, taxonomy, method=settings.threshold_method, value=settings.child_threshold)
