"""Pseudo-label: candidates for every document, silver labels by gap, starved classes (paper: eq. 2)."""

from hmltc_kedro.pipelines.pseudo_label.pipeline import create_pipeline

__all__ = ["create_pipeline"]
