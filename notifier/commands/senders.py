"""As whom services may send mails."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from notifier.commands.answering import answering
from notifier.commands.checking import check_service
from notifier.commands.showing import Answer, OfService, table, told
from notifier.composition.resources import open_stores
from notifier.errors import NotifierError, SettingsError
from notifier.idempotency import NotFound
from notifier.intake.senders import (
    DEFAULT,
    MAX_SENDERS,
    Sender,
    StoredSender,
    TooMany,
    is_sender_name,
)
from notifier.mailbox import Mailbox, carried_as, parse_carried
from notifier.settings.groups import DatabaseSettings

group = typer.Typer(help="As whom services may send mails.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(help=f"What `from` names; {DEFAULT!r} is for mails that name none.")
]
Service = Annotated[str, typer.Option(help="The service that sends.")]

_SENDER = ("service", "name", "address", "display_name", "reply_to", "since")
_PAGE = 500


class NoSuchSenderError(NotifierError):
    """Raised when there is no sender to remove."""


@group.command("list")
@answering
def list_senders(service: OfService = None) -> Answer:
    """List as whom services may send."""
    found = asyncio.run(senders_of(DatabaseSettings.from_env(os.environ), service))
    return table(_SENDER, [_sender_row(each) for each in found])


@group.command("set")
@answering
def set_sender(
    name: Name,
    address: Annotated[str, typer.Argument(help="The From address, alone.")],
    service: Service,
    display_name: Annotated[str, typer.Option(help="The name to show for it.")] = "",
    reply_to: Annotated[
        str | None,
        typer.Option(help="Where answers go, such as 'Help <help@shop.example>'."),
    ] = None,
) -> Answer:
    """Let a service send as an address. What was accepted before is sent as it was."""
    settings = DatabaseSettings.from_env(os.environ)
    sender = _sender(service, name, address, display_name, reply_to)
    asyncio.run(store_sender(settings, sender))
    words = f"{service} may send as {sender.mailbox}, {name}."
    return told(words, service=service, name=name, address=sender.mailbox.address)


@group.command()
@answering
def remove(name: Name, service: Service) -> Answer:
    """Let nothing new be sent as this one. What was accepted before is sent as it was."""
    settings = DatabaseSettings.from_env(os.environ)
    if not asyncio.run(remove_sender(settings, service, name)):
        raise NoSuchSenderError(f"{service} has no sender of this name")
    return told("It is gone.", service=service, name=name)


async def senders_of(settings: DatabaseSettings, service: str | None) -> Sequence[StoredSender]:
    """Return all senders, or a service's."""
    found: list[StoredSender] = []
    after: tuple[str, str] | None = None
    async with open_stores(settings) as stores:
        while page := await stores.senders.list(service=service, limit=_PAGE, after=after):
            found += page
            after = (page[-1].service, page[-1].name)
    return found


async def store_sender(settings: DatabaseSettings, sender: Sender) -> None:
    """Add a sender, or put it in the place of the one of its name.

    Raises:
        SettingsError: its service has too many.
    """
    async with open_stores(settings) as stores:
        if isinstance(await stores.senders.set(sender), TooMany):
            raise SettingsError(f"a service has at most {MAX_SENDERS} senders")


async def remove_sender(settings: DatabaseSettings, service: str, name: str) -> bool:
    """Remove a sender; False if there was none of this name."""
    async with open_stores(settings) as stores:
        return not isinstance(await stores.senders.remove(service, name), NotFound)


def _sender(
    service: str, name: str, address: str, display_name: str, reply_to: str | None
) -> Sender:
    check_service(service)
    if not is_sender_name(name):
        raise SettingsError("name: expected up to 64 of a-z, 0-9, '.', '_' and '-'")
    mailbox = _read("address", lambda: carried_as(display_name, address))
    answers = None if reply_to is None else _read("--reply-to", lambda: parse_carried(reply_to))
    return Sender(service=service, name=name, mailbox=mailbox, reply_to=answers)


def _read(name: str, read: Callable[[], Mailbox]) -> Mailbox:
    try:
        return read()
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from error


def _sender_row(sender: StoredSender) -> Mapping[str, object]:
    return {
        "service": sender.service,
        "name": sender.name,
        "address": sender.mailbox.address,
        "display_name": sender.mailbox.name,
        "reply_to": str(sender.reply_to) if sender.reply_to else None,
        "since": sender.updated_at,
    }
