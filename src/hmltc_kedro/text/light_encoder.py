"""An encoder that answers at once: tokenizer, compiled transformer and pooling, without the library they come from.

To import transformers takes over two seconds, which a service that starts, or a command that labels one file, waits
for. So once a sentence-transformers model runs on OpenVINO, what of it encodes texts is kept beside the converted
transformer, if that is all there is to it: the same vectors for texts that try it. It is found again by its files.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.freshness.digests import file_digest
from hmltc_kedro.text.backends import PACKAGES, find_version
from hmltc_kedro.text.compiled import CompiledTransformer, find_cache, read_folder, read_model, write_folder
from hmltc_kedro.text.model_files import list_shaping
from hmltc_kedro.text.windows import normalise

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""Inputs of transformers, and what the tokenizer calls them."""

PROBES = (
    "a probe",
    "  And a LONGER one: naïve café,\n2.5 µm of <mask> [SEP] http://example.org/?q=1 ",
    "漢字 かな 한국어 ไทย हिन्दी",
    "",
    " ".join(map(str, range(4000))),
)
"""Texts whose vectors have to be the same: cases, accents, scripts, marks, spaces, no word, too many words.

The last one says at every place something else, so that it shows where it is cut.
"""

POOLINGS = ("mean", "cls")
"""How vectors of word pieces become that of a text: their mean, or the first one."""

CODE = ("light_encoder.py", "compiled.py", "openvino_model.py")
"""What makes and reads an encoder; one that other code has made is made again."""

SAME = 1e-4
"""Largest difference between two such vectors, whose length is 1; in single precision it is 1e-7."""


class Parts(BaseModel):
    """What besides tokenizer and transformer makes an encoder.

    Attributes:
        model: name of the folder with the transformer.
        inputs: of the transformer.
        pooling: one of `POOLINGS`.
        dimension: of a vector.
        max_seq_length: word pieces after which a text is cut.
        prompts: by name, see `windows.choose_prompt`.
        default_prompt_name: that of every text.
    """

    model: str
    inputs: list[str]
    pooling: str
    dimension: int
    max_seq_length: int
    prompts: dict[str, str]
    default_prompt_name: str | None


class LightEncoder:
    """Encodes texts as the sentence-transformers model does that it was made of.

    Args:
        parts: see `Parts`.
        tokenizer: it pads.
        transformer: what computes.
    """

    device = "cpu"

    def __init__(self, parts: Parts, tokenizer: Tokenizer, transformer: CompiledTransformer) -> None:
        """Put the parts together."""
        self.max_seq_length = parts.max_seq_length
        self.prompts, self.default_prompt_name = parts.prompts, parts.default_prompt_name
        self.tokenizer = WordPieces(tokenizer, parts.max_seq_length)
        self._parts, self._transformer = parts, transformer

    def get_embedding_dimension(self) -> int:
        """Return the length of a vector."""
        return self._parts.dimension

    def encode(
        self,
        texts: Sequence[str],
        batch_size: int = 32,
        prompt: str | None = None,
        *,
        normalize_embeddings: bool = True,
        convert_to_numpy: bool = True,
        show_progress_bar: bool = False,
    ) -> FloatArray:
        """Return the vectors of n texts: shape (n, dimension), float32, unit length.

        Args:
            texts: n texts.
            batch_size: texts of like length that are computed at once, 1 or more.
            prompt: what stands before each; that of the model if it has one for every text.
            normalize_embeddings: as a `SentenceTransformer` is asked; always.
            convert_to_numpy: always.
            show_progress_bar: never.

        Raises:
            ValueError: something else is asked for, which only a `SentenceTransformer` gives.
        """
        if isinstance(texts, str) or batch_size < 1 or show_progress_bar:
            raise ValueError("give a list of texts, a batch of one text or more, and no progress bar")
        if not (normalize_embeddings and convert_to_numpy):
            raise ValueError("vectors are of unit length and arrays; encoder_backend: torch gives others")
        if prompt is None:
            prompt = self.prompts.get(self.default_prompt_name or "", "")
        vectors = np.zeros((len(texts), self._parts.dimension), dtype=np.float32)
        order = np.argsort([-len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), batch_size):
            rows = order[start : start + batch_size]
            encoded = self.tokenizer.pad([prompt + texts[row] for row in rows])
            inputs = {name: np.array([getattr(text, FIELDS[name]) for text in encoded]) for name in FIELDS}
            vectors[rows] = self._pool(self._transformer(inputs), inputs["attention_mask"])
        return normalise(vectors)

    def _pool(self, pieces: FloatArray, mask: np.ndarray[Any, Any]) -> FloatArray:
        if self._parts.pooling == "cls":
            return pieces[:, 0]
        weights = mask.astype(np.float32)
        summed = np.einsum("nld,nl->nd", pieces, weights)
        return np.asarray(summed / np.maximum(weights.sum(axis=1, keepdims=True), 1), dtype=np.float32)


