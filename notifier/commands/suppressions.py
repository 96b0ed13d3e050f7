"""Addresses not to send to."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

import typer

from notifier.audience.recipient import normalise
from notifier.audience.suppression import Lifted, Protected, Suppression, SuppressionPlace
from notifier.commands.answering import answering
from notifier.commands.checking import check_service
from notifier.commands.showing import Answer, OfService, table, told
from notifier.composition.resources import open_stores
from notifier.errors import NotifierError, RecipientError, SettingsError
from notifier.notification.model import Channel
from notifier.notification.outcomes import SuppressionReason
from notifier.settings.lists import ListSettings

group = typer.Typer(help="Addresses not to send to.", no_args_is_help=True)


_SUPPRESSION = ("service", "type", "recipient", "category", "reason", "since")


_PAGE = 500

OfCategory: TypeAlias = Annotated[
    str | None, typer.Option(help="Only notifications of this category; all without.")
]


class NotListedError(NotifierError):
    """Raised when what was to be taken off a list is not on it."""


@group.command("list")
@answering
def list_suppressions(
    service: OfService = None,
    type: Annotated[Channel | None, typer.Option(help="Only this channel.")] = None,
    recipient: Annotated[str | None, typer.Option(help="Only this address.")] = None,
    reason: Annotated[SuppressionReason | None, typer.Option(help="Only those for this.")] = None,
) -> Answer:
    """List the addresses that services must not send to, and why.

    What is left of an erased one is shown as `erased:` and its hash.
    """
    settings = ListSettings.from_env(os.environ)
    found = asyncio.run(suppressed_by(settings, service, type, recipient, reason))
    return table(_SUPPRESSION, [_suppression_row(each) for each in found])


@group.command()
@answering
def add(
    recipient: str,
    service: Annotated[str, typer.Option(help="The service that must not send to it.")],
    type: Annotated[Channel, typer.Option(help="The channel.")],
    reason: Annotated[SuppressionReason, typer.Option(help="Why.")] = SuppressionReason.MANUAL,
    category: OfCategory = None,
) -> Answer:
    """Send nothing to an address any more. Safe to run again."""
    settings = ListSettings.from_env(os.environ)
    asyncio.run(add_suppression(settings, service, type, recipient, reason, category))
    return told("It is on the list.", service=service, type=type, category=category, reason=reason)


@group.command()
@answering
def remove(
    recipient: str,
    service: Annotated[str, typer.Option(help="Whose list it is on.")],
    type: Annotated[Channel, typer.Option(help="The channel.")],
    category: OfCategory = None,
    reason: Annotated[
        str | None, typer.Option(help="Why; needed where the recipient asked not to be sent to.")
    ] = None,
) -> Answer:
    """Send to an address again."""
    settings = ListSettings.from_env(os.environ)
    removal = remove_suppression(settings, service, type, recipient, category, reason)
    if not asyncio.run(removal):
        raise NotListedError("it is not on this list; see notifier suppressions list")
    return told("It is off the list.", service=service, type=type, category=category)


async def suppressed_by(
    settings: ListSettings,
    service: str | None,
    channel: Channel | None,
    recipient: str | None = None,
    reason: SuppressionReason | None = None,
) -> Sequence[Suppression]:
    """The addresses that a service (None: any) must not send to, in their order."""
    found: list[Suppression] = []
    after: SuppressionPlace | None = None
    async with open_stores(settings) as stores:
        while page := await stores.suppressions.list(
            service=service,
            channel=channel,
            limit=_PAGE,
            after=after,
            recipient=recipient,
            reason=reason,
        ):
            found += page
            last = page[-1]
            after = SuppressionPlace(last.compared, last.service, last.channel, last.category or "")
    return found


async def add_suppression(
    settings: ListSettings,
    service: str,
    channel: Channel,
    recipient: str,
    reason: SuppressionReason,
    category: str | None = None,
) -> None:
    """Put an address on a service's suppression list.

    Raises:
        SettingsError: it is no address of this channel, or no service can be called so.
    """
    check_service(service)
    address = _address(channel, recipient)
    async with open_stores(settings) as stores:
        await stores.suppressions.add(
            service=service,
            channel=channel,
            recipient=address,
            reason=reason,
            category=category or None,
        )


async def remove_suppression(
    settings: ListSettings,
    service: str,
    channel: Channel,
    recipient: str,
    category: str | None,
    why: str | None,
) -> bool:
    """Take an address off a service's suppression list; False if it was not there.

    Raises:
        SettingsError: it is no address of this channel, or the recipient asked for it and nobody
            says why it may be sent to again.
    """
    address = _address(channel, recipient)
    async with open_stores(settings) as stores:
        result = await stores.suppressions.remove(
            service=service,
            channel=channel,
            recipient=address,
            category=category or None,
            why=(why or "").strip() or None,
        )
    if isinstance(result, Protected):
        raise SettingsError(
            f"it is there as {result.reason}: the recipient asked for it. Say why it may be sent "
            "to again: --reason '...'"
        )
    return isinstance(result, Lifted)


def _address(channel: Channel, recipient: str) -> str:
    try:
        return normalise(channel, recipient)
    except RecipientError as error:
        raise SettingsError(f"recipient: {error}") from error


def _suppression_row(suppression: Suppression) -> Mapping[str, object]:
    return {
        "service": suppression.service,
        "type": suppression.channel.value,
        "recipient": suppression.recipient,
        "category": suppression.category or "",
        "reason": suppression.reason.value,
        "since": suppression.created_at,
    }
