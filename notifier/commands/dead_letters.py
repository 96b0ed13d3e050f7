"""Failed notifications."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import Progress

from notifier.commands.showing import AsJson, Cell, OfService, say, show
from notifier.composition.resources import open_stores
from notifier.errors import NotifierError, SettingsError
from notifier.idempotency import NotFound
from notifier.notification.model import Channel, Notification, Status
from notifier.notification.orders import Erased, MoveResult, Refused
from notifier.notification.reading import NotificationFilter
from notifier.notification.transitions import REPLAY
from notifier.settings.groups import DatabaseSettings

group = typer.Typer(help="Failed notifications.", no_args_is_help=True)


_FAILED = ("id", "type", "service", "attempts", "failed", "last_error")


_PAGE = 500


class NotReplayedError(NotifierError):
    """Raised when not all that was named could be replayed."""


@group.command("list")
def list_dead_letters(
    type: Annotated[Channel | None, typer.Option(help="Only this channel.")] = None,
    service: OfService = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """List failed notifications, newest first, with their last error."""
    settings = DatabaseSettings.from_env(os.environ)
    failed = asyncio.run(list_failed(settings, type, service, limit))
    show(_FAILED, [_failed_row(each) for each in failed], as_json=as_json)


@group.command()
def replay(
    id: Annotated[list[UUID] | None, typer.Argument(help="Which; none with --all.")] = None,
    type: Annotated[Channel | None, typer.Option(help="With --all: only this channel.")] = None,
    *,
    all: Annotated[bool, typer.Option("--all", help="Every failed notification.")] = False,
) -> None:
    """Give failed notifications a fresh set of attempts; workers publish them at once."""
    if bool(id) == all:
        raise SettingsError("name the ids to replay, or --all")
    settings = DatabaseSettings.from_env(os.environ)
    if id:
        _say_replayed(asyncio.run(replay_some(settings, id)))
    else:
        with Progress(console=Console(stderr=True)) as progress:
            failed = asyncio.run(count_failed(settings, type))
            bar = progress.add_task("Replaying", total=failed)
            replayed = asyncio.run(
                replay_all(settings, type, lambda done: progress.update(bar, advance=done))
            )
        say(f"Replayed {replayed}.")
        if replayed < failed:
            say(f"{failed - replayed} could not be: what they said is erased.")


def _say_replayed(results: Mapping[UUID, MoveResult]) -> None:
    refused = {id: why for id, result in results.items() if (why := _why_not(result))}
    say(f"Replayed {len(results) - len(refused)} of {len(results)}.")
    if refused:
        raise NotReplayedError("; ".join(f"{id} {why}" for id, why in refused.items()))


def _why_not(result: MoveResult) -> str | None:
    match result:
        case Erased():
            return "cannot be replayed: what it said is erased"
        case Refused(status):
            return f"is {status}: only what is failed can be replayed"
        case NotFound():
            return "is no notification"
        case _:
            return None


async def list_failed(
    settings: DatabaseSettings, channel: Channel | None, service: str | None, limit: int
) -> Sequence[Notification]:
    """The failed notifications of a channel and a service (None: of all), newest first."""
    found: list[Notification] = []
    after: UUID | None = None
    async with open_stores(settings) as stores:
        while len(found) < limit:
            page = await stores.queries.list(
                _failed(channel), service=service, limit=limit - len(found), after=after
            )
            found += page.items
            if (after := page.goes_on_after) is None:
                break
    return found


async def replay_some(settings: DatabaseSettings, ids: Sequence[UUID]) -> Mapping[UUID, MoveResult]:
    """Replay these, each named once; returns what became of each."""
    async with open_stores(settings) as stores:
        return {id: await stores.orders.move(REPLAY, id, service=None) for id in dict.fromkeys(ids)}


async def replay_all(
    settings: DatabaseSettings, channel: Channel | None, advance: Callable[[int], None]
) -> int:
    """Replay every failed notification of a channel (None: of all), page by page.

    `advance` is called with the number of each page; returns how many were replayed.
    """
    total = 0
    after: UUID | None = None
    async with open_stores(settings) as stores:
        while page := await stores.orders.replay_failed(channel=channel, limit=_PAGE, after=after):
            after = page[-1]
            total += len(page)
            advance(len(page))
    return total


async def count_failed(settings: DatabaseSettings, channel: Channel | None) -> int:
    """How many notifications of a channel (None: of all) are failed."""
    async with open_stores(settings) as stores:
        return await stores.queries.count(_failed(channel), service=None)


def _failed(channel: Channel | None) -> NotificationFilter:
    return NotificationFilter(statuses={Status.FAILED}, channels={channel} if channel else ())


def _failed_row(failed: Notification) -> Mapping[str, Cell]:
    fault = failed.fault
    return {
        "id": str(failed.id),
        "type": failed.channel.value,
        "service": failed.service,
        "attempts": failed.attempts,
        "failed": failed.finished_at,
        "last_error": f"{fault.kind} {fault.code}: {fault.message}" if fault else None,
    }
