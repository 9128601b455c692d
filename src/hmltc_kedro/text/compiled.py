"""A transformer that OpenVINO computes: how it is set up, and where what was converted is kept.

Neither torch nor transformers is imported here: an encoder that was made ready before answers without them.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from hmltc_kedro.arrays import FloatArray, IntArray
from hmltc_kedro.freshness.digests import hash_file
from hmltc_kedro.text.cores import count_cores

logger = logging.getLogger(__name__)

SETTINGS: dict[str, dict[str, str | int]] = {
    "openvino": {"INFERENCE_PRECISION_HINT": "f32"},
    "openvino-bf16": {"INFERENCE_PRECISION_HINT": "bf16"},
    "openvino-int8": {"INFERENCE_PRECISION_HINT": "bf16", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 128},
}
"""Said in any case: left alone, OpenVINO takes bfloat16 wherever a processor has it.

With 8 bits the weights are rounded channel by channel when the model is made and what they are multiplied with 128
numbers at a time while it computes: nothing is measured on texts, so the model is the same whatever is encoded first.
"""

MODEL = "model.xml"
NOTE = "files.json"
"""Digests of the other files of a folder."""

UNUSED = 60 * 86_400
"""Seconds for which nobody read a folder that is removed when the next one is written."""


class CompiledTransformer:
    """A transformer's forward pass: word pieces to a vector for each.

    Args:
        model: of OpenVINO.
        names: of its inputs.
        backend: one of `SETTINGS`.
        folder: name of that in the cache which it lies in.
    """

    def __init__(self, model: Any, names: Sequence[str], backend: str, folder: str) -> None:
        """Compile nothing yet: not every command that opens an encoder has a text for it."""
        self.names, self.folder = tuple(names), folder
        self._model, self._backend, self._threads = model, backend, count_threads()
        self._request: Any = None
        self._lock = threading.Lock()  # one request has one output, whichever thread asks

    def __call__(self, inputs: Mapping[str, IntArray]) -> FloatArray:
        """Return the vectors of n texts' word pieces, shape (n, length, d), float32.

        Args:
            inputs: by name, each of shape (n, length), int64.
        """
        with self._lock:
            if self._request is None:
                self._request = compile_model(self._model, self._backend, self._threads).create_infer_request()
                self._model = None
            outputs = self._request.infer({name: inputs[name] for name in self.names}, share_inputs=True)
            return np.array(outputs[0], dtype=np.float32)  # a copy: the next lot overwrites none of it


def compile_model(model: Any, backend: str, threads: int) -> Any:
    """Return the model ready to compute on so many threads."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", **SETTINGS[backend]}
    return openvino.Core().compile_model(model, "CPU", settings)


def count_threads() -> int:
    """Return the threads to compute on: those of torch if it is loaded, else `OMP_NUM_THREADS`; at most the cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    most = int(asked) if asked.isdecimal() and int(asked) else sys.maxsize
    torch = sys.modules.get("torch")
    return min(torch.get_num_threads() if torch else most, count_cores())


# ---------------------------------------------------------------------- files


def find_cache() -> Path:
    """Return the folder of converted models, shared by all projects of a user: `$XDG_CACHE_HOME`, else `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hmltc_kedro" / "openvino"


def read_model(folder: Path) -> Any:
    """Return the model in a folder, None where there is none or its files are not those that were written."""
    import openvino

    return read_folder(folder, lambda: openvino.Core().read_model(folder / MODEL))


def write_model(folder: Path, model: Any) -> Any:
    """Write a model to a folder; return it as read from there.

    None where nothing can be written: the next process converts again.
    """
    import openvino

    try:
        write_folder(folder, lambda made: openvino.save_model(model, made / MODEL, compress_to_fp16=False))
    except (OSError, RuntimeError) as error:
        logger.warning("%s cannot be written (%s); the encoder is converted again each time", folder, error)
        return None
    return read_model(folder)


def read_folder(folder: Path, read: Callable[[], Any]) -> Any:
    """Return what is read from a folder of `write_folder`; None where there is none, and a damaged one is removed."""
    try:
        note = json.loads((folder / NOTE).read_text("utf-8"))
        if any(not (folder / name).is_file() or hash_file(folder / name) != note[name] for name in note):
            raise ValueError("changed")
        with suppress(OSError):  # a cache that may only be read
            os.utime(folder)  # it is in use
        return read()
    except OSError:  # there is none, or none that can be read now
        return None
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        logger.warning("%s: damaged (%s), made again", folder, " ".join(str(error).split())[:200])
        shutil.rmtree(folder, ignore_errors=True)
        return None


def write_folder(folder: Path, write: Callable[[Path], object]) -> None:
    """Have files written into a folder, and their digests beside them, in one move at the end.

    Raises:
        OSError: there is no room, or no permission.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_unused(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".", suffix=".tmp") as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        write(made)
        note = {file.name: hash_file(file) for file in sorted(made.iterdir())}
        (made / NOTE).write_text(json.dumps(note), "utf-8")
        try:
            os.replace(made, folder)
        except OSError:
            if not folder.exists():  # another process was faster
                raise


def _remove_unused(cache: Path) -> None:
    """Remove what no process has read for long: models of other versions, leftovers of processes that were killed."""
    for folder in cache.iterdir():
        with suppress(OSError):  # another process was faster, or may and this one may not
            if folder.is_dir() and time.time() - folder.stat().st_mtime > UNUSED:
                shutil.rmtree(folder)
