"""Annotate: what people and a language model say of single documents."""

from hmltc_kedro.pipelines.annotate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
