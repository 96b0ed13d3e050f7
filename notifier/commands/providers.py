"""Provider accounts and their breakers."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from uuid_utils.compat import uuid7

from notifier.channels.registry import captured_channels, provider_names
from notifier.checkup import Part
from notifier.commands.answering import answering
from notifier.commands.parts import parts_table
from notifier.commands.showing import Answer, table, told
from notifier.composition.bench import SettingsBench
from notifier.composition.resources import allowed_recipients, open_stores, pseudonyms_of
from notifier.composition.settings import read_settings
from notifier.composition.stores import Stores
from notifier.errors import SettingsError
from notifier.notification.model import Channel
from notifier.providers.standing import Standing, standings
from notifier.providers.testing import Tester, UntestableError
from notifier.providers.trial import Configured, Step, StepState, Trial, by_name
from notifier.settings.groups import DatabaseSettings

group = typer.Typer(help="Provider accounts and their breakers.", no_args_is_help=True)


_PROVIDER = (
    "provider",
    "asked",
    "state",
    "since",
    "asked_again_in_s",
    "trips",
    "put_off",
    "reason",
)
_STEP = ("step", "state", "code", "detail", "advice")
_SERVICE = "notifier"
"""Whose keyed hash of an address the audit log gets, where no key is asked for."""


@group.command("list")
@answering
def list_providers() -> Answer:
    """List the providers of the settings, and those that ever were in trouble or paced.

    Where the settings are not whole, those of the database alone.
    """
    found = asyncio.run(known(os.environ))
    return table(_PROVIDER, [_provider_row(*each) for each in found])


@group.command()
@answering
def check(name: str) -> Answer:
    """Log in at a provider as for a message, and send none. Exit code 1 if something is wrong."""
    return parts_table(asyncio.run(greet(os.environ, name)))


@group.command("test")
@answering
def send_test(
    name: str,
    to: Annotated[
        str, typer.Option(help="To whom; NOTIFIER_API__TEST_RECIPIENTS says who may be.")
    ],
    channel: Annotated[
        Channel | None, typer.Option("--type", help="Of a provider that serves several channels.")
    ] = None,
) -> Answer:
    """Send one real message through exactly this provider, and say how far it came.

    Past its breaker and a pause, and without a notification. Exit code 1 if it was not taken.
    """
    trial = asyncio.run(try_out(os.environ, name, to, channel))
    rows = [_step_row(trial, *each) for each in trial.states()]
    return table(_STEP, rows, failing=None if trial.result == "sent" else typer.Exit(1))


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


async def known(environ: Mapping[str, str]) -> Sequence[tuple[Standing, Sequence[Configured]]]:
    """Every provider that is configured or ever was in trouble, and how it is configured."""
    async with open_stores(DatabaseSettings.from_env(environ)) as stores:
        configured = _configured(environ, stores)
        states, put_off = await stores.providers.states(), await stores.providers.put_off()
    routes: dict[Channel, list[str]] = {}
    for each in configured:
        routes.setdefault(each.channel, []).append(each.name)
    named = by_name(configured)
    found = standings(routes, states, put_off)
    return [(each, named.get(name, ())) for name, each in found.items()]


def _configured(environ: Mapping[str, str], stores: Stores) -> Sequence[Configured]:
    # The database's own commands need no more than its variable.
    try:
        return SettingsBench(read_settings(environ), stores).configured()
    except SettingsError:
        return ()


async def greet(environ: Mapping[str, str], name: str) -> Sequence[Part]:
    """Log in at a provider, for each channel that it serves.

    Raises:
        SettingsError: no channel names it, or the settings are wrong.
    """
    settings = read_settings(environ)
    async with open_stores(settings) as stores:
        parts = await SettingsBench(settings, stores).greet(name)
    if not parts:
        raise SettingsError(f"no channel names the provider {name!r}")
    return parts


async def try_out(environ: Mapping[str, str], name: str, to: str, channel: Channel | None) -> Trial:
    """Send a test through a provider.

    Raises:
        SettingsError: nothing was sent; says why.
    """
    settings = read_settings(environ)
    async with open_stores(settings) as stores:
        tester = Tester(
            bench=SettingsBench(settings, stores),
            allowed=allowed_recipients(settings.api),
            captured=captured_channels(settings),
            audit=stores.audit,
            pseudonyms=pseudonyms_of(settings),
            new_id=uuid7,
        )
        try:
            return await tester.test(name, to, channel=channel, service=_SERVICE)
        except UntestableError as error:
            raise SettingsError(str(error)) from None


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


def _step_row(trial: Trial, step: Step, state: StepState) -> Mapping[str, object]:
    is_it = step is trial.failed_at
    return {
        "step": step,
        "state": state,
        "code": trial.code if is_it else "",
        "detail": trial.detail if is_it else "",
        "advice": trial.advice if is_it else "",
    }


def _provider_row(standing: Standing, configured: Sequence[Configured]) -> Mapping[str, object]:
    state = standing.state
    waits = bool(state.closed_for_s) and not state.is_paused
    return {
        "provider": state.name,
        "asked": ", ".join(f"{each.channel} {each.place}" for each in configured),
        "state": state.word,
        "since": state.opened_at,
        "asked_again_in_s": state.closed_for_s if waits else None,
        "trips": state.trips,
        "put_off": standing.put_off.count,
        "reason": state.reason,
    }
