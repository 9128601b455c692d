"""Evaluate: the only stage that uses gold labels, and only to measure."""

from hmltc_kedro.pipelines.evaluate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
