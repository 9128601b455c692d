"""Infer: probabilities, then label sets by top-down beam search over the taxonomy."""

from hmltc_kedro.pipelines.infer.pipeline import create_pipeline

__all__ = ["create_pipeline"]
