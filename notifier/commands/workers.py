"""Notifier's processes: how each is, and draining one."""

import asyncio
import os
from collections.abc import Mapping, Sequence

import typer

from notifier.commands.answering import answering
from notifier.commands.showing import Answer, table, told
from notifier.composition.resources import open_stores
from notifier.errors import NotifierError, SettingsError
from notifier.idempotency import NotFound
from notifier.roster import CannotDrain, Process
from notifier.settings.groups import DatabaseSettings

group = typer.Typer(
    help="Notifier's processes: workers, their runners and APIs.", no_args_is_help=True
)

_PAGE = 200
_WORKER = (
    "name",
    "role",
    "state",
    "host",
    "pid",
    "version",
    "busy",
    "slots",
    "consumes",
    "attempts",
    "handled",
    "memory_bytes",
    "restarts",
    "started_at",
    "beat_at",
    "runner",
)


@group.command("list")
@answering
def list_workers() -> Answer:
    """List all that were heard of in the last hour, and what each is at."""
    found = asyncio.run(every_process(DatabaseSettings.from_env(os.environ)))
    return table(_WORKER, [_row(each) for each in found])


@group.command()
@answering
def drain(name: str) -> Answer:
    """Let a worker finish what it holds, and take nothing more until it is resumed."""
    asyncio.run(ask(DatabaseSettings.from_env(os.environ), name, drains=True))
    return told(f"Asked {name} to drain: it hears of it within seconds.", name=name, asked="drain")


@group.command()
@answering
def resume(name: str) -> Answer:
    """Let a worker that was drained take notifications again."""
    asyncio.run(ask(DatabaseSettings.from_env(os.environ), name, drains=False))
    return told(f"Asked {name} to take notifications again.", name=name, asked="resume")


async def every_process(settings: DatabaseSettings) -> Sequence[Process]:
    """All processes that are not forgotten yet, by their names."""
    found: list[Process] = []
    async with open_stores(settings) as stores:
        while True:
            after = found[-1].identity.name if found else None
            page = await stores.roster.list(limit=_PAGE, after=after)
            found += page
            if len(page) < _PAGE:
                return found


async def ask(settings: DatabaseSettings, name: str, *, drains: bool) -> None:
    """Ask a process to drain, or to take again.

    Raises:
        SettingsError: there is no such process.
        NotifierError: it takes no notifications, or no longer.
    """
    async with open_stores(settings) as stores:
        match await stores.roster.drain(name, is_wanted=drains):
            case NotFound():
                raise SettingsError(f"no process {name!r}; `notifier workers list` names them")
            case CannotDrain(reason):
                raise NotifierError(f"{name} cannot be asked that: {reason}")


def _row(process: Process) -> Mapping[str, object]:
    identity, seen = process.identity, process.seen
    return {
        "name": identity.name,
        "role": identity.role.value,
        "state": process.word,
        "host": identity.host,
        "pid": identity.pid,
        "version": identity.version,
        "busy": seen.busy,
        "slots": seen.slots,
        "consumes": seen.consumes,
        "attempts": [str(each) for each in seen.attempts],
        "handled": seen.handled,
        "memory_bytes": seen.memory_bytes,
        "restarts": seen.restarts,
        "started_at": process.started_at,
        "beat_at": process.beat_at,
        "runner": identity.runner,
    }
