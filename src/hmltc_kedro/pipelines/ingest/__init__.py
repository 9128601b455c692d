"""Ingest: raw files, checked, become documents and a taxonomy."""

from hmltc_kedro.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
