"""What each backend of the encoder gains and costs: rate, cosine to plain `encode`, label sets and sample-F1.

Usage:
    python benchmarks/encoding.py [--models embedded] [--texts 256] [--rounds 5] [--from amazon531_real]
                                  [--datasets sample] [--backends torch openvino openvino-bf16 openvino-int8]

Rates are processor seconds of one thread and ratios within a round: in each round every backend encodes the same texts
once, one after the other, so that a machine that does other things as well slows all of them alike. `plain` is
`SentenceTransformer.encode` in batches of 32.

Label sets and scores are those of the project's whole chain with its default settings, a run a backend; gold is read
for measuring alone. Results are written to `data/08_reporting/encoding.json`.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from accuracy import ROOT, Row, make_plan, run_nodes, score_documents

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.corpus.raw_files import read_text_table
from hmltc_kedro.text.models import open_encoder, open_model, resolve_model
from hmltc_kedro.text.windows import encode_texts

RESULTS = ROOT / "data" / "08_reporting" / "encoding.json"
BACKENDS = ("torch", "openvino", "openvino-bf16", "openvino-int8")
SEED, LENGTH, BATCH = 42, 128, 32


def draw_texts(dataset: str, count: int) -> list[str]:
    """Return texts of a dataset's training corpus."""
    table = read_text_table(ROOT / "data" / "01_raw" / dataset / "train" / "train_corpus.txt", "\t").rows
    texts = [text for text in table["value"] if isinstance(text, str) and text.strip()]
    rows = np.random.default_rng(SEED).choice(len(texts), min(count, len(texts)), replace=False)
    return [texts[row] for row in rows]


def measure_rates(name: str, texts: list[str], rounds: int, backends: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row a backend: texts a processor second, ratio to plain `encode`, cosine to its vectors."""
    import torch

    torch.set_num_threads(1)
    directory = resolve_model(name)
    plain = open_model(directory, "cpu", LENGTH)
    ways: dict[str, Callable[[], FloatArray]] = {
        "plain": lambda: plain.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
    }
    for backend in backends:
        model = open_encoder(directory, "cpu", LENGTH, backend)
        ways[backend] = partial(encode_texts, model, texts, BATCH, 1)
    vectors = {way: encode() for way, encode in ways.items()}  # the first time OpenVINO prepares each shape
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, encode in ways.items():
            started = time.process_time()
            encode()
            seconds[way].append(time.process_time() - started)
    taken = {way: np.array(row) for way, row in seconds.items()}
    cosines = {way: (found * vectors["plain"]).sum(axis=1) for way, found in vectors.items()}
    return [
        {
            "model": name,
            "backend": way,
            "texts_a_second": round(float(len(texts) / np.median(taken[way])), 1),
            "ratio": round(float(np.median(taken["plain"] / taken[way])), 2),
            "cosine": round(float(cosines[way].mean()), 7),
            "least_cosine": round(float(cosines[way].min()), 7),
        }
        for way in ways
    ]


def measure_labels(dataset: str, backends: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row a backend: sample-F1, and how many label sets are not those of torch."""
    rows: list[dict[str, Any]] = []
    known: list[list[str]] | None = None
    for backend in ["torch", *(backend for backend in backends if backend != "torch")]:
        plan = make_plan(Row(backend, globals={"encoder_backend": backend}), dataset)
        values, seconds = run_nodes(plan.pipeline, plan.parameters, plan.catalog)
        scores = score_documents(plan.catalog.load("gold_labels"), values["predictions"], values["taxonomy"])
        found = [sorted(ids) for ids in values["predictions"]["class_ids"]]
        known = known or found
        row = {
            "dataset": dataset,
            "backend": backend,
            "documents": len(found),
            "other_label_sets": sum(ours != theirs for ours, theirs in zip(found, known, strict=True)),
            "sample_f1": round(float(scores["sample_f1"].mean()), 4),
            "seconds": round(sum(seconds.values()), 1),
        }
        print(json.dumps(row), flush=True)
        rows.append(row)
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=["embedded"])
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--from", dest="source", default="sample", help="the dataset whose texts are encoded")
    parser.add_argument("--datasets", nargs="*", default=["sample"])
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    arguments = parser.parse_args(argv)
    rates = [
        row
        for name in arguments.models
        for row in measure_rates(
            name, draw_texts(arguments.source, arguments.texts), arguments.rounds, arguments.backends
        )
    ]
    for row in rates:
        print(json.dumps(row), flush=True)
    labels = [row for dataset in arguments.datasets for row in measure_labels(dataset, arguments.backends)]
    machine = {"processor": platform.processor() or platform.machine(), "python": platform.python_version()}
    versions = {package: version(package) for package in ("torch", "sentence-transformers", "openvino", "nncf")}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine | versions, "rates": rates, "labels": labels}, indent=2), "utf-8")


if __name__ == "__main__":
    main()
