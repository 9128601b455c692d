"""What an epoch of fine-tuning costs, with the outputs of the frozen layers kept and without.

Usage:
    python benchmarks/fine_tuning.py [--models embedded] [--texts 320] [--from amazon531_real] [--share 0.34]

Processor seconds of one thread a text, of the first epoch and of the one after it: forward and backward through the
encoder, which is what fine-tuning spends its time on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

import numpy as np
import torch
from encoding import draw_texts

from hmltc_kedro.modeling import frozen_layers
from hmltc_kedro.modeling.features import EncodedFeatures
from hmltc_kedro.modeling.frozen_layers import freeze_lower_layers
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.features import Windows

BATCH, EPOCHS = 16, 2


def time_epochs(name: str, texts: list[str], share: float) -> list[float]:
    """Return the processor seconds a text of each epoch."""
    model = TextEncoder(name, max_windows=1, device="cpu").load_model().train()
    freeze_lower_layers(model, share)
    features = EncodedFeatures(model, Windows(texts, np.arange(len(texts) + 1)), torch.float32)
    order = np.argsort([len(text) for text in texts], kind="stable")
    seconds = []
    for _ in range(EPOCHS):
        started = time.process_time()
        for start in range(0, len(order), BATCH):
            features(order[start : start + BATCH]).sum().backward()  # type: ignore[no-untyped-call]
        seconds.append((time.process_time() - started) / len(texts))
    return seconds


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["embedded"])
    parser.add_argument("--texts", type=int, default=320)
    parser.add_argument("--from", dest="source", default="sample", help="the dataset whose texts are read")
    parser.add_argument("--share", type=float, default=0.34, help="of the layers, that is trained")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    texts, held = draw_texts(arguments.source, arguments.texts), frozen_layers.HELD
    for name in arguments.models:
        for kept in (held, 0):
            frozen_layers.HELD = kept
            seconds = [round(value, 4) for value in time_epochs(name, texts, arguments.share)]
            print(json.dumps({"model": name, "kept": kept > 0, "seconds_a_text": seconds}), flush=True)


if __name__ == "__main__":
    main()
