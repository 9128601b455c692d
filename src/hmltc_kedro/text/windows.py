"""Texts through a model: a text that is too long for it is read in windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, Protocol

import numpy as np

from hmltc_kedro.arrays import FloatArray, IntArray
from hmltc_kedro.display import shorten
from hmltc_kedro.errors import InputError
from hmltc_kedro.text.texts import Texts, read_texts

Role = Literal["document", "class"]
"""What a text is to the model: something to be found, or what it is found by."""

PROMPTS: dict[Role, tuple[str, ...]] = {"document": ("document", "passage", "corpus"), "class": ("query",)}
"""Under which names models keep their prompts for each; the first that there is counts."""

PIECES = 1024
"""Word pieces computed at once on a CPU, padding among them: what its caches hold is fastest."""

SLACK = 0.01
"""How far the length of a vector may be from 1: half precision is less exact than single."""

SHOWN = 60
"""Characters of a text that a message shows."""


class SentenceModel(Protocol):
    """What texts go through: a `SentenceTransformer`, or a `LightEncoder` made of one.

    Attributes:
        tokenizer: of transformers, or one that is called like it.
        max_seq_length: word pieces after which a text is cut.
        device: that it computes on.
        prompts: what is written before a text, by name.
        default_prompt_name: of the prompt of every text.
        encode: gives the vectors of texts, as that of a `SentenceTransformer`.
    """

    @property
    def tokenizer(self) -> Any: ...  # noqa: D102
    @property
    def max_seq_length(self) -> int | None: ...  # noqa: D102
    @property
    def device(self) -> object: ...  # noqa: D102
    @property
    def prompts(self) -> Mapping[str, str | None]: ...  # noqa: D102
    @property
    def default_prompt_name(self) -> str | None: ...  # noqa: D102
    @property
    def encode(self) -> Callable[..., Any]: ...  # noqa: D102


def choose_prompt(model: SentenceModel, role: Role = "document") -> str:
    """Return what a model wants written before a text, by what the text is: its default prompt if it names one.

    Else that for a document or a passage, and for the texts of classes that for a query; empty where there is none.
    """
    prompts = getattr(model, "prompts", None) or {}
    default = getattr(model, "default_prompt_name", None)
    names = (default,) if default else PROMPTS[role]
    return next((prompts[name] or "" for name in names if name in prompts), "")


def cut_windows(
    model: SentenceModel, texts: Texts, max_windows: int, role: Role = "document"
) -> tuple[list[str], IntArray]:
    """Return the windows that `texts` go through the model in, and which text each is of, in ascending order.

    A text of more word pieces than the model takes is cut into as few windows as hold them, of nearly equal length
    and without overlap, and of these the first `max_windows` count. A document on several topics names some of them
    late; cut at its first 128 word pieces it would be labelled by its beginning.

    Args:
        model: with a fast tokenizer, which knows where in the text a word piece lies; otherwise texts stay whole, as
            for a static encoder, which reads a text of any length.
        texts: n texts.
        max_windows: of one text; with 1 every text stays whole and the model cuts it.
        role: what the texts are, see `choose_prompt`; a prompt takes room.

    Returns:
        m >= n windows, and owners of shape (m,), int64.

    Raises:
        InputError: as `read_texts` and `measure_room`.
    """
    texts = read_texts(texts)
    if not getattr(model.tokenizer, "is_fast", False):
        return texts, np.arange(len(texts), dtype=np.int64)
    room = measure_room(model, role)
    # A word piece has at least one byte: short texts need no tokenizer to be known as short.
    long = [i for i, text in enumerate(texts) if len(text.encode()) > room]
    if max_windows <= 1 or room < 1 or not long:
        return texts, np.arange(len(texts), dtype=np.int64)
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


def measure_room(model: SentenceModel, role: Role = "document") -> int:
    """Return the word pieces of a text that the model reads at once: its prompt and its marks take theirs.

    Raises:
        InputError: the prompt takes all of them, and every text would be the same to the model.
    """
    room: int = (model.max_seq_length or 0) - model.tokenizer.num_special_tokens_to_add()
    prompt = choose_prompt(model, role)
    if not prompt:
        return room
    taken = len(model.tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"])
    if taken >= room:
        raise InputError(f"the encoder's prompt takes {taken} word pieces of {room} at once; raise max_length")
    return room - taken


def _cut(text: str, offsets: Sequence[tuple[int, int]], room: int, max_windows: int) -> list[str]:
    """Return windows of at most `room` word pieces, given the (start, end) of each in the text."""
    count = -(-len(offsets) // room)
    if count <= 1:
        return [text]
    bounds = [0, *(offsets[len(offsets) * number // count][0] for number in range(1, count)), len(text)]
    return [text[start:end] for start, end in pairwise(bounds[: max_windows + 1])]


def encode_texts(
    model: SentenceModel, texts: Texts, batch_size: int, max_windows: int, role: Role = "document"
) -> FloatArray:
    """Return one vector a text, shape (n, d), float32, unit length: the mean over its windows, see `cut_windows`.

    Args:
        model: see `SentenceModel`.
        texts: n > 0 texts.
        batch_size: texts a batch, at most; on a CPU `PIECES` is another bound.
        max_windows: see `cut_windows`.
        role: what the texts are, see `choose_prompt`.
    """
    texts = read_texts(texts)
    windows, owners = cut_windows(model, texts, max_windows, role)
    vectors: FloatArray | None = None
    for rows in _cut_lots(model, windows, batch_size):
        lot = model.encode(
            [windows[row] for row in rows],
            batch_size=batch_size,
            prompt=choose_prompt(model, role),
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        vectors = np.zeros((len(windows), lot.shape[1]), dtype=np.float32) if vectors is None else vectors
        vectors[rows] = lot
    assert vectors is not None, "there are texts"
    if len(windows) == len(texts):
        return vectors
    starts = np.searchsorted(owners, np.arange(len(texts)))
    return normalise(np.add.reduceat(vectors, starts, axis=0))


def _cut_lots(model: SentenceModel, windows: list[str], batch_size: int) -> Iterator[IntArray]:
    """Yield the rows of windows that are encoded in one call: on a CPU windows of like length and of few word pieces.

    Elsewhere all are one lot, which the model sorts by characters and cuts into batches: a graphics card is fastest
    with much at once.
    """
    if not str(model.device).startswith("cpu") or not getattr(model.tokenizer, "is_fast", False):
        yield np.arange(len(windows), dtype=np.int64)
        return
    pieces = model.tokenizer(windows, add_special_tokens=False, truncation=True, verbose=False)["input_ids"]
    lengths = np.array([len(row) for row in pieces], dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, min(batch_size, PIECES // max(1, lengths[order[start]])))
        yield order[start : start + size]
        start += size


def check_vectors(vectors: FloatArray, texts: Sequence[str], encoder: object) -> None:
    """Refuse vectors that are not finite or not of unit length: whatever is computed of them is wrong.

    Args:
        vectors: of n texts, shape (n, d).
        texts: n texts.
        encoder: its name or its place, for the message.

    Raises:
        InputError: it names encoder and text.
    """
    sound = np.abs(np.linalg.norm(vectors, axis=1) - 1) <= SLACK  # a NaN is not
    if not sound.all():
        row = int(sound.argmin())
        what = "of length 1" if np.isfinite(vectors[row]).all() else "finite"
        text = shorten(texts[row], SHOWN, " ...")
        raise InputError(
            f"encoder {encoder}: the vector of {text!r} is not {what}; take another encoder, or leave this text out"
        )


def normalise(vectors: FloatArray) -> FloatArray:
    """Return the rows at unit length; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)
