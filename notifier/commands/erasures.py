"""Erasing people, and the receipts of that."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer
from uuid_utils.compat import uuid7

from notifier.audience.erasure import AlsoKnown, Erasure, ErasureRequest
from notifier.audience.recipient import normalise
from notifier.commands.answering import answering
from notifier.commands.checking import check_service, json_of
from notifier.commands.showing import Answer, alone, document, told
from notifier.composition.resources import open_stores, pseudonyms_of
from notifier.composition.settings import read_settings
from notifier.errors import NotifierError, RecipientError, SettingsError
from notifier.idempotency import NotFound
from notifier.notification.model import Channel
from notifier.settings.groups import DatabaseSettings

group = typer.Typer(help="Erasing people, and the receipts of that.", no_args_is_help=True)

_ASKED_BY: Final = "command"


class NoSuchErasureError(NotifierError):
    """Raised when there is no erasure with this id."""


class NotGenuineError(NotifierError):
    """Raised when a receipt was not signed here, or was changed."""


@group.command()
@answering
def begin(
    user_id: Annotated[str, typer.Argument(help="Whom to erase, by the service's own id.")],
    service: Annotated[str, typer.Option(help="Whose person.")],
    reason: Annotated[str, typer.Option(help="Why; it stays, so name nobody.")],
    also: Annotated[
        list[str] | None,
        typer.Option(help="Another address of theirs, such as email:ada@example.com."),
    ] = None,
    *,
    forget_suppression: Annotated[
        bool, typer.Option(help="Also forget that they are not to be sent to.")
    ] = False,
) -> Answer:
    """Have somebody erased, and print the id to ask for with `show`. Relays do it."""
    check_service(service)
    request = ErasureRequest(
        id=uuid7(),
        service=service,
        user_id=_normal(Channel.IN_APP, user_id),
        reason=reason,
        requested_by=_ASKED_BY,
        also_addresses=[_also(each) for each in also or ()],
        forget_suppression=forget_suppression,
    )
    if request.names_whom_it_erases():
        raise SettingsError("--reason: it stays, and must not say whom it is about")
    asyncio.run(ask(DatabaseSettings.from_env(os.environ), request))
    return alone("id", request.id)


@group.command()
@answering
def show(id: UUID) -> Answer:
    """Print how far an erasure is; once it is done, its receipt, alone."""
    found = asyncio.run(erasure_of(DatabaseSettings.from_env(os.environ), id))
    return document(found.receipt or {"state": "running", "erased": dict(found.counts)})


@group.command()
@answering
def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A receipt, as JSON.")],
) -> Answer:
    """Say whether a receipt was signed here and is unchanged."""
    receipt = json_of(file.read_bytes(), f"{file}: expected a receipt as JSON")
    pseudonyms = pseudonyms_of(read_settings(os.environ))
    if not isinstance(receipt, dict) or not pseudonyms.is_sealed(receipt):
        raise NotGenuineError("this receipt was not signed here, or was changed since")
    id, finished_at = receipt["id"], receipt["finished_at"]
    return told(f"Genuine: {id}, finished {finished_at}.", id=id, finished_at=finished_at)


async def ask(settings: DatabaseSettings, request: ErasureRequest) -> None:
    """Ask for an erasure."""
    async with open_stores(settings) as stores:
        await stores.erasures.begin(request)


async def erasure_of(settings: DatabaseSettings, id: UUID) -> Erasure:
    """Return how far an erasure is.

    Raises:
        NoSuchErasureError: there is none.
    """
    async with open_stores(settings) as stores:
        found = await stores.erasures.find(id, service=None)
    if isinstance(found, NotFound):
        raise NoSuchErasureError("there is no erasure with this id")
    return found


def _also(text: str) -> AlsoKnown:
    name, _, address = text.partition(":")
    if name not in _names():
        raise SettingsError(f"--also: expected one of {', '.join(_names())}, a colon, an address")
    return AlsoKnown(Channel(name), _normal(Channel(name), address))


def _names() -> Sequence[str]:
    return [channel.value for channel in Channel]


def _normal(channel: Channel, address: str) -> str:
    try:
        return normalise(channel, address)
    except RecipientError as error:
        raise SettingsError(str(error)) from error
