"""The one door for texts: whatever holds them, they come out as a list, by position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from hmltc_kedro.errors import InputError

Texts = str | Iterable[str]
"""One text or several: a list, a Series, an array, whatever can be gone through in an order."""


def read_texts(texts: Texts) -> list[str]:
    """Return texts as a list, by position: the labels of a Series are not looked at. One text is a list of one.

    Half a surrogate pair, as damaged JSON and PDF files have them, becomes U+FFFD: no tokenizer takes it.

    Raises:
        InputError: something that has no order or no texts, such as a frame, or a value in it that is no text, with
            its position from 0.
    """
    found = _list_values(texts)
    strange = next((place for place, value in enumerate(found) if not isinstance(value, str)), None)
    if strange is not None:
        raise InputError(f"text {strange}: {_describe(found[strange])} is no text; give it one or leave it out")
    return [mend_surrogates(text) for text in found]


def mend_surrogates(text: str) -> str:
    """Return the text with U+FFFD for each half of a surrogate pair; a pair in two halves becomes its character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _list_values(texts: Any) -> list[Any]:
    """Return what is in a container; one that has a method for that, as a Series or an array, is asked."""
    if isinstance(texts, str):
        return [texts]
    # A frame goes through its columns' names, a dict through its keys.
    unfit = isinstance(texts, Mapping | Set | bytes | bytearray) or hasattr(texts, "columns")
    if unfit or not (isinstance(texts, Iterable) or hasattr(texts, "tolist")):
        raise InputError(f"{_describe(texts)} holds no texts in an order; give a text, or a list or column of texts")
    for method in ("tolist", "to_pylist", "to_list"):
        if hasattr(texts, method):
            listed = getattr(texts, method)()
            return listed if isinstance(listed, list) else [listed]
    return list(texts)


def _describe(value: Any) -> str:
    """Return a value that is no text in a few words: None, nan and numbers as they are, of others the kind."""
    if value is None or isinstance(value, bool | int | float) or str(value) in ("<NA>", "NaT"):
        return str(value)
    return f"a {type(value).__name__}"
