"""What the stages' tests share: tiny raw files, the parameters of conf/base as models, a runner in memory."""

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from kedro.validation.parameter_validator import ParameterValidator

from hmltc_kedro.config import ProjectConfigLoader
from hmltc_kedro.corpus.raw_files import RawTable, make_rows
from hmltc_kedro.llm import TemplateClient
from hmltc_kedro.pipeline_registry import create_stage, register_pipelines
from hmltc_kedro.pipelines import STAGES
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from hmltc_kedro.taxonomy import Taxonomy
from kedro_project import REPOSITORY

TEXTS = {
    "train": [
        "leash for my puppy, strong dog leash",
        "the cat chases this toy mouse all day",
        "soft cushion, both dogs and cats sleep on it",
        "a spade and a rake for the garden",
        "garden tools, the rake bends",
        "dogs love it, dogs chew it",
    ],
    "test": ["a bed cushion for dogs", "rake and spade, good garden tools", "toy mouse with catnip for cats"],
}

Run = Callable[..., dict[str, Any]]


class WordEncoder:
    """Stands for a sentence encoder: a text is the sum of its words' random vectors, at unit length."""

    name = fingerprint = "words"

    def encode(self, texts: Sequence[str], role: str = "document") -> np.ndarray:
        vectors = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.lower().replace(",", " ").split():
                row += np.random.default_rng(zlib.crc32(word.rstrip("s").encode())).standard_normal(64)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def make_raw(name: str, pairs: Sequence[tuple[str, str]]) -> RawTable:
    keys, values = [k for k, _ in pairs], [v for _, v in pairs]
    return RawTable(name, make_rows(list(range(1, len(pairs) + 1)), keys, values, [None] * len(pairs)))


@pytest.fixture
def raw_tables(diamond: Taxonomy) -> dict[str, RawTable]:
    """Return the raw entries of the diamond with six training and three test documents."""
    edges = [(diamond.class_ids[p], diamond.class_ids[c]) for c in range(7) for p in diamond.parents[c]]
    return {
        "raw_classes": make_raw("classes.txt", list(zip(diamond.class_ids, diamond.names, strict=True))),
        "raw_hierarchy": make_raw("class_hierarchy.txt", edges),
        "raw_keywords": make_raw("keywords.txt", [("do", "puppy,leash"), ("be", "cushion"), ("to", "rake,spade")]),
        "raw_train_corpus": make_raw("train.txt", [(str(i), t) for i, t in enumerate(TEXTS["train"])]),
        "raw_test_corpus": make_raw("test.txt", [(str(i), t) for i, t in enumerate(TEXTS["test"])]),
        "raw_labels": make_raw("labels.csv", []),
        "gold_labels": make_raw("gold.txt", [("0", "an,do,be"), ("1", "ga,to"), ("2", "an,ca,ct")]),
    }


@pytest.fixture(scope="session")
def parameters() -> dict[str, Any]:
    """Return the parameters of the environment `test`, where a node takes a model as that, as Kedro hands them over."""
    loader = ProjectConfigLoader(str(REPOSITORY / "conf"), env="test", **CONFIG_LOADER_ARGS)
    return ParameterValidator(register_pipelines()).validate_raw_params(loader["parameters"])


def flatten_parameters(parameters: dict[str, Any], above: str = "params:") -> dict[str, Any]:
    """Return the entries that Kedro makes of parameters: `params:a`, `params:a.b`, ..."""
    entries = {}
    for key, value in parameters.items():
        entries[f"{above}{key}"] = value
        if isinstance(value, dict):
            entries |= flatten_parameters(value, f"{above}{key}.")
    return entries


@pytest.fixture
def run(parameters: dict[str, Any]) -> Run:
    """Return a function that runs a stage, or all up to it, and gives every entry it made."""

    def run_pipeline(pipeline: Pipeline, **entries: Any) -> dict[str, Any]:
        values = {"parameters": parameters, "run_record": {}, **flatten_parameters(parameters), **entries}
        catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in values.items()})
        for name in pipeline.all_outputs():
            catalog[name] = MemoryDataset(copy_mode="assign")
        SequentialRunner().run(pipeline, catalog)
        return {name: catalog.load(name) for name in pipeline.outputs()}

    return run_pipeline


@pytest.fixture
def run_until(run: Run, raw_tables: dict[str, RawTable]) -> Run:
    """Return a function that makes the inputs of a stage by running the stages before it on the diamond."""

    def run_before(stage: str, **entries: Any) -> dict[str, Any]:
        made = {**raw_tables, "encoder": WordEncoder(), "llm": TemplateClient(), **entries}
        for name in STAGES:
            if name == stage:
                break
            for node in create_stage(name).nodes:
                single = Pipeline([node])
                made |= run(single, **{k: v for k, v in made.items() if k in single.inputs()})
        return made

    return run_before
