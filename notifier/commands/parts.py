"""How parts are, as commands answer it."""

from collections.abc import Mapping, Sequence

import typer

from notifier.checkup import Part, State
from notifier.commands.showing import Answer, table

_PART = ("part", "state", "took_ms", "detail", "advice")


def parts_table(parts: Sequence[Part]) -> Answer:
    """Answer how parts are; exit code 1 if something is wrong."""
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
