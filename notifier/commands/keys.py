"""API keys."""

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Annotated

import typer

from notifier.access import keys
from notifier.access.issuing import MAX_LIFETIME_DAYS, Issuer
from notifier.access.keys import ApiKey
from notifier.commands.answering import answering
from notifier.commands.checking import check_service
from notifier.commands.showing import Answer, OfService, alone, table, told
from notifier.composition import development
from notifier.composition.resources import open_stores
from notifier.errors import SettingsError
from notifier.settings.groups import KeySettings

group = typer.Typer(help="API keys.", no_args_is_help=True)


_KEY = ("id", "service", "scopes", "made", "expires", "state")


@group.command()
@answering
def create(
    service: Annotated[str, typer.Option(help="The service that sends with it.")],
    scope: Annotated[list[str], typer.Option(help=f"{', '.join(keys.SCOPES)}; repeat for more.")],
    expires_in_days: Annotated[int | None, typer.Option(min=1, max=MAX_LIFETIME_DAYS)] = None,
) -> Answer:
    """Make an API key and print it, alone, on stdout. It cannot be shown again."""
    lifetime = timedelta(days=expires_in_days) if expires_in_days else None
    return alone("key", asyncio.run(create_key(_key_settings(), service, scope, lifetime)))


@group.command("list")
@answering
def list_keys(service: OfService = None) -> Answer:
    """List API keys: their ids, services and scopes, never the keys."""
    found = asyncio.run(keys_of(_key_settings(), service))
    return table(_KEY, [_key_row(key) for key in found])


@group.command()
@answering
def revoke(id: Annotated[str, typer.Argument(help="Its id, or the key itself.")]) -> Answer:
    """Revoke the API key with this id, for good."""
    revoked = asyncio.run(revoke_key(_key_settings(), id))
    if revoked is None:
        raise SettingsError("there is no API key with this id; see notifier keys list")
    return told(f"Revoked {revoked}.", id=revoked)


async def create_key(
    settings: KeySettings, service: str, scopes: Collection[str], lifetime: timedelta | None
) -> str:
    """Make an API key and return it; only its digest is stored.

    Raises:
        SettingsError: a scope does not exist, or the service's name is none.
    """
    check_service(service)
    unknown = sorted(set(scopes) - set(keys.SCOPES))
    if unknown:
        raise SettingsError(f"no scope {unknown[0]!r}; there are {', '.join(keys.SCOPES)}")
    async with open_stores(settings) as stores:
        await stores.clock.measure()
        issuer = Issuer(stores.keys, stores.clock, _pepper(settings))
        return (await issuer.issue(service, scopes, lifetime)).text


async def keys_of(settings: KeySettings, service: str | None) -> Sequence[ApiKey]:
    """The API keys of a service (None: of all), oldest first."""
    async with open_stores(settings) as stores:
        found = await stores.keys.list()
    return [key for key in found if service in (None, key.service)]


async def revoke_key(settings: KeySettings, named: str) -> str | None:
    """Revoke a key, named by its id or by itself; returns its id, None if there is none."""
    presented = keys.parse(named.strip())
    id = presented.id if presented else named.strip()
    async with open_stores(settings) as stores:
        return id if await stores.keys.revoke(id) else None


async def working_key(settings: KeySettings, kept: str | None) -> str:
    """Return `kept` if it is an API key that still works; else a new one with every scope."""
    presented = keys.parse(kept or "")
    if presented:
        async with open_stores(settings) as stores:
            stored = await stores.keys.find(presented.id)
        if stored and stored.is_usable and presented.matches(stored.digest, _pepper(settings)):
            return presented.text
    return await create_key(settings, development.SERVICE, keys.SCOPES, None)


def _key_row(key: ApiKey) -> Mapping[str, object]:
    return {
        "id": key.id,
        "service": key.service,
        "scopes": sorted(key.scopes),
        "made": key.created_at,
        "expires": key.expires_at,
        "state": "usable" if key.is_usable else "revoked" if key.revoked_at else "expired",
    }


def _key_settings() -> KeySettings:
    return KeySettings.from_env(os.environ)


def _pepper(settings: KeySettings) -> bytes:
    return settings.key_pepper.get_secret_value().encode()