class WordPieces:
    """The tokenizer, asked as `windows` asks that of transformers."""

    is_fast = True

    def __init__(self, tokenizer: Tokenizer, max_length: int) -> None:
        """Take one that pads; texts of more than `max_length` word pieces are cut."""
        self._tokenizer, self._max_length = tokenizer, max_length
        self._padding = tokenizer.padding or {}
        self._lock = threading.Lock()  # whether it cuts and pads is the tokenizer's state

    def __call__(
        self, texts: str | list[str], *, truncation: bool = False, return_offsets_mapping: bool = False, **_: Any
    ) -> dict[str, list[Any]]:
        """Return `input_ids` of a text or of each of several, and `offset_mapping` if asked; without marks."""
        with self._lock:
            self._tokenizer.no_padding()
            self._tokenizer.no_truncation()
            many = [texts] if isinstance(texts, str) else texts
            encoded = self._tokenizer.encode_batch(many, add_special_tokens=False)
        if isinstance(texts, str):
            return {"input_ids": encoded[0].ids}
        end = self._max_length if truncation else None
        found: dict[str, list[Any]] = {"input_ids": [text.ids[:end] for text in encoded]}
        if return_offsets_mapping:
            found["offset_mapping"] = [text.offsets[:end] for text in encoded]
        return found

    def num_special_tokens_to_add(self) -> int:
        """Return how many word pieces mark begin and end."""
        return int(self._tokenizer.num_special_tokens_to_add(is_pair=False))

    def pad(self, texts: list[str]) -> list[Any]:
        """Return the texts as word pieces with their marks, cut, and as long as the longest."""
        with self._lock:
            self._tokenizer.enable_padding(**self._padding)
            self._tokenizer.enable_truncation(self._max_length)
            return list(self._tokenizer.encode_batch(texts))


# ---------------------------------------------------------------------- files


def find_encoder(directory: Path, max_length: int | None, backend: str) -> LightEncoder | None:
    """Return the encoder that was kept of a sentence-transformers directory; None if none was, or it is damaged.

    Args:
        directory: of the model.
        max_length: word pieces after which a text is cut, as it was when the encoder was kept.
        backend: one of `compiled.SETTINGS`.
    """
    folder = _find_folder(directory, max_length, backend)
    found = read_folder(folder, lambda: _read(folder))
    if found is None:
        return None
    parts, tokenizer = found
    model = read_model(folder.parent / parts.model)
    if model is None:  # both are made again
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return LightEncoder(parts, tokenizer, CompiledTransformer(model, parts.inputs, backend, parts.model))


def keep_encoder(
    model: SentenceTransformer, transformer: CompiledTransformer, directory: Path, max_length: int | None, backend: str
) -> None:
    """Keep what of a model encodes texts, if it does all that the model does; see `find_encoder` for the arguments.

    Args:
        model: that runs on OpenVINO.
        transformer: of it.
        directory: that it was read from.
        max_length: that it was opened with.
        backend: that it runs on.
    """
    found = _describe(model, transformer)
    if found is None:
        return
    parts, tokenizer = found
    light = LightEncoder(parts, tokenizer, transformer)
    options: dict[str, Any] = {"normalize_embeddings": True, "convert_to_numpy": True, "show_progress_bar": False}
    for prompt in {"", *parts.prompts.values()}:
        expected = model.encode(list(PROBES), prompt=prompt, **options)
        if not np.abs(light.encode(PROBES, prompt=prompt) - expected).max() <= SAME:  # NaN is not
            logger.info("%s computes more than its transformer and a mean: it is read in full each time", directory)
            return

    def write(made: Path) -> None:
        (made / "encoder.json").write_text(parts.model_dump_json(), "utf-8")
        tokenizer.save(str(made / "tokenizer.json"))

    try:
        write_folder(_find_folder(directory, max_length, backend), write)
    except OSError as error:  # that of the transformer said so already
        logger.debug("the encoder of %s is not kept (%s)", directory, error)


def _find_folder(directory: Path, max_length: int | None, backend: str) -> Path:
    """Return where the encoder of a model lies: under the digest of the model's files and of what reads them."""
    packages = (*PACKAGES[backend], "torch", "transformers", "sentence-transformers", "tokenizers")
    about = {
        "files": {f.relative_to(directory).as_posix(): file_digest(f) for f in list_shaping(directory)},
        "max_length": max_length,
        "backend": backend,
        "versions": {package: find_version(package) for package in packages},
        "code": [file_digest(Path(__file__).with_name(name)) for name in CODE],
    }
    return find_cache() / hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _read(folder: Path) -> tuple[Parts, Tokenizer]:
    from tokenizers import Tokenizer

    parts = Parts.model_validate_json((folder / "encoder.json").read_bytes())
    return parts, Tokenizer.from_file(str(folder / "tokenizer.json"))


def _describe(model: SentenceTransformer, transformer: CompiledTransformer) -> tuple[Parts, Tokenizer] | None:
    """Return the parts and the tokenizer of a model; None for one that has others than an encoder of this kind."""
    from tokenizers import Tokenizer

    first: Any = model[0]
    source, others = first.tokenizer, list(model)[1:]
    kinds = [type(module).__name__ for module in others]
    pooling = getattr(others[0], "pooling_mode", None) if kinds[:1] == ["Pooling"] else None
    if pooling not in POOLINGS or set(kinds[1:]) - {"Normalize"} or not getattr(source, "is_fast", False):
        return None
    length: Any = first.max_seq_length
    dimension: Any = getattr(first.auto_model.config, "hidden_size", None)
    if source.truncation_side != "right" or source.pad_token is None or None in (length, dimension) or length > 2**31:
        return None
    tokenizer = Tokenizer.from_str(source.backend_tokenizer.to_str())
    tokenizer.enable_padding(
        direction=source.padding_side,
        pad_id=source.pad_token_id,
        pad_type_id=source.pad_token_type_id,
        pad_token=source.pad_token,
    )
    parts = Parts(
        model=transformer.folder,
        inputs=list(transformer.names),
        pooling=pooling,
        dimension=dimension,
        max_seq_length=length,
        prompts={name: prompt or "" for name, prompt in model.prompts.items()},
        default_prompt_name=model.default_prompt_name,
    )
    return parts, tokenizer
