"""What holds for every pipeline: names, parameters as models, small documented nodes."""

import inspect
from functools import reduce
from operator import getitem
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.pipeline import Node
from kedro.validation.type_extractor import TypeExtractor
from pydantic import BaseModel, TypeAdapter

from hmltc_kedro.config import SETTINGS, ProjectConfigLoader
from hmltc_kedro.pipeline_registry import create_stage, register_pipelines
from hmltc_kedro.pipelines import STAGES
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from kedro_project import REPOSITORY

PIPELINES = register_pipelines()
NODES = PIPELINES["__default__"].nodes
OWN_NODES = {node.func: node for node in PIPELINES["ablation"].nodes if node.func not in {n.func for n in NODES}}


def test_registry_names_the_stages_and_all_of_them() -> None:
    assert [*PIPELINES] == [
        *("ingest", "enrich", "pseudo_label", "annotate", "augment", "train", "infer", "evaluate", "report"),
        *("label", "ablation", "__default__"),
    ]
    assert [*STAGES] == [*PIPELINES][:9]
    assert {node.name for node in NODES} == {node.name for name in STAGES for node in PIPELINES[name].nodes}


@pytest.mark.parametrize("stage", STAGES)
def test_stage_is_tagged_with_its_name(stage: str) -> None:
    assert all(node.tags == {stage} for node in PIPELINES[stage].nodes)


@pytest.mark.parametrize("stage", STAGES)
def test_stage_is_a_namespace_that_names_do_not_show(stage: str) -> None:
    assert {node.namespace for node in PIPELINES[stage].nodes} == {stage}
    plain = create_stage(stage)
    assert [node.name for node in PIPELINES[stage].nodes] == [node.name for node in plain.nodes]
    assert PIPELINES[stage].datasets() == plain.datasets()


@pytest.mark.filterwarnings("error:Namespace")
def test_no_stage_is_interrupted_by_another() -> None:
    groups = {group.name: group for group in register_pipelines()["__default__"].group_nodes_by("namespace")}
    assert set(groups) == set(STAGES)
    for name, group in groups.items():
        order = list(STAGES)
        assert all(order.index(other) < order.index(name) for other in group.dependencies)


def list_settings(node: Node) -> dict[str, str]:
    """Return the parameters that a node reads, by the argument that takes each."""
    given = node._inputs if isinstance(node._inputs, dict | list) else [node._inputs]
    names = given if isinstance(given, dict) else inspect.signature(node.func).bind(*given).arguments
    return {k: v.removeprefix("params:") for k, v in names.items() if isinstance(v, str) and v.startswith("params:")}


@pytest.mark.parametrize("stage", [*STAGES, "label"])
def test_each_parameter_arrives_as_what_its_argument_says(stage: str, parameters: dict[str, Any]) -> None:
    types = TypeExtractor({stage: PIPELINES[stage]}).extract_types_from_pipelines()
    raw = ProjectConfigLoader(str(REPOSITORY / "conf"), env="test", **CONFIG_LOADER_ARGS)["parameters"]
    for node in PIPELINES[stage].nodes:
        for argument, name in list_settings(node).items():
            if node.name == "write_report" and argument != "title":
                continue  # shows settings as they are
            value = reduce(getitem, name.split("."), raw)
            annotation = inspect.signature(node.func, eval_str=True).parameters[argument].annotation
            if isinstance(value, dict):
                assert types[name] is annotation, "Kedro passes a dict where it cannot resolve a type hint"
                assert issubclass(annotation, BaseModel)
                assert annotation.model_config["extra"] == "forbid" and annotation.model_config["frozen"], name
                assert reduce(getitem, name.split("."), parameters).model_dump() == value
            else:
                TypeAdapter(annotation).validate_python(value, strict=not isinstance(value, int))


def test_settings_of_every_stage_are_checked_and_complete() -> None:
    assert set(SETTINGS) == {*STAGES, "label"} - {"evaluate"}
    read = {
        name.split(":")[1].split(".")[0] for pipeline in PIPELINES.values() for name in pipeline.inputs() if ":" in name
    }
    assert read == {*SETTINGS, "seed", "ablation"}
    for name, model in SETTINGS.items():
        assert model.model_config["extra"] == "forbid" and model.model_config["frozen"], name


@pytest.mark.parametrize("node", [*NODES, *OWN_NODES.values()], ids=lambda node: node.name)
def test_node_is_a_small_typed_documented_function_of_its_name(node: Any) -> None:
    function = node.func
    assert inspect.isfunction(function)
    assert function.__name__ == node.name.split(".")[-1]
    assert len(inspect.getdoc(function).splitlines()) == 1
    assert node.preview().content == inspect.getdoc(function), "Kedro-Viz shows it"
    source = inspect.getsource(function).splitlines()
    body = source[next(i for i, line in enumerate(source) if '"""' in line) + 1 :]
    assert len(body) <= 25, "a node is short: the work belongs in a module"
    signature = inspect.signature(function, eval_str=True)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(p.annotation is not inspect.Parameter.empty for p in signature.parameters.values())


def test_gold_labels_are_checked_before_anything_is_encoded() -> None:
    names = [node.name for node in NODES]
    encoding = [node.name for node in NODES if {"encoder", "trained_classifier"} & set(node.inputs)]
    assert len(encoding) >= 5
    assert names.index("check_gold_labels") < min(map(names.index, encoding))


def test_gold_labels_are_read_to_be_checked_and_to_evaluate_and_for_nothing_else() -> None:
    readers = {node.name for node in NODES if "gold_labels" in node.inputs}
    assert readers == {"check_gold_labels", "evaluate_predictions", "trace_cases"}
    checker = next(node for node in NODES if node.name == "check_gold_labels")
    assert checker.outputs == []


def test_data_flows_forward_through_the_stages() -> None:
    order = list(STAGES)
    makers = {entry: stage for stage in order for entry in PIPELINES[stage].all_outputs()}
    for stage in order:
        for entry in PIPELINES[stage].inputs() & set(makers):
            assert order.index(makers[entry]) < order.index(stage), (entry, stage)


def test_every_entry_is_in_the_catalog_with_the_layer_of_its_folder() -> None:
    loader = OmegaConfigLoader(str(REPOSITORY / "conf"), env="base", runtime_params={}, **CONFIG_LOADER_ARGS)
    catalog = loader["catalog"]
    datasets = PIPELINES["__default__"].datasets() | PIPELINES["label"].datasets() | PIPELINES["ablation"].datasets()
    entries = {name for name in datasets if not name.startswith("param")}
    entries = {f"{{variant}}.{name.split('.')[1]}" if "." in name else name for name in entries}
    # The hooks write one for people; the stage `label` writes the other, file by file.
    assert entries | {"llm_usage", "bulk_labels"} == set(catalog)
    layers = {name: entry["metadata"]["kedro-viz"]["layer"] for name, entry in catalog.items()}
    folders = {name: entry["filepath"].split("/")[1][3:] for name, entry in catalog.items() if "filepath" in entry}
    assert {name: layers[name] for name in folders} == folders
