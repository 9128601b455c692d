"""Label: documents that come later, in bulk, with the trained model; nothing is trained, nothing becomes stale."""

from hmltc_kedro.pipelines.label.pipeline import create_pipeline

__all__ = ["create_pipeline"]
