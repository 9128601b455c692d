"""Train: the classifier, on silver and synthetic documents only."""

from hmltc_kedro.pipelines.train.pipeline import create_pipeline

__all__ = ["create_pipeline"]
