"""A sentence-transformers model whose transformer OpenVINO computes.

The transformer is converted once a machine and kept as OpenVINO's own files (XML and weights) under the digest of what
was converted; tokenizer, pooling and whatever follows stay as they are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import file_digest, hash_file
from hmltc_kedro.text.backends import PACKAGES, find_version

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

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

FAITHFUL = 0.02
"""Largest relative error that a conversion may show on the probes; single precision shows 1e-6, a fault shows 1."""

FILES = ("model.xml", "model.bin")
NOTE = "files.json"
VOLATILE = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache")
"""Entries of a configuration that change when a model is saved again, and say nothing of what it computes."""


def run_on_openvino(model: SentenceTransformer, backend: str) -> SentenceTransformer:
    """Let OpenVINO compute the transformer that the model begins with; return the model, changed in place.

    Args:
        model: on the CPU; its first module is a transformer.
        backend: one of `SETTINGS`.

    Raises:
        InputError: the transformer cannot be converted.
    """
    first: Any = model[0]
    names = ["input_ids", "attention_mask"]
    names += [name for name in ("token_type_ids",) if name in first.tokenizer.model_input_names]
    folder = find_cache() / identify(first.auto_model, names, backend)
    found = read_files(folder)
    if found is None:
        converted = convert(model, names, backend)
        found = write_files(folder, converted) or converted
    first.forward = CompiledTransformer(found, names, backend)
    return model


class CompiledTransformer:
    """What stands for the transformer's forward pass: word pieces to a vector for each.

    Args:
        model: of OpenVINO.
        names: of its inputs.
        backend: one of `SETTINGS`.
    """

    def __init__(self, model: Any, names: list[str], backend: str) -> None:
        """Compile nothing yet: the number of threads is asked for when the first text comes."""
        self._model, self._names, self._backend = model, names, backend
        self._request: Any = None

    def __call__(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Return the features of n texts with `token_embeddings`, shape (n, length, d), float32."""
        if self._request is None:
            self._request = compile_model(self._model, self._backend).create_infer_request()
            self._model = None
        inputs = {name: features[name].numpy() for name in self._names}
        outputs = self._request.infer(inputs, share_inputs=True)  # outputs are a copy: the next lot overwrites them
        return {**features, "token_embeddings": torch.from_numpy(outputs[0])}


def compile_model(model: Any, backend: str) -> Any:
    """Return the model ready to compute on as many threads as torch has."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "PERFORMANCE_HINT": "LATENCY", **SETTINGS[backend]}
    return openvino.Core().compile_model(model, "CPU", settings)


# ---------------------------------------------------------------------- conversion


class _LastHiddenState(torch.nn.Module):
    """The transformer with tensors for inputs and a tensor for an output, as a converter follows it."""

    def __init__(self, transformer: torch.nn.Module, names: list[str]) -> None:
        super().__init__()
        self.transformer, self.names = transformer, names

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.transformer(**dict(zip(self.names, inputs, strict=True))).last_hidden_state  # type: ignore[no-any-return]


def convert(model: SentenceTransformer, names: list[str], backend: str) -> Any:
    """Return the transformer as a model of OpenVINO, after a look at whether it computes the same.

    Args:
        model: its first module is a transformer.
        names: of the transformer's inputs.
        backend: one of `SETTINGS`.

    Raises:
        InputError: the transformer cannot be converted, or computes something else then.
    """
    logger.info("Making the encoder ready for OpenVINO, once on this machine")
    probe = {name: value for name, value in model.preprocess(["a probe", "and a longer one"]).items() if name in names}
    first: Any = model[0]
    wrapped = _LastHiddenState(first.auto_model, names).eval()
    try:
        with _in_silence():
            import openvino

            inputs = tuple(probe[name] for name in names)
            with torch.no_grad():
                expected = wrapped(*inputs).float().numpy()
                found = openvino.convert_model(wrapped, example_input=inputs)
            for port, name in zip(found.inputs, names, strict=True):
                port.get_tensor().set_names({name})
            arrays = {name: value.numpy() for name, value in probe.items()}
            computed = compile_model(found, "openvino")(arrays)[0]
            if backend == "openvino-int8":
                import nncf

                found = nncf.compress_weights(found, mode=nncf.CompressWeightsMode.INT8_SYM)
    except Exception as error:  # a converter, a compiler and a quantiser, each with errors of its own
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"encoder_backend: OpenVINO cannot convert this encoder ({reason}); set it to torch"
        ) from error
    mask = arrays["attention_mask"] > 0
    off = np.abs(computed - expected)[mask].max() / np.abs(expected[mask]).max()
    if not off <= FAITHFUL:  # NaN is not
        raise InputError("encoder_backend: converted by OpenVINO this encoder computes something else; set it to torch")
    return found


@contextmanager
def _in_silence() -> Iterator[None]:
    """Leave neither pages of a converter's warnings on the screen nor a word with its makers.

    OpenVINO and NNCF report their use over the network unless they run in continuous integration.
    """
    before = os.environ.get("CI")
    os.environ["CI"] = "true"
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        os.environ.pop("CI")
        if before is not None:
            os.environ["CI"] = before


# ---------------------------------------------------------------------- files


def find_cache() -> Path:
    """Return the folder of converted models, shared by all projects of a user: `$XDG_CACHE_HOME`, else `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hmltc_kedro" / "openvino"


def identify(transformer: Any, names: list[str], backend: str) -> str:
    """Return the digest of what is converted and of what converts it: weights, configuration, inputs, versions, code.

    A model that was saved again has the same one.
    """
    config = {name: value for name, value in transformer.config.to_dict().items() if name not in VOLATILE}
    precise = "openvino-int8" if backend == "openvino-int8" else "openvino"  # bfloat16 is made of the same files
    about = {
        "config": config,
        "model": repr(transformer),
        "inputs": names,
        "backend": precise,
        "versions": {package: find_version(package) for package in (*PACKAGES[precise], "torch", "transformers")},
        "code": file_digest(Path(__file__)),
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode())
    for name, tensor in sorted(transformer.state_dict().items()):
        digest.update(f"{name}={tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def read_files(folder: Path) -> Any:
    """Return the model in a folder, None where there is none or its files are not those that were written."""
    import openvino

    try:
        note = json.loads((folder / NOTE).read_text("utf-8"))
        if any(hash_file(folder / name) != note[name] for name in FILES):
            raise ValueError("changed")
        return openvino.Core().read_model(folder / FILES[0])
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError, ValueError, LookupError, TypeError) as error:
        logger.warning("%s: damaged (%s), made again", folder, " ".join(str(error).split())[:200])
        shutil.rmtree(folder, ignore_errors=True)
        return None


def write_files(folder: Path, model: Any) -> Any:
    """Write a model to a folder, in one move at the end; return it as read from there.

    None where nothing can be written: the next process converts again.
    """
    import openvino

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".", suffix=".tmp") as temporary:
            made = Path(temporary) / "model"
            made.mkdir()
            openvino.save_model(model, made / FILES[0], compress_to_fp16=False)
            note = {name: hash_file(made / name) for name in FILES}
            (made / NOTE).write_text(json.dumps(note), "utf-8")
            if not folder.exists():  # another process may have been faster
                os.replace(made, folder)
    except (OSError, RuntimeError) as error:
        logger.warning("%s cannot be written (%s); the encoder is converted again each time", folder, error)
        return None
    return read_files(folder)
