"""Notifications."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias
from uuid import UUID

import typer

from notifier.commands.showing import AsJson, Cell, say, show
from notifier.composition.resources import open_stores
from notifier.errors import NotifierError
from notifier.notification.model import Notification, TimelineEntry
from notifier.notification.outcomes import Fault
from notifier.settings.groups import DatabaseSettings

group = typer.Typer()

Story: TypeAlias = tuple[Notification, Sequence[TimelineEntry]]

_STEP = ("at", "event", "attempt", "provider", "error", "again_in_s")


class NoSuchNotificationError(NotifierError):
    """Raised when there is no notification of this id."""


@group.command()
def status(
    id: Annotated[UUID, typer.Argument(help="Its id, as it was answered.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say where a notification stands, and how it came there; never its address or content."""
    found, timeline = asyncio.run(story_of(DatabaseSettings.from_env(os.environ), id))
    if not as_json:
        say(f"{found.status}: {found.channel} of {found.service}, attempts: {found.attempts}")
    show(_STEP, [_step_row(each) for each in timeline], as_json=as_json)


async def story_of(settings: DatabaseSettings, id: UUID) -> Story:
    """Return a notification of any service, and its timeline.

    Raises:
        NoSuchNotificationError: there is none.
    """
    async with open_stores(settings) as stores:
        found = await stores.queries.get(id, service=None)
        if found is None:
            raise NoSuchNotificationError("there is no notification of this id")
        return found, await stores.queries.timeline(id)


def _step_row(entry: TimelineEntry) -> Mapping[str, Cell]:
    return {
        "at": entry.at,
        "event": entry.event,
        "attempt": entry.attempt,
        "provider": entry.provider,
        "error": _words(entry.fault),
        "again_in_s": entry.delay_s,
    }


def _words(fault: Fault | None) -> str | None:
    return f"{fault.kind} {fault.code}: {fault.message}" if fault else None
