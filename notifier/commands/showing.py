"""What commands answer, as people read it, or as JSON for programs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeAlias

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from notifier.errors import SettingsError

_WIDEST = 400
_JSON = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS

OfService = Annotated[str | None, typer.Option("--service", help="Only this service's.")]


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows as people read them: those cells of them that have these names.

    On a terminal it is a table, and cells stay whole. To a pipe it is a heading and a line for
    each row, tab-separated.
    """

    names: Sequence[str]
    rows: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Aside:
    """A line apart from the others, on stderr, such as about what was not done."""

    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command says: a value for programs, and the same in words."""

    value: object
    words: Sequence[str | Aside | Columns]
    failing: Exception | None = None
    """Raised once it is said."""


@dataclass(frozen=True, slots=True)
class Written:
    """What brings its own form, such as an export; `write` writes it to stdout."""

    write: Callable[[], None]
    is_json: bool
    """Whether its form is an object a line."""


Answers: TypeAlias = Answer | Written | Iterator[Answer]
"""One document; what writes itself; or what is said as it happens, with JSON an object a line."""


def told(words: str, /, **value: object) -> Answer:
    """Answer a line, which is these values to programs."""
    return Answer(value=value, words=[words])


def refused(name: str, why: str) -> Answer:
    """Say why nothing was done with the one of this name."""
    return Answer(value={"name": name, "failed": why}, words=[Aside(f"{name}: {why}")])


def alone(name: str, text: object) -> Answer:
    """Answer nothing but a text, for scripts; as JSON it has a name."""
    return Answer(value={name: text}, words=[str(text)])


def table(
    names: Sequence[str],
    rows: Sequence[Mapping[str, object]],
    *,
    above: str | None = None,
    failing: Exception | None = None,
) -> Answer:
    """Answer rows; people are shown the cells that `names` says, and programs all of them."""
    words = [*([above] if above is not None else ()), Columns(names, rows)]
    return Answer(value=rows, words=words, failing=failing)


def document(value: object, *, failing: Exception | None = None) -> Answer:
    """Answer JSON, which is for people too."""
    return Answer(value=value, words=[json_text(value)], failing=failing)


def give(answers: Answers, *, as_json: bool) -> None:
    """Print what a command answers.

    Raises:
        SettingsError: it is to be JSON, and was asked for in another form.
        Exception: what an answer says that it fails with.
    """
    match answers:
        case Written() if as_json and not answers.is_json:
            raise SettingsError("--json: another form was asked for; one of them")
        case Written():
            answers.write()
        case Answer():
            _give(answers, indented=True) if as_json else _say(answers)
            if answers.failing is not None:
                raise answers.failing
        case _:
            for each in answers:
                _give(each, indented=False) if as_json else _say(each)


def say(line: str, *, aside: bool = False) -> None:
    """Print one line, or have it stand aside, on stderr."""
    Console(stderr=aside, highlight=False, soft_wrap=True).print(line, markup=False)


def json_text(value: object, *, indented: bool = True) -> str:
    """Write JSON as commands print it."""
    return orjson.dumps(value, option=_JSON | (orjson.OPT_INDENT_2 if indented else 0)).decode()


def _give(answer: Answer, *, indented: bool) -> None:
    print(json_text(answer.value, indented=indented), flush=True)  # noqa: T201  the output


def _say(answer: Answer) -> None:
    for each in answer.words:
        match each:
            case Columns():
                _show(each)
            case Aside(words):
                say(words, aside=True)
            case _:
                say(each)


def _show(columns: Columns) -> None:
    console = Console()
    heading = [name.replace("_", " ") for name in columns.names]
    lines = [[_text(row[name]) for name in columns.names] for row in columns.rows]
    if not console.is_terminal:
        for line in (heading, *lines):
            print(*line, sep="\t")  # noqa: T201  the command's output
    elif not lines:
        console.print("There are none.")
    else:
        drawn = Table(*heading, box=None, pad_edge=False)
        for line in lines:
            drawn.add_row(*(escape(cell) for cell in line))
        # A terminal that is too narrow breaks lines itself; a table would cut or fold its cells.
        Console(width=max(console.width, _WIDEST)).print(drawn)


def _text(cell: object) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case float():
            return f"{cell:.0f}"
        case datetime():
            return f"{cell:%Y-%m-%d %H:%M:%S}"
        case list() | tuple():
            text = " ".join(map(str, cell))
        case dict():
            text = json_text(cell, indented=False)
        case _:
            text = str(cell)
    # A tab or a line's end would make two cells, or two rows.
    return "".join(character if character.isprintable() else " " for character in text)
