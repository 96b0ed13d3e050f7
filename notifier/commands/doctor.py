"""Whether everything that notifier needs is there, and what to do if not."""

import asyncio
import os
from collections.abc import Mapping

import typer

from notifier.checkup import Part, State
from notifier.commands.answering import answering
from notifier.commands.showing import Answer, table
from notifier.composition.doctor import examine

group = typer.Typer()

_PART = ("part", "state", "took_ms", "detail", "advice")


@group.command()
@answering
def doctor() -> Answer:
    """Look at everything that notifier needs, and say what to do; sends nothing.

    That is the configuration, the database, the broker, and every provider, at which it logs in
    as for a message. Exit code 1 if something is wrong.
    """
    parts = asyncio.run(examine(os.environ))
    is_wrong = any(part.finding.state is State.WRONG for part in parts)
    rows = [_row(part) for part in parts]
    return table(_PART, rows, failing=typer.Exit(1) if is_wrong else None)


def _row(part: Part) -> Mapping[str, object]:
    return {
        "part": part.name,
        "state": part.finding.state,
        "took_ms": round(part.took_s * 1000),
        "detail": part.finding.detail,
        "advice": part.finding.advice,
    }
