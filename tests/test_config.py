"""Parameters as nodes get them, checked and complete; variants of the ablation; the environments of conf/."""

import inspect
import json
import shutil
from typing import Any

import pandas as pd
import pytest
import yaml
from kedro.config import OmegaConfigLoader

from hmltc_kedro import HierarchicalClassifier
from hmltc_kedro.config import (
    SETTINGS,
    ProjectConfigLoader,
    check_folders,
    check_homes,
    complete_settings,
    expand_variants,
    find_variant_inputs,
    overlay,
)
from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling.settings import FitSettings
from hmltc_kedro.pipelines.ablation.variants import VARIANTS
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from hmltc_kedro.text.encoder import TextEncoder
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


def read_parameters(env: str = "base", **runtime: Any) -> dict[str, Any]:
    """Return the parameters of an environment with those of a command line, as Kedro gives them to the catalog."""
    loader = ProjectConfigLoader(str(REPOSITORY / "conf"), env=env, runtime_params=runtime, **CONFIG_LOADER_ARGS)
    return loader["parameters"]


# ---------------------------------------------------------------------- complete and checked


def test_defaults_are_filled_in_at_every_depth() -> None:
    assert complete_settings({"ingest": {}, "label": {"batch_size": 8}, "infer": {"decoding": {"max_paths": 2}}}) == {
        "ingest": {
            "on_invalid": "error",
            "columns": {"doc_id": "doc_id", "text": ["text"]},
            "max_documents": 200_000,
        },
        "label": {"source": None, "engine": "serial", "workers": None, "address": None, "batch_size": 8},
        "infer": {
            "batch_size": 32,
            "precision": 0.8,
            "decoding": {
                "method": "top_down",
                "beam_width": 10,
                "threshold_method": "fixed",
                "child_threshold": 0.2,
                "length_power": 1.0,
                "min_length": 1,
                "max_length": None,
                "max_paths": 2,
                "path_ratio": 0.8,
            },
        },
    }


def test_defaults_in_code_are_those_of_base() -> None:
    """`HierarchicalClassifier.fit` has the ones, `kedro run` the others."""
    base = read_parameters()
    for stage, model in SETTINGS.items():
        if stage == "report":  # its title is the dataset's name
            continue
        assert model.model_validate({}) == model.model_validate(base[stage]), stage
    shared = {"pseudo_label": base["pseudo_label"], "train": base["train"], "decoding": base["infer"]["decoding"]}
    given = FitSettings.model_validate({**shared, "max_documents": base["ingest"]["max_documents"]})
    assert FitSettings() == given
    fit = inspect.signature(HierarchicalClassifier.fit).parameters
    resources = yaml.safe_load((REPOSITORY / "conf/base/globals.yml").read_text("utf-8"))
    assert (fit["seed"].default, fit["encoder"].default) == (base["seed"], resources["encoder"])
    catalog = yaml.safe_load((REPOSITORY / "conf/base/catalog_resources.yml").read_text("utf-8"))["encoder"]
    encoder = inspect.signature(TextEncoder).parameters
    for name in ("max_length", "batch_size", "device"):
        assert encoder[name].default == catalog[name], name
    assert encoder["max_windows"].default == resources["encoder_windows"]
    assert resources["encoder_backend"] == "auto"  # as `fit` has it: tests/modeling/test_fitting.py


def test_values_come_out_as_what_they_stand_for() -> None:
    """A node that takes a value by itself is given this one: nothing reads it as a model again."""
    given = {
        "report": {"gcn_map_root": 208},
        "augment": {"synthetic_ancestors": "false", "reviews_per_class": "3", "synthetic_weight": 1},
        "seed": "7",
    }
    complete = complete_settings(given)
    assert complete["report"]["gcn_map_root"] == "208"
    assert complete["augment"]["synthetic_ancestors"] is False
    assert (complete["augment"]["reviews_per_class"], complete["augment"]["synthetic_weight"]) == (3, 1.0)
    assert complete["seed"] == 7


