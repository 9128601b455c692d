"""Texts come in by position, whatever holds them, and what is no text is told."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hmltc_kedro.errors import InputError
from hmltc_kedro.text.texts import read_texts


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ("one text", ["one text"]),
        (np.str_("one text"), ["one text"]),
        ([], []),
        ("", [""]),
        (["b", "a"], ["b", "a"]),
        (("b", "a"), ["b", "a"]),
        (iter(["b", "a"]), ["b", "a"]),
        (pd.Series(["a", "b", "c"])[[2, 0]], ["c", "a"]),
        (pd.Series(["a", "b"], index=["x", "x"], dtype="category"), ["a", "b"]),
        (pd.Index(["b", "a"]), ["b", "a"]),
        (np.array(["b", "a"]), ["b", "a"]),
        (np.array("one text"), ["one text"]),
        (pa.chunked_array([["b"], ["a"]]), ["b", "a"]),
        (pd.DataFrame({"text": ["b", "a"]})["text"].array, ["b", "a"]),
    ],
)
def test_texts_are_read_by_position(texts: Any, expected: list[str]) -> None:
    assert read_texts(texts) == expected


ORDER = "holds no texts in an order; give a text, or a list or column of texts"


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["a", None], "text 1: None is no text; give it one or leave it out"),
        (pd.Series(["a", None], index=[7, 3]), "text 1: nan is no text; give it one or leave it out"),
        (pd.Series(["a", pd.NA], dtype="string"), "text 1: <NA> is no text; give it one or leave it out"),
        (np.array([1.5, 2.5]), "text 0: 1.5 is no text; give it one or leave it out"),
        ([True], "text 0: True is no text; give it one or leave it out"),
        (["a", b"b"], "text 1: a bytes is no text; give it one or leave it out"),
        ([["token", "list"]], "text 0: a list is no text; give it one or leave it out"),
        (np.array([["a", "b"]]), "text 0: a list is no text; give it one or leave it out"),
        (None, f"None {ORDER}"),
        (7, f"7 {ORDER}"),
        (b"bytes", f"a bytes {ORDER}"),
        ({"a": "text"}, f"a dict {ORDER}"),
        ({"a", "b"}, f"a set {ORDER}"),
        (pd.DataFrame({"text": ["a"]}), f"a DataFrame {ORDER}"),
        (pa.table({"text": ["a"]}), f"a Table {ORDER}"),
    ],
)
def test_what_is_no_text_is_one_line(texts: Any, says: str) -> None:
    with pytest.raises(InputError) as error:
        read_texts(texts)
    assert str(error.value) == says


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kitten \ud83d purrs", "kitten \ufffd purrs"),
        ("kitten \udc31purrs", "kitten \ufffdpurrs"),
        ("purrs\ud83d", "purrs\ufffd"),
        ("\ud83d\udc31 purrs", "\U0001f431 purrs"),  # json.loads joins such halves, other readers do not
        ("\ud83d\ud83d\udc31", "\ufffd\U0001f431"),
        ("\ufeffmark \U0001f431 \ud83d", "\ufeffmark \U0001f431 \ufffd"),
    ],
)
def test_half_a_surrogate_pair_is_a_replacement_character(text: str, expected: str) -> None:
    assert read_texts([text, "other"]) == [expected, "other"]
