"""What a spreadsheet shows of a table."""

import pytest

from notifier.spreadsheet import as_text


@pytest.mark.parametrize(
    "cell", ["=1+1", "+49170", "-2", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1", "\n=1"]
)
def test_what_would_be_calculated_is_a_text(cell: str) -> None:
    assert as_text(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "550", "a=b", "anna@example.com", '{"a": "=1"}', " "])
def test_what_is_a_text_already_stays_as_it_is(cell: str) -> None:
    assert as_text(cell) == cell