def test_what_is_no_setting_is_left_as_it_is() -> None:
    assert complete_settings({"dataset": "mine", "ingets": {"a": 1}}) == {"dataset": "mine", "ingets": {"a": 1}}


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        (
            {"ingest": {"on_error": 1}},
            "there is no parameter `ingest.on_error`; use on_invalid, columns, max_documents",
        ),
        (
            {"pseudo_label": {"top_q": 3}},
            "there is no parameter `pseudo_label.top_q`; use views, hubness_prior, lexical_weight, "
            "ancestor_weight, second_look, neighbours, top_k, "
            "selection, gap, starved",
        ),
        (
            {"pseudo_label": {"gap": {"valu": 1}}},
            "there is no parameter `pseudo_label.gap.valu`; use rivals, method, value",
        ),
        (
            {"infer": {"decoding": {"beams": 1}}},
            "there is no parameter `infer.decoding.beams`; use method, beam_width, threshold_method, child_threshold, "
            "length_power, min_length, max_length, max_paths, path_ratio",
        ),
        (
            {"label": {"sorce": "x"}},
            "there is no parameter `label.sorce`; use source, engine, workers, address, batch_size",
        ),
        ({"ablation": {"sedes": [1]}}, "there is no parameter `ablation.sedes`; use seeds, variants"),
        (
            {"pseudo_label": {"gap": {"value": -1}}},
            "parameter `pseudo_label.gap.value`: input should be greater than or equal to 0; it is -1",
        ),
        (
            {"infer": {"decoding": {"path_ratio": 2}}},
            "parameter `infer.decoding.path_ratio`: input should be less than or equal to 1; it is 2",
        ),
        ({"infer": {"batch_size": 0}}, "parameter `infer.batch_size`: input should be greater than 0; it is 0"),
        (
            {"infer": {"batch_size": "many"}},
            "parameter `infer.batch_size`: input should be a valid integer, unable to parse string as an integer; "
            "it is 'many'",
        ),
        (
            {"pseudo_label": {"selection": "best"}},
            "parameter `pseudo_label.selection`: input should be 'threshold' or 'largest_gap'; it is 'best'",
        ),
        (
            {"pseudo_label": {"gap": 5}},
            "parameter `pseudo_label.gap`: input should be a valid dictionary or instance of GapSettings; it is 5",
        ),
        (
            {"train": 5},
            "parameter `train`: input should be a valid dictionary or instance of TrainParams; it is 5",
        ),
        ({"seed": -1}, "parameter `seed`: input should be greater than or equal to 0; it is -1"),
        (
            {"seed": "abc"},
            "parameter `seed`: input should be a valid integer, unable to parse string as an integer; it is 'abc'",
        ),
        (
            {"ablation": {"seeds": []}},
            "parameter `ablation.seeds`: list should have at least 1 item after validation, not 0; it is []",
        ),
        (
            {"ablation": {"seeds": [1, -2]}},
            "parameter `ablation.seeds.1`: input should be greater than or equal to 0; it is -2",
        ),
        ({"ablation": {"variants": 5}}, "parameter `ablation.variants`: input should be a valid dictionary; it is 5"),
        (
            {"ablation": {"variants": {"gcn": {"train": 5}}}},
            "parameter `ablation.variants.gcn.train`: input should be a valid dictionary; it is 5",
        ),
    ],
)
def test_wrong_setting_is_one_line_that_names_it(runtime: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        read_parameters(**runtime)
    assert str(error.value) == message


def test_each_wrong_setting_of_a_stage_has_a_line() -> None:
    with pytest.raises(InputError) as error:
        read_parameters(train={"loss": {"gama": 1}, "head": {"epochs": -1}})
    assert str(error.value).splitlines() == [
        "there is no parameter `train.loss.gama`; use gamma, alpha, positive_weight, soft_target, mask",
        "parameter `train.head.epochs`: input should be greater than or equal to 0; it is -1",
    ]


@pytest.mark.parametrize("env", ["base", "test", "paper", "amazon531"])
def test_every_environment_is_complete(env: str) -> None:
    parameters = read_parameters(env)
    own = {name: value for name, value in parameters.items() if name != "ablation"}
    assert complete_settings(own) == own
    assert set(parameters["ablation"]["variants"]) == set(VARIANTS)


# ---------------------------------------------------------------------- variants of the ablation

INPUTS = {"quick": frozenset({"train", "pseudo_label.gap"}), "final": frozenset({"train", "infer.decoding"})}
"""What two rows read."""


def make_parameters(**variants: Any) -> dict[str, Any]:
    stages = {name: value for name, value in read_parameters().items() if name in ("pseudo_label", "train", "ingest")}
    return {**stages, "seed": 1, "ablation": {"seeds": [1], "variants": variants}}


def test_every_variant_gets_the_settings_of_every_stage() -> None:
    parameters = make_parameters(
        quick={"train": {"head": {"epochs": 1}}, "pseudo_label": {"gap": {"value": 0.5}}}, final=None
    )
    expanded = expand_variants(parameters, INPUTS)
    stages = {name: parameters[name] for name in ("pseudo_label", "train", "ingest")}
    assert {name: expanded[name] for name in stages} == stages, "the stages' own settings stay"
    assert expanded["ablation"]["seeds"] == [1]
    quick, final = (expanded["ablation"]["variants"][row] for row in ("quick", "final"))
    assert final == stages
    assert quick["ingest"] == stages["ingest"]
    assert quick["train"] == {**stages["train"], "head": {**stages["train"]["head"], "epochs": 1}}
    assert quick["pseudo_label"] == {
        **stages["pseudo_label"],
        "gap": {**stages["pseudo_label"]["gap"], "value": 0.5},
    }


@pytest.mark.parametrize(
    ("overlays", "name"),
    [
        ({"trian": {}}, "trian"),
        ({"trian": {"head": {"epochs": 1}}}, "trian.head.epochs"),
        ({"pseudo_label": {"neighbours": 0}}, "pseudo_label.neighbours"),
        ({"pseudo_label": {"gap": {"value": 0}, "gaps": {"value": 0}}}, "pseudo_label.gaps.value"),
        ({"ingest": {"on_invalid": "skip"}}, "ingest.on_invalid"),
        ({"infer": {"decoding": {"max_paths": 1}}}, "infer.decoding.max_paths"),
    ],
)
def test_overlay_that_a_row_does_not_read_is_refused(overlays: dict[str, Any], name: str) -> None:
    with pytest.raises(InputError) as error:
        expand_variants(make_parameters(quick=overlays), INPUTS)
    assert str(error.value) == (
        f"ablation.variants.quick.{name}: the row `quick` does not read this, it would change nothing; "
        "it reads pseudo_label.gap, train"
    )


def test_unknown_row_is_refused() -> None:
    with pytest.raises(InputError, match=r"^ablation\.variants\.quik: there is no such row; use one of quick, final$"):
        expand_variants(make_parameters(quik=None), INPUTS)


def test_rows_read_what_their_nodes_read() -> None:
    inputs = find_variant_inputs()
    assert list(inputs) == list(VARIANTS)
    assert inputs["gcn"] == inputs["final"]
    assert inputs["gcn"] == {"infer.batch_size", "infer.decoding", "pseudo_label.views", "train"}
    assert inputs["leaf_priority"] == {"infer.decoding"}
    assert {"pseudo_label.neighbours", "pseudo_label.gap", "augment.style"} < inputs["published_code"]
    augment = {name for name in inputs["no_augmentation"] if name.startswith("augment.")}
    assert {"augment.reviews_per_class", "augment.style", "augment.synthetic_weight"} < augment
    labelling = {name for name in inputs["taxoclass"] if name.startswith("pseudo_label.")}
    assert labelling == {"pseudo_label.views"}, "a labeller of its own; its head starts from the views"


def test_overlay_of_the_command_line_on_a_row_that_does_not_read_it_is_refused() -> None:
    with pytest.raises(InputError) as error:
        read_parameters(ablation={"variants": {"gcn": {"pseudo_label": {"neighbours": 0}}}})
    assert str(error.value) == (
        "ablation.variants.gcn.pseudo_label.neighbours: the row `gcn` does not read this, it would change nothing; "
        "it reads infer.batch_size, infer.decoding, pseudo_label.views, train"
    )


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (
            {"head": {"gcn_layer": 2}},
            "there is no parameter `ablation.variants.gcn.train.head.gcn_layer`; use epochs, learning_rate, "
            "batch_size, temperature, bias, learn_temperature, lexical, gcn_layers",
        ),
        (
            {"head": {"gcn_layers": -1}},
            "parameter `ablation.variants.gcn.train.head.gcn_layers`: input should be greater than or equal to 0; "
            "it is -1",
        ),
    ],
)
def test_setting_of_a_variant_is_checked_as_the_stages_are(train: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        read_parameters(ablation={"variants": {"gcn": {"train": train}}})
    assert str(error.value) == message


@pytest.mark.parametrize(("env", "length_power"), [("base", 1.0), ("paper", 3.0)])
def test_variants_follow_environment_and_command_line(env: str, length_power: float) -> None:
    gcn = {"train": {"validation_share": 0.3}}
    variants = read_parameters(env, train={"fine_tuning": {"epochs": 7}}, ablation={"variants": {"gcn": gcn}})[
        "ablation"
    ]["variants"]
    assert variants["leaf_priority"]["infer"]["decoding"]["method"] == "leaf_priority"
    assert variants["leaf_priority"]["infer"]["decoding"]["length_power"] == length_power
    assert variants["final"]["train"]["fine_tuning"]["epochs"] == 7
    assert variants["gcn"]["train"]["validation_share"] == 0.3
    assert variants["gcn"]["train"]["head"]["gcn_layers"] == 2
    assert variants["final"]["train"]["validation_share"] == 0.1
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


# ---------------------------------------------------------------------- the dataset's name


RULE = "it is the name of a folder in data/01_raw: letters, digits, _, - and ."


@pytest.mark.parametrize("name", ["007", "mine", "my data", "Bücher-2.1", "null", "1e3", "_", "a..b"])
def test_name_of_a_dataset_is_kept_as_it_is(name: str) -> None:
    loader = ProjectConfigLoader(
        str(REPOSITORY / "conf"), env="base", runtime_params={"dataset": name}, **CONFIG_LOADER_ARGS
    )
    assert loader["catalog"]["raw_classes"]["filepath"] == f"data/01_raw/{name}/classes.txt"
    assert loader["parameters"]["report"]["title"] == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../elsewhere", f"dataset: '../elsewhere' is no name; {RULE}"),
        ("/tmp/x", f"dataset: '/tmp/x' is no name; {RULE}"),
        ("a/b", f"dataset: 'a/b' is no name; {RULE}"),
        ("a\\b", f"dataset: 'a\\\\b' is no name; {RULE}"),
        ("..", f"dataset: '..' is no name; {RULE}"),
        ("", f"dataset: '' is no name; {RULE}"),
        (" a", f"dataset: ' a' is no name; {RULE}"),
        ("a\n", f"dataset: 'a\\n' is no name; {RULE}"),
        ("*", f"dataset: '*' is no name; {RULE}"),
        (7, "dataset: 7 is no text; write the name in quotes"),
        (True, "dataset: True is no text; write the name in quotes"),
        (None, "dataset: None is no text; write the name in quotes"),
    ],
)
@pytest.mark.parametrize("key", ["catalog", "parameters"])
def test_what_is_no_name_of_a_folder_is_one_line(key: str, name: Any, says: str) -> None:
    settings = {"env": "base", "runtime_params": {"dataset": name}, **CONFIG_LOADER_ARGS}
    with pytest.raises(InputError) as error:
        ProjectConfigLoader(str(REPOSITORY / "conf"), **settings)[key]
    assert str(error.value) == says


