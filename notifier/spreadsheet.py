"""What a spreadsheet shows of a table, and does not calculate."""

_BEGINNINGS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""Of what is taken for a formula; in full width, too."""


def as_text(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: with an apostrophe before one."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_BEGINNINGS) else cell
