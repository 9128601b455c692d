"""Texts through a model: a text that is too long for it is read in windows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hmltc_kedro.arrays import FloatArray, IntArray
from hmltc_kedro.display import shorten
from hmltc_kedro.errors import InputError
from hmltc_kedro.text.texts import Texts, read_texts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SLACK = 0.01
"""How far the length of a vector may be from 1: half precision is less exact than single."""

SHOWN = 60
"""Characters of a text that a message shows."""


def cut_windows(model: SentenceTransformer, texts: Texts, max_windows: int) -> tuple[list[str], IntArray]:
    """Return the windows that `texts` go through the model in, and which text each is of, in ascending order.

    A text of more word pieces than the model takes is cut into as few windows as hold them, of nearly equal length
    and without overlap, and of these the first `max_windows` count. A document on several topics names some of them
    late; cut at its first 128 word pieces it would be labelled by its beginning.

    Args:
        model: with a fast tokenizer, which knows where in the text a word piece lies; otherwise texts stay whole, as
            for a static encoder, which reads a text of any length.
        texts: n texts.
        max_windows: of one text; with 1 every text stays whole and the model cuts it.

    Returns:
        m >= n windows, and owners of shape (m,), int64.

    Raises:
        InputError: as `read_texts` and `measure_room`.
    """
    texts = read_texts(texts)
    if not getattr(model.tokenizer, "is_fast", False):
        return texts, np.arange(len(texts), dtype=np.int64)
    room = measure_room(model)
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


def measure_room(model: SentenceTransformer) -> int:
    """Return the word pieces of a text that the model reads at once: its prompt and its marks take theirs.

    Raises:
        InputError: the prompt takes all of them, and every text would be the same to the model.
    """
    room: int = (model.max_seq_length or 0) - model.tokenizer.num_special_tokens_to_add()
    prompt = (getattr(model, "prompts", None) or {}).get(getattr(model, "default_prompt_name", None) or "")
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


def encode_texts(model: SentenceTransformer, texts: Texts, batch_size: int, max_windows: int) -> FloatArray:
    """Return one vector a text, shape (n, d), float32, unit length: the mean over its windows, see `cut_windows`."""
    texts = read_texts(texts)
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
