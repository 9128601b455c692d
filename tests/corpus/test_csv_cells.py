"""What spreadsheets would run is made harmless, and comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmltc_kedro.corpus.csv_cells import guard_cell, restore_cell


@given(st.text(alphabet="'=+-@\t\r\na ", max_size=6))
def test_cells_are_harmless_and_come_back(cell: str) -> None:
    guarded = guard_cell(cell)
    assert not guarded.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert restore_cell(guarded) == cell


@pytest.mark.parametrize("number", ["-5", "+1.25", "0"])
def test_numbers_stay(number: str) -> None:
    assert guard_cell(number) == restore_cell(number) == number
    assert restore_cell(guard_cell(f"'{number}")) == f"'{number}"
