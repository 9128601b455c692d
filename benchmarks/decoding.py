"""Beam search over a whole test set, beside the plain search a document at a time.

Usage:
    python benchmarks/decoding.py data/01_raw/amazon531 [--documents 19658]

The directory holds classes.txt and class_hierarchy.txt. The probabilities are random sigmoids of
normal logits, half of them active: many more open children than a trained classifier leaves
(`--mean-logit -2.5` leaves a tenth).
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hmltc_kedro.corpus.raw_files import read_text_table
from hmltc_kedro.decoding.baselines import leaf_priority
from hmltc_kedro.decoding.beam import CHILD_THRESHOLD, beam_search
from hmltc_kedro.decoding.paths import choose_paths, union_paths
from hmltc_kedro.taxonomy import Taxonomy


def read_taxonomy(directory: Path) -> Taxonomy:
    """Return the taxonomy of a raw dataset directory."""
    tables = [read_text_table(directory / name, "\t").rows for name in ("classes.txt", "class_hierarchy.txt")]
    classes, edges = (list(zip(rows["key"], rows["value"], strict=True)) for rows in tables)
    return Taxonomy.from_edges(classes, edges)


def plain_beam_search(
    probabilities: npt.NDArray[np.float32], taxonomy: Taxonomy, beam_width: int
) -> list[list[tuple[float, tuple[int, ...]]]]:
    """Return (score, path) lists by the rules of `beam_search`, in plain Python."""
    result = []
    for row in probabilities:
        values = row.tolist()
        beam: list[tuple[float, tuple[int, ...]]] = [(math.log(values[r]), (r,)) for r in taxonomy.roots.tolist()]
        complete: list[tuple[float, tuple[int, ...]]] = []
        while beam:
            unfinished = []
            ways: dict[int, tuple[float, tuple[int, ...]]] = {}  # the best to each last class
            for way in sorted(beam, key=lambda item: (-round(item[0] / len(item[1]), 9), item[1])):
                ways.setdefault(way[1][-1], way)
            for log_product, path in ways.values():
                active = [c for c in taxonomy.children[path[-1]] if values[c] >= CHILD_THRESHOLD]
                if active:
                    unfinished.append((log_product, path, active))
                else:
                    complete.append((math.exp(round(log_product / len(path), 9)), path))
            unfinished.sort(key=lambda item: (-round(item[0] / len(item[1]), 9), item[1]))
            beam = [
                (log_product + math.log(values[c]), (*path, c))
                for log_product, path, active in unfinished[:beam_width]
                for c in active
            ]
        ends: dict[int, tuple[float, tuple[int, ...]]] = {}
        for end in sorted(complete, key=lambda item: (-item[0], item[1])):
            ends.setdefault(end[1][-1], end)
        result.append(list(ends.values())[:beam_width])
    return result


def main() -> None:
    """Time both searches and check that they agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--documents", type=int, default=19_658)
    parser.add_argument("--beam", type=int, default=10)
    parser.add_argument("--mean-logit", type=float, default=0.0)
    options = parser.parse_args()
    taxonomy = read_taxonomy(options.dataset)
    generator = np.random.default_rng(42)
    logits = generator.normal(options.mean_logit, 2.0, size=(options.documents, len(taxonomy)))
    probabilities = (1 / (1 + np.exp(-logits))).astype(np.float32)
    del logits
    print(
        f"{options.documents} documents x {len(taxonomy)} classes, beam {options.beam}, "
        f"{(probabilities >= CHILD_THRESHOLD).mean():.1%} of the probabilities active"
    )

    def report(name: str, start: float) -> None:
        seconds = time.perf_counter() - start
        print(f"{name:<28}{seconds:8.2f} s {options.documents / seconds:12,.0f} documents/s")

    start = time.perf_counter()
    decoded = beam_search(probabilities, taxonomy, beam_width=options.beam)
    report("beam_search", start)
    half = probabilities.astype(np.float16)
    start = time.perf_counter()
    beam_search(half, taxonomy, beam_width=options.beam)
    report("beam_search, float16", start)
    start = time.perf_counter()
    union_paths(choose_paths(decoded, max_paths=3, path_ratio=0.9), taxonomy)
    report("choose and unite paths", start)
    start = time.perf_counter()
    leaf_priority(probabilities, taxonomy)
    report("leaf_priority", start)
    start = time.perf_counter()
    plain = plain_beam_search(probabilities, taxonomy, options.beam)
    report("plain Python beam search", start)
    found = [[tuple(c for c in path if c >= 0) for path in paths if path[0] >= 0] for paths in decoded.paths.tolist()]
    same = sum(a == [path for _, path in b] for a, b in zip(found, plain, strict=True))
    print(f"the same paths in the same order for {same} of {options.documents} documents")


if __name__ == "__main__":
    main()
