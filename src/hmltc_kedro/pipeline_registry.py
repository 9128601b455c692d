"""The pipelines of the project, by hand: their names are what users type."""

from importlib import import_module

from kedro.pipeline import Pipeline

from hmltc_kedro.pipelines import STAGES, ablation
from hmltc_kedro.pipelines.base import group_stage

SHARED = ("ingest", "enrich", "pseudo_label", "augment")
"""The stages that all variants of the ablation share."""


def create_stage(stage: str) -> Pipeline:
    """Return the nodes of a stage."""
    pipeline: Pipeline = import_module(f"hmltc_kedro.pipelines.{stage}").create_pipeline()
    return pipeline


def register_pipelines() -> dict[str, Pipeline]:
    """Return one pipeline a stage, all of them as `__default__`, `label`, and `ablation` with all it needs."""
    pipelines = {stage: group_stage(create_stage(stage), stage) for stage in STAGES}
    shared = sum((pipelines[name] for name in SHARED), Pipeline([]))
    return {
        **pipelines,
        "label": group_stage(create_stage("label"), "label"),
        "ablation": shared + ablation.create_pipeline(),
        "__default__": sum(pipelines.values(), Pipeline([])),
    }