@pytest.mark.parametrize("variant", ["/..", "/../paper", "paper", "/a/b", 7])
def test_variant_leads_to_no_other_place(variant: Any) -> None:
    with pytest.raises(InputError) as error:
        check_folders({"dataset": "mine", "variant": variant})
    assert str(error.value) == f"variant: {variant!r} is no folder; write / and a name, or nothing"


# ---------------------------------------------------------------------- columns and addresses of documents


def load_catalog(**runtime: Any) -> dict[str, Any]:
    return ProjectConfigLoader(str(REPOSITORY / "conf"), runtime_params=runtime, **CONFIG_LOADER_ARGS)["catalog"]


def test_columns_of_documents_reach_every_entry_that_reads_them_and_no_other() -> None:
    columns = {"doc_id": "id", "text": ["title", "abstract"]}
    catalog = load_catalog(ingest={"columns": columns})
    named = {"key": ["id"], "values": ["title", "abstract"]}
    found = {name for name, entry in catalog.items() if isinstance(entry, dict) and entry.get("columns") == named}
    assert found == {"raw_train_corpus", "raw_test_corpus", "bulk_documents"}


def test_one_text_column_needs_no_list() -> None:
    assert complete_settings({"ingest": {"columns": {"text": "body"}}})["ingest"]["columns"] == {
        "doc_id": "doc_id",
        "text": ["body"],
    }


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"txt": "a"}, "there is no parameter `ingest.columns.txt`; use doc_id, text"),
        (
            {"text": []},
            "parameter `ingest.columns.text`: list should have at least 1 item after validation, not 0; it is []",
        ),
    ],
)
def test_wrong_columns_are_a_line(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        complete_settings({"ingest": {"columns": columns}})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("later", f"{REPOSITORY}/later"),
        ("later/*.parquet", f"{REPOSITORY}/later/*.parquet"),
        ("/mnt/later", "/mnt/later"),
        ("s3://bucket/later", "s3://bucket/later"),
    ],
)
def test_source_of_label_is_meant_from_the_project(source: str, expected: str) -> None:
    assert read_parameters(label={"source": source})["label"]["source"] == expected
    catalog = load_catalog(label={"source": source})
    assert catalog["bulk_documents"]["source"] == expected, "so that `kedro refresh` looks where the stage does"
    assert load_catalog()["bulk_documents"]["source"] == f"{REPOSITORY}/data/01_raw/sample/bulk"


