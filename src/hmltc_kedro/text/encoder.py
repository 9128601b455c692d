"""Text to unit vectors, each text paid for once.

`TextEncoder` wraps a sentence-transformers model (safetensors weights only) and keeps a content-addressed cache:
the key of a vector is the model's fingerprint, the exact text and what it is, so a run after a crash, or with 100 new
documents, encodes what is new.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.display import shorten, show_progress
from hmltc_kedro.errors import InputError
from hmltc_kedro.text.backends import choose_backend
from hmltc_kedro.text.models import EMBEDDED, fingerprint_model, open_encoder, open_model, resolve_model
from hmltc_kedro.text.texts import Texts, read_texts
from hmltc_kedro.text.vector_cache import CHUNK, VectorCache
from hmltc_kedro.text.windows import Role, SentenceModel, check_vectors, encode_texts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

MAX_WINDOWS = 8
"""Of a text: with 128 word pieces in each some 700 words."""

MAX_REASON = 200
"""Characters of what a library says of a file that it cannot read; some write a page."""


class TextEncoder:
    """A sentence encoder with a cache.

    Args:
        model: `embedded` (all-MiniLM-L6-v2 out of an installed package), a directory, or a hub name.
        max_length: word pieces the model reads at once.
        max_windows: a longer text is read in windows, at most so many: see `cut_windows`; 1 cuts it.
        batch_size: texts a batch.
        device: `auto` (CUDA, then Apple's MPS, then the CPU) or a torch device name.
        backend: what computes, see `choose_backend`.
        cache: file of the vector cache; None for no cache.
    """

    def __init__(
        self,
        model: str = EMBEDDED,
        *,
        max_length: int = 128,
        max_windows: int = MAX_WINDOWS,
        batch_size: int = 32,
        device: str = "auto",
        backend: str = "torch",
        cache: str | Path | None = None,
    ) -> None:
        """Remember the settings; the model is loaded when the first text has to be encoded."""
        self.name = model
        self.max_length = max_length
        self.max_windows = max_windows
        self.batch_size = batch_size
        self.device = device
        self._backend = backend
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
        return fingerprint_model(self.directory, self.max_length, self.max_windows, self.backend)

    @cached_property
    def backend(self) -> str:
        """What computes, with `auto` decided.

        Raises:
            InputError: as `choose_backend`.
        """
        return choose_backend(self._backend, self.directory, self.device)

    @cached_property
    def model(self) -> SentenceModel:
        """The loaded model, shared by everything that reads and not trains it."""
        with self._refuse_damage():
            return open_encoder(self.directory, self.device, self.max_length, self.backend)

    def load_model(self) -> SentenceTransformer:
        """Return a fresh copy of the model in torch: what training may change.

        Raises:
            InputError: its files are damaged.
        """
        with self._refuse_damage():
            return open_model(self.directory, self.device, self.max_length)

    @contextmanager
    def _refuse_damage(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # three libraries read these files, each with errors of its own
            reason = shorten(" ".join(str(error).split()), MAX_REASON, " ...")
            raise InputError(f"{self.directory}: not a readable encoder ({reason}); get it again") from error

    @cached_property
    def dimension(self) -> int:
        """Length of a vector."""
        model: Any = self.model
        measure = getattr(model, "get_embedding_dimension", None)  # as of sentence-transformers 6
        return int((measure or model.get_sentence_embedding_dimension)() or 0)

    def encode(self, texts: Texts, role: Role = "document") -> FloatArray:
        """Return the vectors of `texts`: shape (n, dimension), float32, unit length.

        Texts are deduplicated, looked up, and the rest is encoded in batches of similar length.

        Args:
            texts: n texts.
            role: what they are; a model may have prompts for documents and for what they are found by.

        Raises:
            InputError: as `read_texts` and `VectorCache`, or a vector is not finite or not of unit length.
        """
        texts = read_texts(texts)
        prefix = bytes.fromhex(self.fingerprint) + f"{role}\0".encode()
        keys = [hashlib.sha256(prefix + text.encode("utf-8")).digest() for text in texts]
        cache = VectorCache(self._cache_path) if self._cache_path is not None else None
        try:
            known = cache.get(list(dict.fromkeys(keys))) if cache else {}
            todo = {k: t for k, t in zip(keys, texts, strict=True) if k not in known}
            self.n_cached += len(texts) - len(todo)
            self.n_encoded += len(todo)
            logger.info("Encoding %d texts, %d more are cached", len(todo), len(texts) - len(todo))
            for new_keys, vectors in self._encode_chunks(todo, role):
                known.update(zip(new_keys, vectors, strict=True))
                if cache:
                    cache.put(new_keys, vectors)
        finally:
            if cache:
                cache.close()
        if not keys:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack([known[key] for key in keys]).astype(np.float32, copy=False)

    def _encode_chunks(self, todo: dict[bytes, str], role: Role):  # type: ignore[no-untyped-def]
        """Yield (keys, vectors) chunk by chunk.

        In the order of the corpus, so that long and short texts are mixed and the time left that is shown is true;
        within a chunk the model sorts them.
        """
        items = list(todo.items())
        bar = tqdm(total=len(items), desc="encode", unit="text", disable=not show_progress() or not items)
        with bar:
            for start in range(0, len(items), CHUNK):
                chunk = items[start : start + CHUNK]
                texts = [text for _, text in chunk]
                vectors = encode_texts(self.model, texts, self.batch_size, self.max_windows, role)
                check_vectors(vectors, texts, self.name)
                yield [key for key, _ in chunk], vectors
                bar.update(len(chunk))
