"""What it costs to keep the record of what every entry was made from.

Usage:
    python benchmarks/freshness.py [--documents 100000] [--classes 500]

Runs ingest, enrich, pseudo_label and augment on synthetic documents in a temporary folder, with a stand-in for the
sentence encoder that costs next to nothing: the worst case for a share, since encoding and training, which take most
of a real run, are left out. Prints the seconds of the run, those spent in the hooks that write the records, and those
`kedro status` takes to look at them.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from accuracy import look_up
from kedro.config import OmegaConfigLoader
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro.validation.parameter_validator import ParameterValidator
from sklearn.feature_extraction.text import HashingVectorizer

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.config import complete_settings
from hmltc_kedro.datasets import LLMDataset
from hmltc_kedro.freshness.tracker import Tracker, count_states
from hmltc_kedro.hooks import FreshnessHooks
from hmltc_kedro.pipeline_registry import create_stage
from hmltc_kedro.settings import CONFIG_LOADER_ARGS

CONF = Path(__file__).resolve().parents[1] / "conf"
WORDS = 20_000
LENGTH = 40


class TimedHooks(FreshnessHooks):
    """The hooks, with the seconds they take."""

    def __init__(self) -> None:
        """Begin at zero."""
        super().__init__()
        self.seconds = 0.0

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Time it."""
        start = time.perf_counter()
        super().before_pipeline_run(pipeline, catalog)
        self.seconds += time.perf_counter() - start

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Time it."""
        start = time.perf_counter()
        super().before_dataset_loaded(node)
        self.seconds += time.perf_counter() - start

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Time it."""
        start = time.perf_counter()
        super().after_node_run(node)
        self.seconds += time.perf_counter() - start

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Time it."""
        start = time.perf_counter()
        super().after_dataset_saved(dataset_name, node)
        self.seconds += time.perf_counter() - start


class HashingEncoder:
    """A text is the sum of its words' random vectors, at unit length."""

    name = fingerprint = "hashed words"

    def __init__(self) -> None:
        """Draw the vectors."""
        self._hash = HashingVectorizer(n_features=2**15, alternate_sign=False)
        self._vectors = np.random.default_rng(0).standard_normal((2**15, 384), dtype=np.float32)

    def encode(self, texts: Sequence[str], role: str = "document") -> FloatArray:
        """Return vectors of shape (n, 384)."""
        vectors = np.asarray(self._hash.transform(texts).astype(np.float32) @ self._vectors)
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


def write_raw_files(folder: Path, documents: int, classes: int) -> None:
    """Write a three-level taxonomy and documents that use the words of one of its classes."""
    generator = np.random.default_rng(42)
    top = max(classes // 100, 1)
    middle = max(classes // 10, top + 1)
    parents = [c % top if c < middle else top + c % (middle - top) for c in range(top, classes)]
    own = generator.integers(WORDS, size=(classes, 10))
    for name in ("train", "test"):
        (folder / name).mkdir(parents=True)
    (folder / "classes.txt").write_text("".join(f"{c}\tclass_{c}\n" for c in range(classes)), "utf-8")
    edges = "".join(f"{p}\t{c}\n" for c, p in enumerate(parents, start=top))
    (folder / "class_hierarchy.txt").write_text(edges, "utf-8")
    keywords = "".join(f"{c}:{','.join(f'w{w}' for w in own[c])}\n" for c in range(classes))
    (folder / "class_related_keywords.txt").write_text(keywords, "utf-8")
    words = generator.integers(WORDS, size=(documents, LENGTH))
    about = generator.integers(classes, size=documents)
    words[:, :5] = own[about, :5]
    lines = [f"{i}\t{' '.join(f'w{w}' for w in row)}\n" for i, row in enumerate(words.tolist())]
    (folder / "train/train_corpus.txt").write_text("".join(lines[documents // 5 :]), "utf-8")
    (folder / "test/test_corpus.txt").write_text("".join(lines[: documents // 5]), "utf-8")


def open_catalog(pipeline: Pipeline) -> DataCatalog:
    """Return the catalog of conf/base for the dataset `synthetic`, without a language model, for a pipeline."""
    loader = OmegaConfigLoader(str(CONF), runtime_params={"dataset": "synthetic"}, **CONFIG_LOADER_ARGS)
    catalog = DataCatalog.from_config(loader["catalog"], loader["credentials"])
    settings = complete_settings(loader["parameters"])
    validated = ParameterValidator({"freshness": pipeline}).validate_raw_params(settings)
    for name in pipeline.inputs():
        if name.startswith("params:"):
            catalog[name] = MemoryDataset(look_up(validated, name.removeprefix("params:")))
    catalog["encoder"] = MemoryDataset(HashingEncoder(), copy_mode="assign")
    catalog["llm"] = LLMDataset(client="template", recordings="", cache="")
    return catalog


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=500)
    options = parser.parse_args()
    logging.getLogger("kedro").setLevel(logging.ERROR)
    chosen = [create_stage(name) for name in ("ingest", "enrich", "pseudo_label", "augment")]
    pipeline = sum(chosen, Pipeline([]))
    with tempfile.TemporaryDirectory() as folder:
        write_raw_files(Path(folder) / "data/01_raw/synthetic", options.documents, options.classes)
        os.chdir(folder)
        hooks, manager, catalog = TimedHooks(), _create_hook_manager(), open_catalog(pipeline)
        _register_hooks(manager, (hooks,))
        start = time.perf_counter()
        manager.hook.before_pipeline_run(run_params={}, pipeline=pipeline, catalog=catalog)
        SequentialRunner().run(pipeline, catalog, manager)
        total = time.perf_counter() - start
        print(f"{options.documents:,} documents, {options.classes} classes; nothing encoded, nothing trained")
        print(f"run      {total:8.2f} s")
        print(f"records  {hooks.seconds:8.2f} s  {hooks.seconds / total:.2%}")
        start = time.perf_counter()
        states = Tracker(pipeline.nodes, open_catalog(pipeline)).find_states()
        print(f"status   {time.perf_counter() - start:8.2f} s  {dict(count_states(states))}")
        records = sum(path.stat().st_size for path in Path(folder).rglob(".*.made.json"))
        print(f"size     {records / 1e6:8.2f} MB of records beside {sum(s.size or 0 for s in states) / 1e6:.0f} MB")
        os.chdir("/")


if __name__ == "__main__":
    main()
