"""Augment: synthetic reviews for starved classes, in the style of the corpus; the training examples."""

from hmltc_kedro.pipelines.augment.pipeline import create_pipeline

__all__ = ["create_pipeline"]
