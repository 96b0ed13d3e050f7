"""Notifications."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias
from uuid import UUID

import typer

from notifier.clock import SystemClock
from notifier.commands.answering import answering
from notifier.commands.checking import check_service, named, variable_of
from notifier.commands.showing import Answer, alone, table
from notifier.composition.drafting import make_drafter
from notifier.composition.resources import open_stores
from notifier.composition.settings import read_settings
from notifier.content.template import TemplateRef
from notifier.errors import NotifierError, SettingsError
from notifier.intake.draft import Draft, Flaw
from notifier.notification.model import Channel, Lane, Notification, TimelineEntry
from notifier.notification.outcomes import Fault
from notifier.settings.groups import DatabaseSettings, Settings

group = typer.Typer()

Story: TypeAlias = tuple[Notification, Sequence[TimelineEntry]]

_STEP = ("at", "event", "attempt", "provider", "error", "again_in_s")


class NoSuchNotificationError(NotifierError):
    """Raised when there is no notification of this id."""


@group.command()
@answering
def status(
    id: Annotated[UUID, typer.Argument(help="Its id, as it was answered.")],
) -> Answer:
    """Say where a notification stands, and how it came there; never its address or content."""
    found, timeline = asyncio.run(story_of(DatabaseSettings.from_env(os.environ), id))
    above = f"{found.status}: {found.channel} of {found.service}, attempts: {found.attempts}"
    return table(_STEP, [_step_row(each) for each in timeline], above=above)


@group.command()
@answering
def send(
    *,
    service: Annotated[str, typer.Option(help="The service that it is of.")],
    type: Annotated[Channel, typer.Option(help="The channel.")],
    recipient: Annotated[str | None, typer.Option(help="To which address.")] = None,
    user_id: Annotated[
        str | None, typer.Option(help="To which person of the service's directory.")
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="What people choose by; a template has its own.")
    ] = None,
    content: Annotated[str | None, typer.Option(help="The text, with variables.")] = None,
    template: Annotated[
        str | None, typer.Option(help="A published template instead: its name, or name@version.")
    ] = None,
    locale: Annotated[
        str | None, typer.Option(help="The language that a template's is wanted in.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="The subject, a template.")] = None,
    variable: Annotated[
        list[str] | None,
        typer.Option(help="name=text, or name:=JSON, such as seats:=2; repeat for more."),
    ] = None,
    sender: Annotated[
        str | None, typer.Option("--from", help="The name of a sender of the service.")
    ] = None,
    reply_to: Annotated[str | None, typer.Option(help="Where answers to an email go.")] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="name=value, of an email; repeat for more.")
    ] = None,
    priority: Annotated[Lane, typer.Option(help="How urgent it is.")] = Lane.NORMAL,
) -> Answer:
    """Accept a notification as the API would, and print its id, alone. A relay publishes it."""
    draft = Draft(
        channel=type,
        recipient=recipient,
        user_id=user_id,
        category=category,
        content=content,
        subject=subject,
        template=_template(template) if template else None,
        locale=locale,
        variables=dict(map(variable_of, variable or ())),
        sender=sender,
        reply_to=reply_to,
        headers=dict(named(each, "--header") for each in header) if header else None,
        lane=priority,
    )
    return alone("id", asyncio.run(accept(read_settings(os.environ), service, draft)))


async def accept(settings: Settings, service: str, draft: Draft) -> UUID:
    """Store a notification; returns its id.

    Raises:
        SettingsError: what is wrong with it, all of it.
    """
    check_service(service)
    async with open_stores(settings) as stores:
        drafter = make_drafter(settings, stores, SystemClock())
        [made] = await drafter.submissions([draft], service=service)
        if isinstance(made, list):
            raise SettingsError("; ".join(map(_told, made)))
        await stores.intake.insert([made])
        return made.id


def _told(flaw: Flaw) -> str:
    return f"{'.'.join(map(str, (flaw.field, *flaw.path)))}: {flaw.words}"


def _template(text: str) -> TemplateRef:
    name, at, number = text.partition("@")
    if at and not (number.isdecimal() and int(number) > 0):
        raise SettingsError("--template: expected a name, or name@version")
    return TemplateRef(name, int(number) if at else None)


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


def _step_row(entry: TimelineEntry) -> Mapping[str, object]:
    return {
        "at": entry.at,
        "event": entry.event,
        "attempt": entry.attempt,
        "provider": entry.provider,
        "error": _words(entry.fault),
        "again_in_s": entry.delay_s,
        "note": entry.note,
    }


def _words(fault: Fault | None) -> str | None:
    return f"{fault.kind} {fault.code}: {fault.message}" if fault else None
