"""What the report says about a run: small tables and samples of its entries. Every cap is a constant here."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

import numpy as np
import pandas as pd
from pydantic import BaseModel

from hmltc_kedro import display
from hmltc_kedro.annotation.rounds import PERSON
from hmltc_kedro.display import flatten
from hmltc_kedro.llm.usage import format_cost
from hmltc_kedro.report.entries import RunEntries

PACKAGES = (
    *("hmltc_kedro", "kedro", "kedro-datasets", "numpy", "pandas", "scipy", "scikit-learn", "plotly", "pydantic"),
    *("safetensors", "sentence-transformers", "torch", "transformers"),
)


MAX_TEXT = 500
"""Characters of a text that are shown."""


MAX_ROWS = 1000
"""Rows of a table of classes."""


MEASURED = 10_000
"""Documents whose length is measured."""


def shorten(text: str) -> str:
    """Return `text`, cut after `MAX_TEXT` characters."""
    return display.shorten(text, MAX_TEXT, "…")


def read_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as dictionaries."""
    return cast(list[dict[str, Any]], frame.to_dict("records"))


def summarise_corpus(documents: pd.DataFrame, rejected: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row a split: split, documents, rejected, words (the median), longest (in words).

    Words are counted in at most `MEASURED` documents of a split, evenly spread.
    """
    rows = []
    for split in ("train", "test"):
        texts = documents.loc[documents["split"] == split, "text"]
        words = texts.iloc[:: max(1, len(texts) // MEASURED)].str.count(r"\S+")
        rows.append(
            {
                "split": split,
                "documents": len(texts),
                "rejected": int((rejected["split"] == split).sum()),
                "words": float(words.median()) if len(words) else np.nan,
                "longest": int(words.max()) if len(words) else 0,
            }
        )
    return rows


def summarise_taxonomy(run: RunEntries) -> list[tuple[str, int]]:
    """Return counts of classes by what they are and have, as (what, how many)."""
    taxonomy = run.taxonomy
    counts = [
        ("classes", len(taxonomy)),
        ("edges", taxonomy.n_edges),
        ("roots", len(taxonomy.roots)),
        ("leaves", len(taxonomy.leaves)),
        ("levels", taxonomy.depth),
        ("classes with several parents", sum(len(parents) > 1 for parents in taxonomy.parents)),
        ("classes without keywords", sum(not words for words in taxonomy.keywords)),
    ]
    completed = sum(
        bool(k) and not own for k, own in zip(run.enriched_taxonomy.keywords, taxonomy.keywords, strict=True)
    )
    sources = Counter(map(str, run.class_descriptions["source"]))
    return [
        *counts,
        ("of these, completed by the language model", completed),
        *((f"descriptions, source: {source}", n) for source, n in sources.most_common()),
    ]


def describe_stages(run: RunEntries, stages: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row a stage: stage, did (sentences), seconds, finished, money, usage, nodes.

    All but the sentences come from the record of the last run of each of the stage's nodes and are None without one.
    Money is what the language model was paid and usage what it did, in words; None where it was not asked.
    """
    did = _describe_work(run)
    rows = []
    for stage in stages:
        nodes = {name: node for name, node in run.run_record.items() if node["stage"] == stage}
        usages = [node["llm"] for node in nodes.values() if node.get("llm")]
        rows.append(
            {
                "stage": stage,
                "did": did[stage],
                "seconds": sum(node["seconds"] for node in nodes.values()) if nodes else None,
                "finished": max((node["finished"] for node in nodes.values()), default=None),
                "money": _add_up(usages) if usages else None,
                "usage": _describe_usage(usages) if usages else None,
                "nodes": nodes,
            }
        )
    return rows


def _describe_work(run: RunEntries) -> dict[str, list[str]]:
    silver, starved, history = run.silver_labels, run.starved_classes, run.training_history
    n_written = sum(i in count_synthetic(run.synthetic_documents) for i in starved["class_id"])
    sources = Counter("template" if s == "template" else "written" for s in run.class_descriptions["source"])
    labels = run.predictions["class_ids"].map(len)
    n_docs = run.metrics["n_docs"]
    n_given = int((run.annotations["source"] == PERSON).sum())
    epochs = history.groupby("phase", sort=False)["epoch"].max()
    return {
        "ingest": [
            f"{len(run.documents):,} documents read, {len(run.rejected_documents):,} set aside",
            f"{len(run.taxonomy):,} classes on {run.taxonomy.depth} levels",
        ],
        "enrich": [
            f"{sources['written']:,} class descriptions by a language model, {sources['template']:,} from the template"
        ],
        "pseudo_label": [
            f"{silver['kept'].sum():,} of {len(silver):,} silver labels kept",
            f"{len(starved):,} of {len(run.taxonomy):,} classes starved",
        ],
        "annotate": [
            f"{n_given:,} documents labelled by people, {len(run.annotations) - n_given:,} asked about",
        ],
        "augment": [
            f"{len(run.synthetic_documents):,} synthetic documents, "
            f"for {n_written:,} of {len(starved):,} starved classes",
            f"{len(run.training_examples):,} training examples",
        ],
        "train": [f"{spell(str(phase))}: {n} epochs" for phase, n in epochs.items()],
        "infer": [
            f"{len(labels):,} test documents labelled",
            f"{labels.mean() if len(labels) else 0:.1f} classes a document",
        ],
        "evaluate": [f"{n_docs:,} documents scored" if n_docs else "no gold labels, nothing to score"],
        "report": ["studies of style and class embeddings, and this page"],
    }


def _add_up(usages: Sequence[Mapping[str, Any]]) -> str:
    """Return what several nodes paid the language model; answers on hand are free, whatever the price."""
    costs = [usage["cost"] for usage in usages if usage["calls"]]
    return format_cost(None if None in costs else sum(costs))


def _describe_usage(usages: Sequence[Mapping[str, Any]]) -> str:
    """Return how many answers came from the language model, how many were on hand, and how many there were not."""
    shown = ("calls", "input_tokens", "output_tokens", "cached", "failed")  # records of old lack newer counts
    total = {key: sum(usage[key] for usage in usages) for key in shown}
    parts = [f"{total['calls']:,} calls, {total['input_tokens'] + total['output_tokens']:,} tokens"]
    parts += [f"{total['cached']:,} answers on hand"] if total["cached"] else []
    return ", ".join(parts + ([f"{total['failed']:,} without an answer"] if total["failed"] else []))


def spell(name: str) -> str:
    """Return a name for people, spaces for underscores."""
    return name.replace("_", " ")


def count_by_size(statistics: pd.DataFrame) -> tuple[list[str], dict[str, list[int]]]:
    """Return the histogram of class sizes: the bins 0, 1, 2-3, 4-7, ... and the classes in each, by status."""
    counts = statistics["n_documents"].to_numpy(np.int64)
    bins = np.where(counts > 0, 1 + np.floor(np.log2(np.maximum(counts, 1))), 0).astype(np.int64)
    status = np.where(statistics["empty"], "empty", np.where(statistics["starved"], "starved", "enough"))
    n = int(bins.max()) + 1
    names = ["0", *(str(2**k) if k == 0 else f"{2**k}+" for k in range(n - 1))]
    return names, {s: np.bincount(bins[status == s], minlength=n).tolist() for s in ("empty", "starved", "enough")}


def flatten_settings(parameters: Mapping[str, Any], stages: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the parameters of each stage by dotted key, defaults included; of the whole run below an empty name."""
    settings: dict[str, dict[str, Any]] = {"": {}, **{stage: {} for stage in stages}}
    for name, value in parameters.items():
        value = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        if isinstance(value, Mapping):
            settings[name] = dict(flatten(value))
        else:
            settings[""][name] = value
    return settings


def list_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # the project itself, run from its source
            versions[name] = "not installed"
    return versions


def count_synthetic(synthetic_documents: pd.DataFrame) -> Counter[str]:
    """Return for each class the number of documents written for it."""
    return Counter(path[-1] for path in synthetic_documents["class_ids"])
