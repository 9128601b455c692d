"""The pipelines of the project, by hand: their names are what users type."""

from importlib import import_module

from kedro.pipeline import Pipeline

from hmltc_kedro.pipelines import STAGES, ablation, label
from hmltc_kedro.pipelines.base import group_stage

SHARED = ("ingest", "enrich", "pseudo_label", "augment")
"""The stages that all variants of the ablation share."""


def register_pipelines() -> dict[str, Pipeline]:
    """Return one pipeline a stage, all of them as `__default__`, `label`, and `ablation` with all it needs."""
    created = {stage: import_module(f"hmltc_kedro.pipelines.{stage}").create_pipeline() for stage in STAGES}
    pipelines = {stage: group_stage(pipeline, stage) for stage, pipeline in created.items()}
    shared = sum((pipelines[name] for name in SHARED), Pipeline([]))
    return {
        **pipelines,
        "label": group_stage(label.create_pipeline(), "label"),
        "ablation": shared + ablation.create_pipeline(),
        "__default__": sum(pipelines.values(), Pipeline([])),
    }
