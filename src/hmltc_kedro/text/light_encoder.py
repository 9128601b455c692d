"""An encoder that answers at once: tokenizer, compiled transformer and pooling, without the library they come from.

To import transformers takes over two seconds, which a service that starts, or a command that labels one file, waits
for. So once a sentence-transformers model runs on OpenVINO, what of it encodes texts is kept beside the converted
transformer, if that is all there is to it: the same vectors for texts that try it. It is found again by its files.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.freshness.digests import file_digest
from hmltc_kedro.text import compiled
from hmltc_kedro.text.backends import PACKAGES, find_version
from hmltc_kedro.text.compiled import CompiledTransformer, find_cache, read_folder, read_model, write_folder
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
    "one that is longer than any encoder reads " * 200,
)
"""Texts whose vectors have to be the same: cases, accents, scripts, marks, spaces, no word, too many words."""

POOLINGS = ("mean", "cls")
"""How vectors of word pieces become that of a text: their mean, or the first one."""

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

    def encode(self, texts: Sequence[str], *, batch_size: int = 32, prompt: str | None = None, **_: Any) -> FloatArray:
        """Return the vectors of n texts: shape (n, dimension), float32, unit length.

        Args:
            texts: n texts.
            batch_size: texts of like length that are computed at once.
            prompt: what stands before each.
        """
        vectors = np.zeros((len(texts), self._parts.dimension), dtype=np.float32)
        order = np.argsort([-len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), batch_size):
            rows = order[start : start + batch_size]
            encoded = self.tokenizer.pad([f"{prompt or ''}{texts[row]}" for row in rows])
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
        from tokenizers import Tokenizer

        self._whole = Tokenizer.from_str(tokenizer.to_str())
        self._whole.no_padding()
        self._whole.no_truncation()
        self._padded, self._max_length = tokenizer, max_length
        self._padded.enable_truncation(max_length)

    def __call__(
        self, texts: str | list[str], *, truncation: bool = False, return_offsets_mapping: bool = False, **_: Any
    ) -> dict[str, list[Any]]:
        """Return `input_ids` of a text or of each of several, and `offset_mapping` if asked; without marks."""
        if isinstance(texts, str):
            return {"input_ids": self._whole.encode(texts, add_special_tokens=False).ids}
        encoded = self._whole.encode_batch(texts, add_special_tokens=False)
        end = self._max_length if truncation else None
        found: dict[str, list[Any]] = {"input_ids": [text.ids[:end] for text in encoded]}
        if return_offsets_mapping:
            found["offset_mapping"] = [text.offsets[:end] for text in encoded]
        return found

    def num_special_tokens_to_add(self) -> int:
        """Return how many word pieces mark begin and end."""
        return int(self._whole.num_special_tokens_to_add(is_pair=False))

    def pad(self, texts: list[str]) -> list[Any]:
        """Return the texts as word pieces with their marks, cut, and as long as the longest."""
        return list(self._padded.encode_batch(texts))


# ---------------------------------------------------------------------- files


def find_encoder(directory: Path, max_length: int | None, backend: str) -> LightEncoder | None:
    """Return the encoder that was kept of a sentence-transformers directory, None if none was, or one is damaged.

    Args:
        directory: of the model.
        max_length: word pieces after which a text is cut, as it was when the encoder was kept.
        backend: one of `compiled.SETTINGS`.
    """
    folder = _find_folder(directory, max_length, backend)
    found = read_folder(folder, lambda: _read(folder))
    model = read_model(folder.parent / found[0].model) if found is not None else None
    if found is None or model is None:
        return None
    parts, tokenizer = found
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
        "files": {f.relative_to(directory).as_posix(): file_digest(f) for f in _list_files(directory)},
        "max_length": max_length,
        "backend": backend,
        "versions": {package: find_version(package) for package in packages},
        "code": [file_digest(Path(__file__)), file_digest(Path(compiled.__file__))],
    }
    return find_cache() / hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _list_files(directory: Path) -> list[Path]:
    return sorted(file for file in directory.rglob("*") if file.is_file() and file.suffix != ".md")


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
        dimension=first.auto_model.config.hidden_size,
        max_seq_length=first.max_seq_length,
        prompts={name: prompt or "" for name, prompt in model.prompts.items()},
        default_prompt_name=model.default_prompt_name,
    )
    return parts, tokenizer
