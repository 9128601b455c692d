from __future__ import annotations

import pytest

from hmltc_kedro.display import shorten


@pytest.mark.parametrize(
    ("text", "length", "mark", "shown"),
    [
        ("one two", 7, "", "one two"),
        ("one two three", 7, "", "one"),
        ("one two three", 8, "", "one two"),
        ("one two three", 9, "…", "one two…"),
        ("unbroken", 5, "…", "unbr…"),
    ],
)
def test_shorten_cuts_at_a_word(text: str, length: int, mark: str, shown: str) -> None:
    assert shorten(text, length, mark) == shown
    assert len(shown) <= length
