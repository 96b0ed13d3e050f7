"""What a worker runner and its workers are made of."""

import asyncio
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache, partial
from itertools import chain
from multiprocessing.connection import Connection
from uuid import uuid4

import structlog
import uvloop

from notifier.audience.erasure import erasing
from notifier.audience.inbox import waking
from notifier.broadcasts.announcing import Announcer
from notifier.broadcasts.expanding import BroadcastDuties
from notifier.broadcasts.looking import Onlooker
from notifier.broadcasts.pacing import ExpansionPace
from notifier.broadcasts.roll import Roll
from notifier.channels.provider import Parts
from notifier.channels.registry import channel_settings, make_routes, rates_per_s, retry_policies
from notifier.clock import Clock
from notifier.composition import worker_process
from notifier.composition.drafting import make_audience, make_drafter, renderer
from notifier.composition.events import make_reactor, taking_events
from notifier.composition.hooks import hooking
from notifier.composition.resources import (
    Resources,
    has_workers_inside,
    links,
    open_resources,
    retention_terms,
    set_up_logging,
    sms_rules,
    spare_collector,
    stop_budget,
    warn_of_readers,
)
from notifier.composition.running import first_of, running, stop_signal
from notifier.composition.settings import read_settings
from notifier.composition.stores import Stores
from notifier.content.library import Library
from notifier.delivery.addressing import Addresser
from notifier.delivery.attaching import Loader, Portion
from notifier.delivery.attempt import Lease
from notifier.delivery.composing import Composer
from notifier.delivery.deliverer import Deliverer
from notifier.delivery.duties import DeliveryDuties, RelayPace
from notifier.delivery.ports import ChannelAdapter, RescuePolicy
from notifier.delivery.preparing import Preparer
from notifier.delivery.telling import ToldAdapter
from notifier.duty import Duty, purging
from notifier.errors import SettingsError
from notifier.events.digesting import DigestDuty
from notifier.hooks.calling import Hooks
from notifier.hooks.following import following
from notifier.hooks.moments import Moment
from notifier.intake.drafting import Drafter
from notifier.notification.model import Channel
from notifier.notification.retention import retaining
from notifier.notification.statistics import tallying
from notifier.providers.breaker import BreakerSettings
from notifier.providers.gate import Gate
from notifier.queue.rabbitmq.policies import TopologyWatch
from notifier.replays.stepping import ReplayDuties
from notifier.schedules.clocks import Clocks
from notifier.schedules.firing import FiringPace, Maker, ScheduleDuties
from notifier.settings.groups import Settings
from notifier.worker.consumers import Consumers
from notifier.worker.leases import LeaseEnder, ending_leases
from notifier.worker.relay import Relay
from notifier.worker.store_watch import StoreWatch
from notifier.worker.supervisor import Supervisor, SupervisorSettings, beat, end_with_parent

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


def delivery_duties(settings: Settings, resources: Resources) -> DeliveryDuties:
    """Return what a relay does for notifications."""
    return DeliveryDuties(
        upkeep=resources.stores.upkeep,
        dead_letters=resources.stores.dead_letters,
        queue=resources.queue,
        publisher=resources.publisher,
        rescue={
            channel: RescuePolicy(max_attempts=policy.max_attempts, on_unknown=policy.on_unknown)
            for channel, policy in retry_policies(settings).items()
        },
        pace=RelayPace(
            due_every_s=settings.relay.due_every_s, repair_every_s=settings.relay.repair_every_s
        ),
    )


def broadcast_duties(settings: Settings, resources: Resources) -> BroadcastDuties:
    """Return what a relay does for broadcasts."""
    stores = resources.stores
    return BroadcastDuties(
        stores.expansion,
        Roll(stores.topics, stores.people, stores.topic_zones),
        Onlooker(_drafter(settings, resources)),
        ExpansionPace(most_waiting=settings.relay.broadcasts_ahead),
    )


def schedule_duties(settings: Settings, resources: Resources) -> ScheduleDuties:
    """Return what a relay does for schedules."""
    stores = resources.stores
    drafter = _drafter(settings, resources)
    roll = Roll(stores.topics, stores.people, stores.topic_zones)
    return ScheduleDuties(
        stores.firing,
        Maker(drafter=drafter, announcer=Announcer.over(roll, drafter)),
        Clocks(drafter.audience, stores.topic_zones),
        FiringPace(
            every_s=settings.relay.schedules_every_s, most_waiting=settings.relay.broadcasts_ahead
        ),
    )


def _drafter(settings: Settings, resources: Resources) -> Drafter:
    # The API looked at what is on: a runner may have turned off what others send.
    made = make_drafter(settings, resources.stores, resources.clock)
    return replace(made, channels=frozenset(Channel))


def make_relay(
    settings: Settings, resources: Resources, delivery: DeliveryDuties, hooks: Hooks
) -> Relay:
    """Return a relay that does those duties and others, and has the stores forget what is old."""
    stores = resources.stores
    return Relay(
        [
            *delivery.all(),
            *broadcast_duties(settings, resources).all(),
            *schedule_duties(settings, resources).all(),
            *ReplayDuties(stores.replaying).all(),
            purging(stores.once, "keys"),
            purging(stores.receipts, "receipts"),
            waking(stores.inbox),
            purging(stores.caps, "caps"),
            purging(stores.schedules, "schedules"),
            purging(stores.audit, "audit"),
            purging(stores.replays, "replays"),
            *_event_duties(settings, resources),
            stores.filing.duty(),
            retaining(stores.purge, retention_terms(settings)),
            *([erasing(stores.erasing)] if stores.erasing else []),
            tallying(stores.statistics),
            purging(stores.statistics, "statistics"),
            *_following(stores, hooks),
        ]
    )


def _event_duties(settings: Settings, resources: Resources) -> Sequence[Duty]:
    stores = resources.stores
    reactor = make_reactor(resources, _drafter(settings, resources))
    return (
        *DigestDuty(stores.digests, reactor, resources.event_tally).all(),
        purging(stores.event_store, "events"),
        purging(stores.digests, "digests"),
    )


def _following(stores: Stores, hooks: Hooks) -> Sequence[Duty]:
    if not hooks.want(Moment.ACCEPTED, Moment.FINAL):
        return ()
    return (following(hooks, stores.feed, stores.cursors),)


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
            running(taking_events(settings, resources, _drafter(settings, resources))) as taking,
            ending_leases(resources.stores.upkeep, duties.nudge) as leases,
            running(_make_supervisor(settings, environ, leases).run()) as supervising,
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


def _make_supervisor(
    settings: Settings, environ: Mapping[str, str], leases: LeaseEnder
) -> Supervisor:
    return Supervisor(
        partial(worker_process.run, dict(environ)),
        supervisor_settings(settings),
        leases.end,
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


def work(environ: Mapping[str, str], name: str, link: Connection) -> None:
    """Be the worker of this name, in an OS process of its own, until SIGTERM."""
    settings = read_settings(environ)
    set_up_logging(settings)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(link, stop_budget(settings).worker_s)
    sys.exit(uvloop.run(_work(settings, name, link)))


async def _work(settings: Settings, name: str, link: Connection) -> str | None:
    """Consume until SIGTERM; returns why it ended otherwise."""
    stop = stop_signal()
    async with (
        running(beat(link)),
        open_resources(settings, f"worker@{name}") as resources,
        hooking(settings, resources.stores.hook_counts, resources.clock) as hooks,
        consuming(settings, resources, name, hooks) as consumers,
        running(watch_store(resources, consumers)) as watching,
    ):
        spare_collector()
        log.info("worker.started", worker=name)
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
