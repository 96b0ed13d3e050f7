"""Tables in Markdown, and the same on a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = (heading, ["---"] * len(heading), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def table_of(text: str) -> Table:
    """A table of Markdown, for a terminal."""
    heading, _, *rows = [_cells(line) for line in text.splitlines()]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in heading:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(cell.replace("*", "") for cell in row))
    return table


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
