"""What a worker runner and its workers are made of."""

import asyncio
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from itertools import chain
from multiprocessing.connection import Connection
from uuid import uuid4

import structlog
import uvloop

from notifier.channels.provider import Parts
from notifier.channels.registry import channel_settings, make_routes, rates_per_s, retry_policies
from notifier.clock import Clock
from notifier.composition import worker_process
from notifier.composition.drafting import make_audience, renderer
from notifier.composition.events import taking_events
from notifier.composition.hooks import hooking
from notifier.composition.presence import identify, present
from notifier.composition.relaying import delivery_duties, drafter_of, make_relay
from notifier.composition.resources import (
    Resources,
    has_workers_inside,
    links,
    open_resources,
    set_up_logging,
    sms_rules,
    spare_collector,
    stop_budget,
    warn_of_readers,
)
from notifier.composition.running import first_of, running, stop_signal
from notifier.composition.settings import read_settings
from notifier.content.library import Library
from notifier.delivery.addressing import Addresser
from notifier.delivery.attaching import Loader, Portion
from notifier.delivery.attempt import Lease
from notifier.delivery.composing import Composer
from notifier.delivery.deliverer import Deliverer
from notifier.delivery.ports import ChannelAdapter
from notifier.delivery.preparing import Preparer
from notifier.delivery.telling import ToldAdapter
from notifier.errors import SettingsError
from notifier.hooks.calling import Hooks
from notifier.hooks.moments import Moment
from notifier.notification.model import Channel
from notifier.providers.breaker import BreakerSettings
from notifier.providers.gate import Gate
from notifier.queue.rabbitmq.policies import TopologyWatch
from notifier.roster import Role, Roster
from notifier.settings.groups import Settings
from notifier.worker.consumers import Consumers
from notifier.worker.leases import LeaseEnder, ending_leases
from notifier.worker.presence import note_end
from notifier.worker.store_watch import StoreWatch
from notifier.worker.supervisor import (
    Death,
    Life,
    Supervisor,
    SupervisorSettings,
    beat,
    end_with_parent,
)

log = structlog.get_logger(__name__)

_WATCH_S = 5
_PATIENCE = 3


@asynccontextmanager
async def consuming(
    settings: Settings, resources: Resources, name: str, hooks: Hooks
) -> AsyncIterator[Consumers]:
    """Consume and deliver for the length of the block, as the worker of this name."""
    routes = _told(make_routes(parts_of(settings, resources)), hooks, resources.clock)
    gate = Gate(
        resources.stores.providers, resources.clock, rates_per_s(settings), BreakerSettings()
    )
    deliverer = Deliverer(
        leases=resources.stores.leases,
        publisher=resources.publisher,
        preparer=_preparer(settings, resources),
        routes=routes,
        gate=gate,
        policies=retry_policies(settings),
        lease=lease_of(settings, name),
        clock=resources.clock,
        random=random.SystemRandom().random,
        new_token=uuid4,
    )
    slots = {channel: group.consumers for channel, group in channel_settings(settings).items()}
    consumers = Consumers(resources.queue, deliverer, slots)
    try:
        await consumers.start()
        yield consumers
    finally:
        budget = stop_budget(settings)
        await consumers.stop(budget.grace_s)
        await _close(chain.from_iterable(routes.values()), budget.close_s)


def _told(
    routes: Mapping[Channel, Sequence[ChannelAdapter]], hooks: Hooks, clock: Clock
) -> Mapping[Channel, Sequence[ChannelAdapter]]:
    """Return the routes with adapters of whose calls hooks are told, if any want to be."""
    if not hooks.want(Moment.BEFORE_SEND, Moment.AFTER_OUTCOME):
        return routes
    return {
        channel: [ToldAdapter(adapter, hooks, clock) for adapter in adapters]
        for channel, adapters in routes.items()
    }


def _preparer(settings: Settings, resources: Resources) -> Preparer:
    stores, clock = resources.stores, resources.clock
    memory = Portion(settings.worker.max_attached_bytes)
    audience = make_audience(settings, stores, clock)
    return Preparer(
        Addresser(audience, stores.leases, stores.caps, clock),
        Composer(
            Library(stores.templates, clock),
            renderer(settings, clock),
            sms_rules(settings),
            links(settings),
            _warning_of_missing_links(),
        ),
        Loader(stores.attachments, stores.contents, memory),
        stores.fates,
    )


def _warning_of_missing_links() -> Callable[[], None]:
    """Return what says so in the log, once."""

    @cache
    def warn() -> None:
        advice = "set NOTIFIER_LINKS__BASE_URL, or nobody can unsubscribe by a link"
        log.warning("links.missing", advice=advice)

    return warn


async def _close(adapters: Iterable[ChannelAdapter], timeout_s: float) -> None:
    """Give back their connections; a provider that does not let go keeps nobody."""
    closing = [asyncio.ensure_future(adapter.close()) for adapter in adapters]
    if closing:
        _, late = await asyncio.wait(closing, timeout=timeout_s)
        for task in late:
            task.cancel()


def parts_of(settings: Settings, resources: Resources) -> Parts:
    """Return what adapters are made of."""
    return Parts(
        settings=settings,
        clock=resources.clock,
        inbox=resources.stores.inbox,
        captures=resources.stores.captures,
    )


