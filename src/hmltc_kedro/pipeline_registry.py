"""The pipelines of the project, by hand: their names are what users type."""

from kedro.pipeline import Pipeline

from hmltc_kedro.pipelines import augment, enrich, evaluate, infer, ingest, pseudo_label, train

STAGES = {
    "ingest": ingest,
    "enrich": enrich,
    "pseudo_label": pseudo_label,
    "augment": augment,
    "train": train,
    "infer": infer,
    "evaluate": evaluate,
}
"""The stages in the order in which data flows through them."""


def register_pipelines() -> dict[str, Pipeline]:
    """Return one pipeline a stage, and all of them as `__default__`."""
    pipelines = {name: stage.create_pipeline() for name, stage in STAGES.items()}
    return {**pipelines, "__default__": sum(pipelines.values(), Pipeline([]))}
