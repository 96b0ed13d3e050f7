"""Who changed what, from the database."""

import asyncio
import csv
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

import typer

from notifier.audit import AuditEntry, AuditFilter, AuditLog
from notifier.commands.answering import answering
from notifier.commands.showing import Answer, Written, json_text, table
from notifier.composition.resources import open_stores
from notifier.settings.groups import DatabaseSettings
from notifier.spreadsheet import as_text

group = typer.Typer(help="Who changed what.", no_args_is_help=True)

_COLUMNS = (
    "id",
    "at",
    "via",
    "actor",
    "service",
    "action",
    "target",
    "source",
    "request_id",
    "outcome",
)
_SHOWN = ("at", "via", "actor", "action", "target", "outcome")
_PER_PAGE = 500


Row: TypeAlias = Mapping[str, object]
Service = Annotated[str | None, typer.Option(help="By keys of this service.")]
Actor = Annotated[str | None, typer.Option(help="By this API key, or this login.")]
Action = Annotated[str | None, typer.Option(help="This one, such as pauseProvider.")]
Since = Annotated[
    datetime | None,
    typer.Option(help="At this time (UTC) or later.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
]


@group.command("list")
@answering
def list_changes(
    *,
    service: Service = None,
    actor: Actor = None,
    action: Action = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 50,
) -> Answer:
    """List the newest changes."""
    filter = _filter(service, actor, action, since)
    found = asyncio.run(_newest(DatabaseSettings.from_env(os.environ), filter, limit))
    return table(_SHOWN, [_row(each) for each in found])


@group.command()
@answering
def export(
    *,
    service: Service = None,
    actor: Actor = None,
    action: Action = None,
    since: Since = None,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="As a table, instead of an object a line.")
    ] = False,
) -> Written:
    """Write all changes to standard output, the newest first."""
    filter = _filter(service, actor, action, since)
    settings = DatabaseSettings.from_env(os.environ)
    return Written(
        lambda: asyncio.run(_export(settings, filter, _writing(as_csv=as_csv))),
        is_json=not as_csv,
    )


async def _newest(settings: DatabaseSettings, filter: AuditFilter, limit: int) -> list[AuditEntry]:
    async with open_stores(settings) as stores:
        return list(await stores.audit.list(filter, limit=limit, after=None))


async def _export(
    settings: DatabaseSettings, filter: AuditFilter, write: Callable[[Row], object]
) -> None:
    async with open_stores(settings) as stores:
        async for entry in _all(stores.audit, filter):
            write(_row(entry))


async def _all(log: AuditLog, filter: AuditFilter) -> AsyncIterator[AuditEntry]:
    after = None
    while page := await log.list(filter, limit=_PER_PAGE, after=after):
        for entry in page:
            yield entry
        after = page[-1].act.id


def _writing(*, as_csv: bool) -> Callable[[Row], object]:
    """Return what writes a row."""
    if as_csv:
        rows = csv.writer(sys.stdout)
        rows.writerow(_COLUMNS)
        return lambda row: rows.writerow([as_text(str(row[name] or "")) for name in _COLUMNS])
    return _write_line


def _write_line(row: Row) -> None:
    print(json_text(row, indented=False))  # noqa: T201  the command's output


def _filter(
    service: str | None, actor: str | None, action: str | None, since: datetime | None
) -> AuditFilter:
    at = since.replace(tzinfo=UTC) if since else None
    return AuditFilter(service=service, actor=actor, action=action, since=at)


def _row(entry: AuditEntry) -> Row:
    told = {**asdict(entry.act), "at": entry.at, "outcome": entry.outcome.value}
    told |= {"id": str(entry.act.id), "via": entry.act.via.value}
    return {name: told[name] for name in _COLUMNS}
