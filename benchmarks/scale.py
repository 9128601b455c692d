"""What each stage costs at growing numbers of documents: seconds, peak memory and rows a second.

Usage:
    python benchmarks/scale.py [--fit 10000 100000] [--label 100000 1000000] [--classes 531] [--workers 1 2]

Fits on synthetic documents with a static encoder (a vector a word, thousands of texts a second), so that what is
measured is the method and not the encoder, stage by stage through the command line, each in a process of its own.
The last classifier then labels bulk documents with the engine `processes`, by numbers of workers. All of it happens in
a temporary project; only the results stay: `data/08_reporting/scale.json`, a row a stage.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hmltc_kedro.pipelines import STAGES

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "data" / "08_reporting" / "scale.json"
WORDS, LENGTH, KEYWORDS, DIMENSIONS, SEED = 20_000, 40, 6, 256, 42
FILE_ROWS = 200_000
TEST_ROWS = 500


def make_project(folder: Path) -> Path:
    """Make a project of the same code and settings with the static encoder."""
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    save_encoder(folder / "encoder")
    settings = folder / "conf" / "base" / "globals.yml"
    settings.write_text(settings.read_text("utf-8").replace("encoder: embedded", "encoder: encoder"), "utf-8")
    return folder


def save_encoder(folder: Path) -> None:
    """Save a sentence-transformers model that is a random vector a word."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, **{name_word(k): k + 1 for k in range(WORDS)}}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    vectors = np.random.default_rng(SEED).normal(size=(WORDS + 1, DIMENSIONS)).astype(np.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=vectors)], device="cpu").save(str(folder))


def name_word(number: int) -> str:
    """Return a word."""
    return f"w{number}"


def make_taxonomy(folder: Path, n_classes: int) -> list[list[int]]:
    """Write classes of three levels and their keywords; return the numbers of each class's words."""
    rng = np.random.default_rng(SEED)
    roots, inner = max(1, n_classes // 90), max(1, n_classes // 9)
    parents = {
        c: int(rng.integers(0, roots) if c < inner else rng.integers(roots, inner)) for c in range(roots, n_classes)
    }
    words = [list(map(int, rng.choice(WORDS, KEYWORDS, replace=False))) for _ in range(n_classes)]
    folder.mkdir(parents=True)
    (folder / "classes.txt").write_text("".join(f"{c}\tclass_{c}\n" for c in range(n_classes)), "utf-8")
    (folder / "class_hierarchy.txt").write_text("".join(f"{p}\t{c}\n" for c, p in parents.items()), "utf-8")
    keywords = "".join(f"class_{c}:{','.join(map(name_word, row))}\n" for c, row in enumerate(words))
    (folder / "class_related_keywords.txt").write_text(keywords, "utf-8")
    return words


def make_documents(n: int, words: list[list[int]], seed: int) -> pd.DataFrame:
    """Return documents of some words of one class and many that are about nothing."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, len(words), n)
    own = np.array(words)[classes[:, None], rng.integers(0, KEYWORDS, (n, 4))]
    other = np.minimum(rng.zipf(1.2, (n, LENGTH - 4)), WORDS) - 1
    numbers = np.concatenate([own, other], axis=1)
    known = np.array([name_word(k) for k in range(WORDS)], dtype=object)
    return pd.DataFrame({"doc_id": [str(k) for k in range(n)], "text": [" ".join(known[row]) for row in numbers]})


def run_stage(project: Path, dataset: str, stage: str, *settings: str) -> dict[str, Any]:
    """Run a stage in a process of its own; return its seconds and the most memory it held, in MB."""
    command = [sys.executable, "-m", "kedro", "run", f"--pipelines={stage}"]
    started = time.perf_counter()
    with (project / "log.txt").open("w") as log:
        child = subprocess.Popen(
            [*command, f"--params={','.join([f'dataset={dataset}', *settings])}"],
            cwd=project,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit((project / "log.txt").read_text("utf-8")[-3000:])
    seconds = time.perf_counter() - started
    return {"stage": stage, "seconds": round(seconds, 1), "megabytes": round(usage.ru_maxrss / 1024)}


def measure_fit(project: Path, n: int, n_classes: int) -> list[dict[str, Any]]:
    """Fit on n documents; return a row a stage."""
    dataset = f"scale_{n}"
    raw = project / "data" / "01_raw" / dataset
    words = make_taxonomy(raw, n_classes)
    for split, rows in (("train", n - TEST_ROWS), ("test", TEST_ROWS)):
        (raw / split).mkdir()
        make_documents(rows, words, SEED + len(split)).to_parquet(raw / split / f"{split}_corpus.parquet")
    return [{"documents": n, **run_stage(project, dataset, stage)} for stage in STAGES]


def measure_label(project: Path, dataset: str, n: int, n_classes: int, workers: int) -> dict[str, Any]:
    """Label n documents; return the row."""
    bulk, words = project / "data" / "01_raw" / dataset / "bulk", None
    shutil.rmtree(bulk, ignore_errors=True)
    shutil.rmtree(project / "data" / "07_model_output" / dataset / "bulk_labels", ignore_errors=True)
    bulk.mkdir()
    words = make_taxonomy(project / f"words_{n}_{workers}", n_classes)
    for number, start in enumerate(range(0, n, FILE_ROWS)):
        make_documents(min(FILE_ROWS, n - start), words, number).to_parquet(bulk / f"part-{number:04d}.parquet")
    engine = ["label.engine=serial"] if workers == 1 else ["label.engine=processes", f"label.workers={workers}"]
    row = run_stage(project, dataset, "label", *engine)
    return {"documents": n, "workers": workers, **row, "rows_a_second": round(n / row["seconds"])}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--label", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--classes", type=int, default=531)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder) / "project")
        for n in arguments.fit:
            rows += measure_fit(project, n, arguments.classes)
            report(rows)
        for n in arguments.label:
            for workers in arguments.workers:
                rows.append(measure_label(project, f"scale_{arguments.fit[-1]}", n, arguments.classes, workers))
                report(rows)


def report(rows: list[dict[str, Any]]) -> None:
    """Print the last row and write all of them, with the machine."""
    print(json.dumps(rows[-1]), flush=True)
    machine = {"cores": os.cpu_count(), "processor": platform.processor(), "python": platform.python_version()}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2), "utf-8")


if __name__ == "__main__":
    main()
