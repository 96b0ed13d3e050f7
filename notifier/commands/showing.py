"""Lists as commands print them: a table, tab-separated lines for a pipe, or JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, TypeAlias

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

Cell: TypeAlias = str | int | float | bool | datetime | Sequence[str] | None

_WIDEST = 400


def show(names: Sequence[str], rows: Sequence[Mapping[str, Cell]], *, as_json: bool) -> None:
    """Print `rows`, which have a cell for each of `names`.

    On a terminal it is a table, and cells stay whole. To a pipe it is a heading and a line for
    each row, tab-separated.
    """
    if as_json:
        text = orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()
        print(text)  # noqa: T201  the command's output
        return
    console = Console()
    heading = [name.replace("_", " ") for name in names]
    lines = [[_text(row[name]) for name in names] for row in rows]
    if not console.is_terminal:
        for line in (heading, *lines):
            print(*line, sep="\t")  # noqa: T201  the command's output
    elif not rows:
        console.print("There are none.")
    else:
        table = Table(*heading, box=None, pad_edge=False)
        for line in lines:
            table.add_row(*(escape(cell) for cell in line))
        # A terminal that is too narrow breaks lines itself; a table would cut or fold its cells.
        Console(width=max(console.width, _WIDEST)).print(table)


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case float():
            return f"{cell:.0f}"
        case datetime():
            return f"{cell:%Y-%m-%d %H:%M:%S}"
        case str() | int():
            text = str(cell)
        case _:
            text = " ".join(cell)
    # A tab or a line's end would make two cells, or two rows.
    return "".join(character if character.isprintable() else " " for character in text)


AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
OfService = Annotated[str | None, typer.Option("--service", help="Only this service's.")]


def say(line: str) -> None:
    """Print one line."""
    Console(highlight=False, soft_wrap=True).print(line, markup=False)
