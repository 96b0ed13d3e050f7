"""Looking at every part that notifier needs, each as it is used, and sending nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

from notifier.channels.provider import Parts
from notifier.channels.registry import make_routes
from notifier.checkup import Finding, Part, State
from notifier.clock import Clock, SystemClock
from notifier.composition.resources import has_workers_inside, open_stores
from notifier.composition.settings import read_settings
from notifier.composition.stores import Stores
from notifier.delivery.ports import ChannelAdapter
from notifier.errors import NotifierError, SettingsError
from notifier.notification.queueing import QueueDepth
from notifier.providers.handshake import Handshaker
from notifier.queue.rabbitmq.depths import queue_depths
from notifier.queue.rabbitmq.management import ManagementError
from notifier.queue.rabbitmq.overview import overview
from notifier.queue.rabbitmq.topology import State as Found
from notifier.queue.rabbitmq.topology import check_topology
from notifier.roster import CONSUMING, Process
from notifier.roster import State as ProcessState
from notifier.settings.groups import Settings

_PATIENCE_S = 15.0
_MOST_PROCESSES = 10_000


Look: TypeAlias = Callable[[], Awaitable[Finding]]


async def examine(environ: Mapping[str, str]) -> Sequence[Part]:
    """Look at everything that the variables name, all at once; raises nothing of it.

    Connects, logs in and asks; changes and sends nothing. Without a configuration there is
    nothing else to look at.
    """
    try:
        settings = read_settings(environ)
        async with open_stores(settings) as stores:
            return await look_at(settings, stores)
    except SettingsError as error:
        return [_misconfigured(error)]


async def look_at(settings: Settings, stores: Stores) -> Sequence[Part]:
    """Look at everything that `settings` name, as `examine`, with the database that is open."""
    clock = SystemClock()
    try:
        async with _adapters(settings, stores) as adapters:
            looks = _looks(settings, stores, adapters)
            parts = await asyncio.gather(
                *(timed(name, look, clock) for name, look in looks.items())
            )
    except SettingsError as error:
        return [_misconfigured(error)]
    return [Part(name="configuration", finding=Finding(State.FINE), took_s=0), *parts]


def _misconfigured(error: SettingsError) -> Part:
    advice = "set the variable that it names: see docs/settings.md"
    return Part(name="configuration", finding=Finding(State.WRONG, str(error), advice), took_s=0)


@asynccontextmanager
async def _adapters(
    settings: Settings, stores: Stores
) -> AsyncIterator[Mapping[str, ChannelAdapter]]:
    """The adapter of each provider that a channel names, by channel and provider."""
    parts = Parts(
        settings=settings, clock=stores.clock, inbox=stores.inbox, captures=stores.captures
    )
    routes = make_routes(parts)
    try:
        yield {
            f"{channel} by {adapter.provider}": adapter
            for channel, adapters in routes.items()
            for adapter in adapters
        }
    finally:
        await asyncio.gather(
            *(adapter.close() for adapters in routes.values() for adapter in adapters)
        )


def _looks(
    settings: Settings, stores: Stores, adapters: Mapping[str, ChannelAdapter]
) -> Mapping[str, Look]:
    return {
        "database": lambda: _database(stores),
        "clock": lambda: _clock(stores),
        "broker": lambda: _broker(settings),
        "topology": lambda: _topology(settings),
        "queues": lambda: _queues(settings),
        "workers": lambda: _workers(stores),
        **{name: greeting(adapter) for name, adapter in adapters.items()},
    }


async def timed(name: str, look: Look, clock: Clock) -> Part:
    """Look at a part; what fails is what was found of it."""
    begun_s = clock.monotonic_s()
    try:
        finding = await look()
    except NotifierError as error:
        finding = Finding(State.WRONG, str(error), _ADVICE.get(name, ""))
    except TimeoutError:
        detail = f"no answer within {_PATIENCE_S:g} s"
        finding = Finding(State.WRONG, detail, _ADVICE.get(name, ""))
    return Part(name=name, finding=finding, took_s=clock.monotonic_s() - begun_s)


_TO_THE_DATABASE = "see NOTIFIER_DATABASE_URL, and that the database is up"
_TO_THE_BROKER = "see NOTIFIER_BROKER_URL, and that the broker is up"
_ADVICE = {
    "database": _TO_THE_DATABASE,
    "clock": _TO_THE_DATABASE,
    "broker": _TO_THE_BROKER,
    "topology": _TO_THE_BROKER,
    "queues": _TO_THE_BROKER,
    "workers": _TO_THE_DATABASE,
}


async def _database(stores: Stores) -> Finding:
    async with asyncio.timeout(_PATIENCE_S):
        await stores.queries.ping()
        problem = await stores.queries.schema_problem()
    if problem:
        return Finding(State.WRONG, problem, "run what it names, before anything else is started")
    return Finding(State.FINE, "its schema is what this version needs")


async def _clock(stores: Stores) -> Finding:
    async with asyncio.timeout(_PATIENCE_S):
        await stores.queries.ping()
        await stores.clock.measure()
    if problem := stores.clock.problem():
        return Finding(State.WRONG, problem, "let a time service set the clocks of both machines")
    return Finding(State.FINE, "agrees with the database's")


async def _broker(settings: Settings) -> Finding:
    if has_workers_inside(settings):
        return _IN_PROCESS
    try:
        found = await asyncio.to_thread(overview, *_at_broker(settings))
    except ManagementError as error:
        advice = "see NOTIFIER_BROKER_MANAGEMENT_URL, and that the broker is up"
        return Finding(State.WRONG, str(error), advice)
    if found.alarms:
        detail = f"it takes no messages: alarm for {', '.join(found.alarms)}"
        return Finding(State.WRONG, detail, "free memory or disk on that node, or give it more")
    alarms = "its alarms are for a user with the tag monitoring to see"
    return Finding(
        State.FINE, f"RabbitMQ {found.version}, {alarms if found.alarms is None else 'no alarm'}"
    )


async def _topology(settings: Settings) -> Finding:
    if has_workers_inside(settings):
        return _IN_PROCESS
    report = await asyncio.to_thread(check_topology, *_at_broker(settings))
    failed = [item for item in report.items if item.state is Found.FAILED]
    if failed:
        detail = "; ".join(f"{item.kind} {item.name}: {item.detail}" for item in failed)
        return Finding(State.WRONG, detail, "run `notifier topology apply`")
    return Finding(State.FINE, "all queues and policies are there")


async def _queues(settings: Settings) -> Finding:
    if has_workers_inside(settings):
        return _IN_PROCESS
    depths = await asyncio.to_thread(queue_depths, _at_broker(settings)[0])
    waiting = [each for each in depths if each.lane is not None and each.ready]
    if unread := [each for each in waiting if not each.consumers]:
        detail = f"nobody reads {_named(unread)}"
        return Finding(State.WRONG, detail, "start the workers: `notifier work`")
    return Finding(State.FINE, f"waiting: {_named(waiting)}" if waiting else "nothing waits")


async def _workers(stores: Stores) -> Finding:
    async with asyncio.timeout(_PATIENCE_S):
        found = await stores.roster.list(limit=_MOST_PROCESSES)
    return of_workers([each for each in found if each.identity.role in CONSUMING])


def of_workers(workers: Sequence[Process]) -> Finding:
    """Return how those are that take notifications."""
    there = [each for each in workers if each.seen.state is not ProcessState.STOPPED]
    late = [each.identity.name for each in there if each.is_late]
    heard_of = [each for each in there if not each.is_late]
    busy = (
        f"{sum(each.seen.busy for each in heard_of)} of {sum(each.seen.slots for each in heard_of)}"
    )
    detail = f"{len(heard_of)} running, {busy} slots busy"
    if late:
        detail = f"{detail}; not heard of lately: {', '.join(late)}"
    if not workers:
        return Finding(State.NOT_CHECKED, "none was heard of in the last hour")
    if not heard_of:
        return Finding(State.WRONG, detail, "start the workers: `notifier work`")
    if all(each.is_to_drain for each in heard_of):
        return Finding(State.WRONG, f"all are drained: {detail}", "`notifier workers resume NAME`")
    return Finding(State.FINE, detail)


def _named(depths: Sequence[QueueDepth]) -> str:
    return ", ".join(f"{each.name} ({each.ready} ready)" for each in depths)


def greeting(adapter: ChannelAdapter) -> Look:
    """Return what logs in at a provider, and sends nothing."""

    async def greet() -> Finding:
        if not isinstance(adapter, Handshaker):
            return Finding(State.NOT_CHECKED, "it calls nobody")
        trouble = await adapter.handshake()
        if trouble:
            return Finding(State.WRONG, trouble.problem, trouble.advice)
        return Finding(State.FINE, "it would take a message")

    return greet


_IN_PROCESS = Finding(State.NOT_CHECKED, "memory:// lives in the API's process")


def _at_broker(settings: Settings) -> tuple[str, str | None]:
    url = settings.broker_management_url
    return settings.broker_url.get_secret_value(), url.get_secret_value() if url else None
