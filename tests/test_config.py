"""Variants of the ablation as complete settings, and the environments of conf/."""

import json
import shutil
from typing import Any

import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader

from hmltc_kedro.config import ProjectConfigLoader, expand_variants, overlay
from hmltc_kedro.errors import InputError
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from kedro_project import REPOSITORY, Finished, Project


def test_overlay_changes_what_it_names_at_every_depth_and_alters_neither() -> None:
    settings = {"head": {"epochs": 3, "bias": True}, "share": 0.1}
    changes = {"head": {"epochs": 0}}
    assert overlay(settings, changes) == {"head": {"epochs": 0, "bias": True}, "share": 0.1}
    assert settings == {"head": {"epochs": 3, "bias": True}, "share": 0.1}
    assert changes == {"head": {"epochs": 0}}


def test_overlay_replaces_a_value_by_another_kind() -> None:
    assert overlay({"views": ["text", "path"], "length": {"max": 3}}, {"views": ["text"], "length": None}) == {
        "views": ["text"],
        "length": None,
    }


def test_every_variant_gets_the_settings_of_every_stage() -> None:
    parameters = {
        "seed": 1,
        "train": {"head": {"epochs": 3}},
        "infer": {"beam": 10},
        "ablation": {"seeds": [1], "variants": {"quick": {"train": {"head": {"epochs": 1}}}, "final": None}},
    }
    expanded = expand_variants(parameters)
    assert expanded["ablation"] == {
        "seeds": [1],
        "variants": {
            "quick": {"train": {"head": {"epochs": 1}}, "infer": {"beam": 10}},
            "final": {"train": {"head": {"epochs": 3}}, "infer": {"beam": 10}},
        },
    }
    assert expand_variants(expanded) == expanded


def test_overlay_on_an_unknown_stage_is_named() -> None:
    parameters = {"train": {}, "ablation": {"variants": {"quick": {"trian": {}}}}}
    with pytest.raises(InputError, match=r"ablation\.variants\.quick\.trian: no such stage; use one of train"):
        expand_variants(parameters)


@pytest.mark.parametrize(("env", "length_power"), [("base", 1.0), ("paper", 3.0)])
def test_variants_follow_environment_and_command_line(env: str, length_power: float) -> None:
    runtime = {"train": {"fine_tuning": {"epochs": 7}}, "ablation": {"variants": {"gcn": {"train": {"seed_x": 1}}}}}
    loader = ProjectConfigLoader(str(REPOSITORY / "conf"), env=env, runtime_params=runtime, **CONFIG_LOADER_ARGS)
    variants = loader["parameters"]["ablation"]["variants"]
    assert variants["leaf_priority"]["infer"]["decoding"]["method"] == "leaf_priority"
    assert variants["leaf_priority"]["infer"]["decoding"]["length_power"] == length_power
    assert variants["final"]["train"]["fine_tuning"]["epochs"] == 7
    assert variants["gcn"]["train"]["seed_x"] == 1
    assert variants["teleclass_basic"]["train"]["fine_tuning"]["epochs"] == 5, "what a variant is made of stays"


# ---------------------------------------------------------------------- conf/amazon531


def load_conf(env: str, **runtime_params: Any) -> OmegaConfigLoader:
    return OmegaConfigLoader(str(REPOSITORY / "conf"), env=env, runtime_params=runtime_params, **CONFIG_LOADER_ARGS)


def test_amazon531_is_our_method_on_the_papers_data_and_encoder() -> None:
    conf = load_conf("amazon531")
    catalog, ours = conf["catalog"], conf["parameters"]  # read now: the latest loader's globals hold for all
    base = load_conf("base")["parameters"]
    assert catalog["encoder"]["model"] == "sentence-transformers/all-mpnet-base-v2"
    assert catalog["llm"]["client"] == "recorded"  # nobody pays because a key happens to be set
    assert catalog["raw_classes"]["filepath"] == "data/01_raw/amazon531/classes.txt"
    assert catalog["documents"]["filepath"] == "data/02_intermediate/amazon531/documents.parquet"
    assert catalog["classifier"]["filepath"] == "data/06_models/amazon531/amazon531/classifier"
    ours.pop("report", None)  # names the part of this taxonomy that a figure shows
    base.pop("report", None)
    assert ours == base


def test_amazon531_overwrites_nothing_of_base() -> None:
    catalogs = {env: load_conf(env, dataset="sample")["catalog"] for env in ("base", "paper", "amazon531")}
    shared = {
        env: {
            name
            for name, entry in catalogs["base"].items()
            if "filepath" in entry and catalogs[env][name]["filepath"] == entry["filepath"]
        }
        for env in ("paper", "amazon531")
    }
    assert shared["amazon531"] == shared["paper"]
    assert "classifier" not in shared["amazon531"]


def test_amazon531_runs_on_any_dataset(project: Project, first_run: Finished) -> None:
    """With the embedded encoder in place of the one from the hub: an environment of its own, in the test's project."""
    conf = project.folder / "conf"
    shutil.copytree(conf / "amazon531", conf / "amazon531_embedded")
    settings = conf / "amazon531_embedded" / "globals.yml"
    text = settings.read_text("utf-8")
    assert text.count("sentence-transformers/all-mpnet-base-v2") == 1
    settings.write_text(text.replace("sentence-transformers/all-mpnet-base-v2", "embedded"), "utf-8")
    project.add_dataset("any")
    quick = "augment.reviews_per_class=1,train.head.epochs=1,train.fine_tuning.epochs=0"
    project.run("--env=amazon531_embedded", f"--params=dataset=any,{quick}")
    folder = project.folder / "data"
    metrics = json.loads((folder / "08_reporting/any/amazon531/metrics.json").read_text("utf-8"))
    assert metrics["n_docs"] == 20
    assert len(pd.read_csv(folder / "07_model_output/any/amazon531/submission.csv")) == 20
    assert not (folder / "06_models/any/classifier").exists()
