"""Provider accounts and their breakers."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from notifier.channels.registry import provider_names
from notifier.commands.answering import answering
from notifier.commands.showing import Answer, table, told
from notifier.composition.resources import open_stores
from notifier.errors import SettingsError
from notifier.providers.standing import Standing, standings
from notifier.settings.groups import DatabaseSettings

group = typer.Typer(help="Provider accounts and their breakers.", no_args_is_help=True)


_PROVIDER = ("provider", "state", "since", "asked_again_in_s", "trips", "put_off", "reason")


@group.command("list")
@answering
def list_providers() -> Answer:
    """List the provider accounts that ever were in trouble, paused or paced."""
    found = asyncio.run(troubled(DatabaseSettings.from_env(os.environ)))
    return table(_PROVIDER, [_provider_row(each) for each in found])


@group.command()
@answering
def pause(
    name: str,
    reason: Annotated[str, typer.Option(help="Why, for other operators.")] = "paused by hand",
) -> Answer:
    """Ask a provider no more until it is resumed. What waits for it keeps its attempts."""
    settings = DatabaseSettings.from_env(os.environ)
    asyncio.run(pause_provider(settings, name, reason))
    return told(f"Paused {name}.", provider=name, state="paused")


@group.command()
@answering
def resume(name: str) -> Answer:
    """End a provider's pause, and close its breaker."""
    asyncio.run(resume_provider(DatabaseSettings.from_env(os.environ), name))
    return told(f"Resumed {name}.", provider=name, state="closed")


async def troubled(settings: DatabaseSettings) -> Sequence[Standing]:
    """The provider accounts that ever were in trouble, paused or paced, and what waits for them."""
    async with open_stores(settings) as stores:
        states = await stores.providers.states()
        return list(standings({}, states, await stores.providers.put_off()).values())


async def pause_provider(settings: DatabaseSettings, name: str, reason: str) -> None:
    """Keep a provider from being asked until it is resumed; by all workers within a second.

    Raises:
        SettingsError: notifier has no such provider.
    """
    await _check_provider(settings, name)
    async with open_stores(settings) as stores:
        await stores.providers.pause(name, reason=reason)


async def resume_provider(settings: DatabaseSettings, name: str) -> None:
    """End a provider's pause, and close its breaker.

    Raises:
        SettingsError: notifier has no such provider.
    """
    await _check_provider(settings, name)
    async with open_stores(settings) as stores:
        await stores.providers.resume(name)


async def _check_provider(settings: DatabaseSettings, name: str) -> None:
    known = {*provider_names(), *(each.state.name for each in await troubled(settings))}
    if name not in known:
        raise SettingsError(f"no provider {name!r}; there are {', '.join(sorted(known))}")


def _provider_row(standing: Standing) -> Mapping[str, object]:
    state = standing.state
    waits = bool(state.closed_for_s) and not state.is_paused
    return {
        "provider": state.name,
        "state": state.word,
        "since": state.opened_at,
        "asked_again_in_s": state.closed_for_s if waits else None,
        "trips": state.trips,
        "put_off": standing.put_off.count,
        "reason": state.reason,
    }
