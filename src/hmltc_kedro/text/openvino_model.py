"""A sentence-transformers model whose transformer OpenVINO computes.

The transformer is converted once a machine and kept as OpenVINO's own files (XML and weights) under the digest of what
was converted; tokenizer, pooling and whatever follows stay as they are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import file_digest
from hmltc_kedro.text.backends import PACKAGES, find_version
from hmltc_kedro.text.compiled import (
    CompiledTransformer,
    compile_model,
    count_threads,
    find_cache,
    read_model,
    write_model,
)

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

FAITHFUL = 0.02
"""Largest relative error that a conversion may show on the probes; single precision shows 1e-6, a fault shows 1."""

VOLATILE = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache")
"""Entries of a configuration that change when a model is saved again, and say nothing of what it computes."""


def run_on_openvino(model: SentenceTransformer, backend: str) -> CompiledTransformer:
    """Let OpenVINO compute the transformer that the model, changed in place, begins with; return what computes it.

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
    found = read_model(folder)
    if found is None:
        converted = convert(model, names, backend)
        found = write_model(folder, converted) or converted
    transformer = CompiledTransformer(found, names, backend, folder.name)

    def forward(features: dict[str, Any], **_: Any) -> dict[str, Any]:
        tokens = transformer({name: features[name].numpy() for name in names})
        return {**features, "token_embeddings": torch.from_numpy(tokens)}

    first.forward = forward
    return transformer


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
            computed = compile_model(found, "openvino", count_threads())(arrays)[0]
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
