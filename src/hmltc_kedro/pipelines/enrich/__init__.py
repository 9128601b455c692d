"""Enrich: a description for every class, and its vectors (paper: semantic refinement)."""

from hmltc_kedro.pipelines.enrich.pipeline import create_pipeline

__all__ = ["create_pipeline"]
