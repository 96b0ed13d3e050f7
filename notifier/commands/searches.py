"""Searches for notifications."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from notifier.clock import SystemClock
from notifier.commands.answering import answering
from notifier.commands.checking import named
from notifier.commands.showing import Answer, OfService, Written, alone, table
from notifier.composition.drafting import make_drafter
from notifier.composition.resources import open_stores
from notifier.composition.settings import read_settings
from notifier.content.library import Library
from notifier.errors import NotifierError, SettingsError
from notifier.idempotency import NotFound
from notifier.intake.forwarding import Edit, Forwarder
from notifier.intake.ports import Submission
from notifier.notification.exporting import AT_ONCE, Form, exported
from notifier.notification.model import Channel, Lane, Notification, Status
from notifier.notification.orders import Erased, Refused
from notifier.notification.reading import NotificationFilter
from notifier.settings.groups import DatabaseSettings, Settings

group = typer.Typer(help="Searches, and sending to another address.", no_args_is_help=True)

_SHOWN = ("id", "type", "service", "status", "accepted", "provider", "last_error")
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


class NotForwardedError(NotifierError):
    """Raised when a notification could not be sent to another address."""


@group.command("list")
@answering
def list_notifications(
    *,
    id: Annotated[UUID | None, typer.Option(help="This one.")] = None,
    status: Annotated[list[Status] | None, typer.Option(help="Repeat for any of more.")] = None,
    type: Annotated[list[Channel] | None, typer.Option(help="Repeat for any of more.")] = None,
    priority: Annotated[list[Lane] | None, typer.Option(help="Repeat for any of more.")] = None,
    recipient: Annotated[str | None, typer.Option(help="In whatever case and writing.")] = None,
    user_id: Annotated[str | None, typer.Option(help="For this person.")] = None,
    category: Annotated[str | None, typer.Option(help="In this category.")] = None,
    provider: Annotated[str | None, typer.Option(help="This one was asked last.")] = None,
    error_code: Annotated[str | None, typer.Option(help="The last error's, such as 550.")] = None,
    template: Annotated[str | None, typer.Option(help="Its name, of whatever version.")] = None,
    broadcast_id: Annotated[UUID | None, typer.Option(help="Made by this broadcast.")] = None,
    rule: Annotated[str | None, typer.Option(help="Made by the rule of this name.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(help="name=value; repeat for all of more.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Accepted then (UTC) or later.", formats=_FORMATS),
    ] = None,
    before: Annotated[
        datetime | None, typer.Option(help="Accepted before this time (UTC).", formats=_FORMATS)
    ] = None,
    service: OfService = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    export: Annotated[
        Form | None, typer.Option(help="Write all that match, with recipients and metadata.")
    ] = None,
) -> Answer | Written:
    """List the newest that match, without address and content."""
    filter = NotificationFilter(
        id=id,
        statuses=frozenset(status or ()),
        channels=frozenset(type or ()),
        lanes=frozenset(priority or ()),
        recipient=recipient,
        user_id=user_id,
        category=category,
        provider=provider,
        error_code=error_code,
        template=template,
        broadcast_id=broadcast_id,
        rule=rule,
        metadata=dict(named(each, "--metadata") for each in metadata or ()),
        created_from=_utc(since),
        created_before=_utc(before),
    )
    settings = DatabaseSettings.from_env(os.environ)
    if export:
        return Written(
            lambda: asyncio.run(_export(settings, filter, service, export)),
            is_json=export is Form.NDJSON,
        )
    found = asyncio.run(_newest(settings, filter, service, limit))
    return table(_SHOWN, [_row(each) for each in found])


@group.command()
@answering
def forward(
    id: Annotated[UUID, typer.Argument(help="One that has come to its end.")],
    recipient: Annotated[str, typer.Option(help="Another address of its channel.")],
) -> Answer:
    """Send what one said to another address, as a new one, and print that one's id."""
    return alone("id", asyncio.run(_forward(read_settings(os.environ), id, recipient)))


async def _forward(settings: Settings, id: UUID, recipient: str) -> UUID:
    async with open_stores(settings) as stores:
        clock = SystemClock()
        drafter = make_drafter(settings, stores, clock)
        forwarder = Forwarder(stores.queries, Library(stores.templates, clock), drafter)
        match await forwarder.submission(id, Edit(recipient=recipient), service=None):
            case Submission() as made:
                await stores.intake.insert([made])
                return made.id
            case NotFound():
                raise NotForwardedError("there is no notification of this id")
            case Refused(status):
                raise NotForwardedError(f"it is {status}: only what has come to its end can be")
            case Erased():
                raise NotForwardedError("what it said is erased")
            case flaws:
                raise SettingsError("; ".join(f"{each.field}: {each.words}" for each in flaws))


async def _newest(
    settings: DatabaseSettings, filter: NotificationFilter, service: str | None, limit: int
) -> Sequence[Notification]:
    found: list[Notification] = []
    after: UUID | None = None
    async with open_stores(settings) as stores:
        while len(found) < limit:
            page = await stores.queries.list(
                filter, service=service, limit=limit - len(found), after=after
            )
            found += page.items
            if (after := page.goes_on_after) is None:
                break
    return found


async def _export(
    settings: DatabaseSettings, filter: NotificationFilter, service: str | None, form: Form
) -> None:
    async with open_stores(settings) as stores:
        page_of = partial(stores.queries.list, filter, service=service, limit=AT_ONCE)
        async for part in exported(lambda after: page_of(after=after), form):
            sys.stdout.write(part.decode())


def _utc(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time else None


def _row(it: Notification) -> Mapping[str, object]:
    fault = it.fault
    return {
        "id": str(it.id),
        "type": it.channel.value,
        "service": it.service,
        "status": it.status.value,
        "accepted": it.created_at,
        "provider": it.provider,
        "last_error": f"{fault.kind} {fault.code}: {fault.message}" if fault else None,
    }
