"""The ablation: variants over shared entries, from the diamond to the table."""

from functools import reduce
from operator import getitem
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from hmltc_kedro.config import ProjectConfigLoader
from hmltc_kedro.corpus.tensors import TensorTable
from hmltc_kedro.pipeline_registry import register_pipelines
from hmltc_kedro.pipelines.ablation import create_pipeline
from hmltc_kedro.pipelines.ablation.pipeline import create_variant
from hmltc_kedro.pipelines.ablation.variants import VARIANTS
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from kedro_project import REPOSITORY

SHARED_LABELS = {"gcn", "no_augmentation", "no_style_calibration", "leaf_priority", "final"}


def list_own(name: str) -> set[str]:
    return {node.name.removeprefix(f"{name}.") for node in create_variant(name, VARIANTS[name]).nodes}


def test_every_variant_has_settings_and_every_setting_a_variant(parameters: dict[str, Any]) -> None:
    assert set(parameters["ablation"]["variants"]) == set(VARIANTS)


@pytest.mark.parametrize("name", VARIANTS)
def test_variant_tells_what_it_is_and_where_it_was_published(name: str) -> None:
    variant = VARIANTS[name]
    assert variant.title
    assert variant.source.endswith(".")
    assert set(variant.own) <= {node.name for node in register_pipelines()["__default__"].nodes}


@pytest.mark.parametrize("name", VARIANTS)
def test_variant_stays_below_its_namespace_and_reads_shared_entries(name: str) -> None:
    variant = create_variant(name, VARIANTS[name])
    assert all(node.name.startswith(f"{name}.") for node in variant.nodes)
    assert all(entry.startswith(f"{name}.") for entry in variant.all_outputs())
    made = register_pipelines()["__default__"].datasets() | {"params:ablation.seeds"}
    if not VARIANTS[name].trains:
        made |= {"final.probabilities", "final.training_log"}
    others = {i for i in variant.inputs() if not i.startswith(f"params:ablation.variants.{name}.")}
    assert others <= made


@pytest.mark.parametrize("name", VARIANTS)
def test_variant_does_for_itself_what_its_settings_touch(name: str) -> None:
    parameters = ProjectConfigLoader(str(REPOSITORY / "conf"), env="base", **CONFIG_LOADER_ARGS)["parameters"]
    own = list_own(name)
    assert ("train_over_seeds" in own) == (name != "leaf_priority")
    for stage, readers in {
        "pseudo_label": {
            "fit_lexical_view",
            "weigh_views",
            "find_neighbours",
            "score_candidates",
            "assign_silver_labels",
            "find_starved_classes",
        },
        "augment": {"write_synthetic_documents", "build_training_examples"},
    }.items():
        if parameters["ablation"]["variants"][name][stage] != parameters[stage]:
            assert readers <= own, f"{name} overlays {stage} but shares what that stage made"


def test_settings_of_variants_arrive_as_those_of_the_stages(parameters: dict[str, Any]) -> None:
    models = 0
    for name in VARIANTS:
        for entry in create_variant(name, VARIANTS[name]).inputs():
            if entry.startswith("params:ablation.variants."):
                parts = entry.removeprefix(f"params:ablation.variants.{name}.").split(".")
                value = reduce(getitem, parts, parameters["ablation"]["variants"][name])
                own = reduce(getitem, parts, parameters)
                assert not isinstance(own, dict | BaseModel) or type(value) is type(own), entry
                models += isinstance(value, BaseModel)
    assert models == 8 + 7 + 2, "decoding of all, train of all but one, gap and starved of the one that labels anew"


def test_shared_stages_run_once() -> None:
    names = [node.name for node in register_pipelines()["ablation"].nodes]
    assert len(names) == len(set(names))
    shared = [name for name in names if "." not in name]
    assert {"build_taxonomy", "embed_documents", "score_candidates", "write_synthetic_documents"} <= set(shared)
    assert not {"train_classifier", "predict_probabilities"} & set(shared)
    assert sum(name.endswith(".train_over_seeds") for name in names) == len(VARIANTS) - 1


@pytest.mark.slow
def test_whole_ablation_on_the_diamond(run_until, run, encoder) -> None:
    made = run_until("train", encoder=encoder)
    pipeline = create_pipeline()
    rows = pipeline.to_outputs("ablation_table")
    table = run(rows, **{k: v for k, v in made.items() if k in rows.inputs()})["ablation_table"]
    assert list(table["variant"]) == list(VARIANTS)
    assert table["sample_f1"].between(0, 1).all()
    assert (table["sample_f1_low"] <= table["sample_f1"]).all()
    assert (table["n_docs"] == 3).all()
    assert table["difference"].isna().to_list() == [name == "final" for name in VARIANTS]
    consistent = table.set_index("variant")["path_consistency"]
    assert (consistent[["published_code", "no_augmentation", "gcn", "leaf_priority", "final"]] == 1.0).all()
    figure = run(pipeline.only_nodes("plot_ablation"), ablation_table=table)["ablation_plot"]
    assert figure.data[0]["y"][-1] == "TaxoClass-style", "the first row is at the top"


def test_a_seed_of_the_ablation_is_the_run_with_that_seed(run_until, run, encoder, parameters) -> None:
    made = run_until("evaluate", encoder=encoder)
    pipeline = create_variant("final", VARIANTS["final"]).only_nodes(
        "final.train_over_seeds", "final.decode_over_seeds"
    )
    outputs = run(pipeline, **{k: v for k, v in made.items() if k in pipeline.inputs()})
    predictions = outputs["final.predictions"]
    assert isinstance(made["class_probabilities"], TensorTable)
    first = predictions[predictions["seed"] == parameters["seed"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        first.drop(columns="seed"), made["predictions"].drop(columns=["fits", "decision", "source"])
    )
    assert set(predictions["seed"]) == set(parameters["ablation"]["seeds"])
    assert np.isfinite(outputs["final.training_log"]["total_seconds"]).all()