def lease_of(settings: Settings, name: str) -> Lease:
    """How long the worker of this name may hold what it claimed."""
    lease_s = settings.worker.lease_s
    return Lease(
        held_by=name,
        duration_s=lease_s,
        send_timeout_s=lease_s - 10,
        stop_patience_s=stop_budget(settings).record_s,
    )


def run_workers(settings: Settings, environ: Mapping[str, str]) -> None:
    """Run the relay and NOTIFIER_WORKER__PROCESSES workers until SIGTERM or SIGINT.

    The children read the same settings from `environ`.

    Raises:
        SettingsError, SchemaError: it cannot start like this.
    """
    if has_workers_inside(settings):
        raise SettingsError("NOTIFIER_BROKER_URL: the workers of memory:// are in the API")
    uvloop.run(_run_workers(settings, environ))


async def _run_workers(settings: Settings, environ: Mapping[str, str]) -> None:
    stop = stop_signal()
    warn_of_readers(settings)
    async with (
        open_resources(settings, f"relay@{socket.gethostname()}") as resources,
        hooking(settings, resources.stores.hook_counts, resources.clock) as hooks,
    ):
        make_routes(parts_of(settings, resources))
        duties = delivery_duties(settings, resources)
        relay = make_relay(settings, resources, duties, hooks)
        log.info("workers.started", processes=settings.worker.processes)
        relaying_or_not = relay.run() if settings.relay.enabled else _without_relay()
        async with (
            watching_topology(settings),
            running(relaying_or_not) as relaying,
            running(taking_events(settings, resources, drafter_of(settings, resources))) as taking,
            ending_leases(resources.stores.upkeep, duties.nudge) as leases,
            _supervising(settings, environ, leases, resources.stores.roster) as supervising,
        ):
            await first_of(stop.wait(), relaying, taking, supervising)
        log.info("workers.stopped")


@asynccontextmanager
async def watching_topology(settings: Settings) -> AsyncIterator[TopologyWatch]:
    """Watch the broker's policies and queue members beside the block."""
    management = settings.broker_management_url
    url = settings.broker_url.get_secret_value()
    watch = TopologyWatch(url, management.get_secret_value() if management else None)
    async with running(watch.run()):
        yield watch


@asynccontextmanager
async def _supervising(
    settings: Settings, environ: Mapping[str, str], leases: LeaseEnder, roster: Roster
) -> AsyncIterator[asyncio.Task[None]]:
    runner = identify(Role.RUNNER)
    supervisor = _make_supervisor(settings, environ, leases, roster, runner.name)
    async with (
        present(roster, runner, lambda: supervisor.restarts),
        running(supervisor.run()) as supervising,
    ):
        yield supervising


def _make_supervisor(
    settings: Settings,
    environ: Mapping[str, str],
    leases: LeaseEnder,
    roster: Roster,
    runner: str,
) -> Supervisor:
    async def settle(death: Death) -> None:
        await asyncio.gather(leases.end(death), note_end(roster, death.child))

    return Supervisor(
        partial(worker_process.run, dict(environ), runner),
        supervisor_settings(settings),
        settle,
    )


def supervisor_settings(settings: Settings) -> SupervisorSettings:
    """How the runner keeps its workers."""
    return SupervisorSettings(
        processes=settings.worker.processes,
        grace_s=stop_budget(settings).worker_s,
        hung_after_s=settings.worker.hung_after_s,
    )


async def _without_relay() -> None:
    log.warning("relay.disabled")
    await asyncio.Event().wait()


def work(environ: Mapping[str, str], runner: str, life: Life, link: Connection) -> None:
    """Be this worker of a runner, in an OS process of its own, until SIGTERM."""
    settings = read_settings(environ)
    set_up_logging(settings)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(link, stop_budget(settings).worker_s)
    sys.exit(uvloop.run(_work(settings, runner, life, link)))


async def _work(settings: Settings, runner: str, life: Life, link: Connection) -> str | None:
    """Consume until SIGTERM; returns why it ended otherwise."""
    stop = stop_signal()
    identity = identify(Role.WORKER, name=life.name, runner=runner)
    async with (
        running(beat(link)),
        open_resources(settings, f"worker@{life.name}") as resources,
        hooking(settings, resources.stores.hook_counts, resources.clock) as hooks,
        present(resources.stores.roster, identity, lambda: life.restarts) as presence,
        consuming(settings, resources, life.name, hooks) as consumers,
        running(watch_store(resources, consumers)) as watching,
    ):
        presence.consumes(consumers)
        spare_collector()
        log.info("worker.started", worker=life.name)
        silence = asyncio.ensure_future(_silent(consumers))
        problem: str | None = await first_of(stop.wait(), silence, watching)
    return problem


async def watch_store(resources: Resources, consumers: Consumers) -> None:
    """Let go of messages while this process has no database."""
    await StoreWatch(resources.stores.queries.outage, consumers).run()


async def _silent(consumers: Consumers) -> str:
    """Return once consumers were found not consuming several times in a row."""
    strikes = 0
    problem = None
    while strikes < _PATIENCE:
        await asyncio.sleep(_WATCH_S)
        problem = consumers.problem()
        strikes = strikes + 1 if problem else 0
    return f"notifier worker: {problem}"
