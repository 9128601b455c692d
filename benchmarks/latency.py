"""How soon a service answers: a fresh process to its first answer, then one text at a time.

Usage:
    python benchmarks/latency.py [MODEL] [--texts 200] [--starts 3]

MODEL is the directory of a classifier (`data/06_models/sample/classifier`). Prints seconds of the clock and of the
processor for each step of a fresh process, the least of some starts, as other programs only ever add to it; then the
median and the 95th percentile of a text, and the load of the machine before and after: what waits for a core takes
longer on the clock than on the processor.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

TEXT = "Whistling kettle, {} l. Boils in no time, the handle stays cool and the lid is loose"

MODEL = "data/06_models/sample/classifier"

STEPS = ("import", "load", "first answer")


def measure(model: str, n_texts: int) -> dict[str, list[float]]:
    """Return (clock, processor) seconds of each step and clock and processor milliseconds of each text."""
    marks = [(time.perf_counter(), time.process_time())]

    def mark() -> None:
        marks.append((time.perf_counter(), time.process_time()))

    from hmltc_kedro import HierarchicalClassifier

    mark()
    classifier = HierarchicalClassifier.load(model)
    mark()
    classifier.predict(TEXT.format(0))
    mark()
    steps = np.diff(np.array(marks), axis=0)
    found = {name: step.tolist() for name, step in zip(STEPS, steps, strict=True)}
    for name, clock in (("clock", time.perf_counter), ("processor", time.process_time)):
        texts = [TEXT.format(i) for i in range(n_texts)]
        found[name] = [1000 * _time(partial(classifier.predict, text), clock) for text in texts]
    return found


def _time(call: Callable[[], object], clock: Callable[[], float]) -> float:
    started = clock()
    call()
    return clock() - started


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "model", nargs="?", default="data/06_models/sample/classifier", help="directory of a classifier"
    )
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        print(json.dumps(measure(options.model, options.texts)))
        return
    before = os.getloadavg()[0]
    command = [sys.executable, __file__, options.model, "--texts", str(options.texts), "--worker"]
    runs = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        for _ in range(options.starts)
    ]
    print(f"{'':14}{'clock':>9}{'processor':>11}")
    totals = np.zeros(2)
    for name in STEPS:
        least = np.min([run[name] for run in runs], axis=0)
        totals += least
        print(f"{name:14}{least[0]:7.2f} s{least[1]:9.2f} s")
    print(f"{'together':14}{totals[0]:7.2f} s{totals[1]:9.2f} s")
    for label, of in (("a text", partial(np.quantile, q=0.5)), ("95 % within", partial(np.quantile, q=0.95))):
        clock, processor = (min(of(run[name]) for run in runs) for name in ("clock", "processor"))
        print(f"{label:14}{clock:6.1f} ms{processor:8.1f} ms")
    print(f"load {before:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
