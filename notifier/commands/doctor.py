"""Whether everything that notifier needs is there, and what to do if not."""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog
import typer

from notifier.checkup import Part, State
from notifier.commands.showing import AsJson, Cell, show
from notifier.composition.doctor import examine

group = typer.Typer()

_PART = ("part", "state", "took_ms", "detail", "advice")


@group.command()
def doctor(*, as_json: AsJson = False) -> None:
    """Look at everything that notifier needs, and say what to do; sends nothing.

    That is the configuration, the database, the broker, and every provider, at which it logs in
    as for a message. Exit code 1 if something is wrong.
    """
    with _logging_aside():
        parts = asyncio.run(examine(os.environ))
    show(_PART, [_row(part) for part in parts], as_json=as_json)
    if any(part.finding.state is State.WRONG for part in parts):
        raise typer.Exit(1)


@contextmanager
def _logging_aside() -> Iterator[None]:
    """Let what adapters log go to stderr: the list is the output."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(sys.stderr))
    try:
        yield
    finally:
        structlog.configure(**before)


def _row(part: Part) -> Mapping[str, Cell]:
    return {
        "part": part.name,
        "state": part.finding.state,
        "took_ms": round(part.took_s * 1000),
        "detail": part.finding.detail,
        "advice": part.finding.advice,
    }