# ---------------------------------------------------------------------- what is no parameter


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({"encoder": "mpnet"}, ["`encoder`: it is a global; write `encoder: ...` into conf/local/globals.yml"]),
        ({"llm": "openai"}, ["`llm`: it is a global; write `llm: ...` into conf/local/globals.yml"]),
        ({"variant": "/x"}, ["`variant`: it is a global; write `variant: ...` into conf/local/globals.yml"]),
        ({"llm": {"model": "x"}}, ["`llm.model`: it is a global; write `llm_model: ...` into conf/local/globals.yml"]),
        ({"encoder": {"batch_size": 8}}, ["`encoder.batch_size`: look for it below `encoder` in {}"]),
        ({"llm": {"max_cost": 5}}, ["`llm.max_cost`: look for it below `llm` in {}"]),
        ({"llm": {"api_key": "sk-1"}}, ["`llm.api_key`: it is a credential; {}"]),
        ({"OPENAI_API_KEY": "sk-1"}, ["`OPENAI_API_KEY`: it is a credential; {}"]),
        ({"openai": {"key": "sk-1"}}, ["`openai.key`: it is a credential; {}"]),
        (
            {"encoder": "x", "llm_model": "y"},
            [
                "`encoder`: it is a global; write `encoder: ...` into conf/local/globals.yml",
                "`llm_model`: it is a global; write `llm_model: ...` into conf/local/globals.yml",
            ],
        ),
    ],
)
def test_what_has_another_home_is_sent_there(given: dict[str, Any], lines: list[str]) -> None:
    homes = {True: "write it into conf/local/credentials.yml, as in conf/base/credentials.yml"}
    with pytest.raises(InputError) as raised:
        check_homes(given, {"dataset": "sample", "encoder": "", "llm": "", "llm_model": "", "variant": ""}, "local")
    expected = [line.format(homes.get("credential" in line, "conf/base/catalog_resources.yml")) for line in lines]
    assert str(raised.value).splitlines() == [f"there is no parameter {line}" for line in expected]
    assert "sk-1" not in str(raised.value)


def test_environment_is_named_whose_file_holds() -> None:
    settings = {"env": "paper", "runtime_params": {"encoder": "x"}, **CONFIG_LOADER_ARGS}
    loader = ProjectConfigLoader(str(REPOSITORY / "conf"), **settings)
    with pytest.raises(InputError, match=r"write `encoder: \.\.\.` into conf/paper/globals\.yml$"):
        loader["parameters"]


def test_dataset_is_a_parameter_and_a_global() -> None:
    check_homes({"dataset": "mine", "train": {"encoder": 1, "bulk": 2}}, {"dataset": "sample", "encoder": ""}, "local")
