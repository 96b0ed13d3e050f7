"""The composition root: the one place that knows what is made of what, and in which mode.

The schemes of NOTIFIER_DATABASE_URL and NOTIFIER_BROKER_URL choose the store and the queue.
Where the queue lives in the process, so do the workers.
"""

import asyncio
import gc
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any
from uuid import uuid4

import structlog
import uvloop
from uuid_utils.compat import uuid7

from notifier.api.app import create_app
from notifier.api.config import ApiConfig, ApiServices, TwilioCallbacks
from notifier.api.kit.door import DoorLimits
from notifier.api.kit.server import bind, serve
from notifier.channels.registry import (
    Parts,
    channel_settings,
    make_routes,
    rates_per_s,
    retry_policies,
)
from notifier.clock import Clock
from notifier.delivery.attempt import Lease
from notifier.delivery.deliverer import Deliverer
from notifier.delivery.duties import DeliveryDuties, RelayPace
from notifier.delivery.ports import ChannelAdapter, RescuePolicy, Upkeep
from notifier.duty import purging
from notifier.errors import NotifierError, SchemaError, SettingsError, StoreUnavailableError
from notifier.intake.publishing import Publisher
from notifier.intake.submission import Submitter
from notifier.notification.queueing import Queue
from notifier.providers.breaker import BreakerSettings
from notifier.providers.gate import Gate
from notifier.queue.memory import MemoryQueue
from notifier.queue.rabbitmq.connection import RabbitSettings
from notifier.queue.rabbitmq.policies import TopologyWatch
from notifier.queue.rabbitmq.queue import open_rabbit_queue
from notifier.settings.groups import ApiSettings, DatabaseSettings, Settings
from notifier.store.captures import SqlCaptures
from notifier.store.inbox import SqlInbox
from notifier.store.keys import SqlKeyStore
from notifier.store.kit.clock import DatabaseClock
from notifier.store.kit.idempotency import SqlOnce
from notifier.store.kit.occupying import sole_user
from notifier.store.kit.opening import open_database, unprotected_host
from notifier.store.notification.attempts import SqlLeases
from notifier.store.notification.dead_letters import SqlDeadLetters
from notifier.store.notification.intake import SqlIntake
from notifier.store.notification.orders import SqlOrders
from notifier.store.notification.publications import SqlPublications
from notifier.store.notification.reading import SqlQueryStore
from notifier.store.notification.settings import StoreSettings
from notifier.store.notification.upkeep import SqlUpkeep
from notifier.store.providers.accounts import SqlProviderStore
from notifier.store.receipts.applying import SqlReceiptStore
from notifier.store.suppressions import SqlSuppressionStore
from notifier.telemetry import configure_logging
from notifier.worker.consumers import Consumers
from notifier.worker.leases import LeaseEnder, ending_leases
from notifier.worker.relay import Relay
from notifier.worker.stopping import StopBudget
from notifier.worker.store_watch import StoreWatch
from notifier.worker.supervisor import Supervisor, SupervisorSettings, beat, end_with_parent

log = structlog.get_logger(__name__)

_INSIDE = "inside"
# Of the time until a relay takes over; the rest is for the publish under way.
_PUBLISH_SHARE = 0.8
_WATCH_S = 5
_PATIENCE = 3
_COLLECT_AFTER = 10_000
_TAKE_OVER_AGAIN_S = 1
_UNPUBLISH_AT_ONCE = 5_000


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The current time, aware, UTC."""
        return datetime.now(UTC)  # noqa: TID251  this is the Clock

    def monotonic_s(self) -> float:
        """Seconds that only ever grow."""
        return monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The database, by what is asked of it."""

    intake: SqlIntake
    publications: SqlPublications
    leases: SqlLeases
    upkeep: SqlUpkeep
    dead_letters: SqlDeadLetters
    orders: SqlOrders
    once: SqlOnce
    queries: SqlQueryStore
    keys: SqlKeyStore
    inbox: SqlInbox
    captures: SqlCaptures
    providers: SqlProviderStore
    receipts: SqlReceiptStore
    suppressions: SqlSuppressionStore
    clock: DatabaseClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What every mode needs, opened."""

    stores: Stores
    queue: Queue
    publisher: Publisher
    clock: Clock
    """The database's time: no machine's own clock is compared with what others say."""


@asynccontextmanager
async def open_stores(
    settings: DatabaseSettings, store_settings: StoreSettings | None = None
) -> AsyncIterator[Stores]:
    """Open the database that the settings name."""
    limits = store_settings or StoreSettings()
    async with open_database(settings.database_url.get_secret_value()) as database:
        yield Stores(
            intake=SqlIntake(database, limits),
            publications=SqlPublications(database, limits),
            leases=SqlLeases(database, limits),
            upkeep=SqlUpkeep(database, limits),
            dead_letters=SqlDeadLetters(database),
            orders=SqlOrders(database),
            once=SqlOnce(database),
            queries=SqlQueryStore(database),
            keys=SqlKeyStore(database),
            inbox=SqlInbox(database),
            captures=SqlCaptures(database),
            providers=SqlProviderStore(database),
            receipts=SqlReceiptStore(database),
            suppressions=SqlSuppressionStore(database),
            clock=DatabaseClock(database, SystemClock()),
        )


@asynccontextmanager
async def open_services(settings: Settings, role: str) -> AsyncIterator[Services]:
    """Open the database and the broker; `role` names the connections to operators.

    Raises:
        SchemaError: the schema is old; says what to run.
    """
    limits = StoreSettings(
        grace_s=settings.relay.publish_grace_s, lost_after_s=settings.relay.lost_after_s
    )
    async with (
        open_stores(settings, limits) as stores,
        _open_queue(settings, role, stores.clock) as queue,
        _running(stores.clock.run()),
    ):
        await _check_schema(stores)
        patience_s = settings.relay.publish_grace_s * _PUBLISH_SHARE
        publisher = Publisher(stores.publications, queue, patience_s=patience_s)
        yield Services(stores=stores, queue=queue, publisher=publisher, clock=stores.clock)
        await publisher.drain(stop_budget(settings).drain_s)


def has_workers_inside(settings: Settings) -> bool:
    """Whether the queue, and so its workers, live in the API's process."""
    return settings.broker_url.get_secret_value().lower().startswith("memory:")


@asynccontextmanager
async def _open_queue(settings: Settings, role: str, clock: Clock) -> AsyncIterator[Queue]:
    if has_workers_inside(settings):
        yield MemoryQueue()
        return
    rabbit = RabbitSettings(connection_name=f"notifier-{role}", declare=settings.declare_topology)
    url = settings.broker_url.get_secret_value()
    async with open_rabbit_queue(url, rabbit, clock) as queue:
        yield queue


def _warn_of_unprotected_database(settings: Settings) -> None:
    host = unprotected_host(settings.database_url.get_secret_value())
    if host:
        log.warning(
            "database.unprotected",
            host=host,
            advice="add sslmode=verify-full to NOTIFIER_DATABASE_URL, or say sslmode=disable",
        )


async def _check_schema(stores: Stores) -> None:
    try:
        problem = await stores.queries.schema_problem()
    except StoreUnavailableError as error:
        log.warning("database.away", reason=str(error))
        return
    if problem:
        raise SchemaError(problem)


def spare_collector() -> None:
    """Keep the garbage collector from what stays as long as the process, and look less often.

    Modules and tables are several hundred thousand objects, and going through them again and
    again took an eighth of the time of a loaded process.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)


def set_up_logging(settings: Settings) -> None:
    """Set up this OS process's logging."""
    configure_logging(level=settings.log_level, as_json=settings.log_format == "json")


# --- serving the API ------------------------------------------------------------------------


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Be the only one-process mode on the database's file, for as long as the block lasts.

    What such a process finds under a lease, or queued, it takes for that of a dead one.

    Raises:
        SettingsError: there is another one.
    """
    with ExitStack() as stack:
        if has_workers_inside(settings):
            stack.enter_context(sole_user(settings.database_url.get_secret_value()))
        yield


def serve_api(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve the API until SIGTERM or SIGINT; `announce` is called with its URL when it is ready.

    Where the workers are inside, the caller is `alone`.

    Raises:
        SettingsError, SchemaError: it cannot start like this.
    """
    uvloop.run(_serve_api(settings, announce))


def log_start(url: str) -> None:
    """Say in the log that the API is ready at `url`."""
    log.info("api.started", url=url)


async def _serve_api(settings: Settings, announce: Callable[[str], None]) -> None:
    channel_settings(settings)
    _warn_of_unprotected_database(settings)
    with bind(settings.host, settings.port) as listener:
        async with open_services(settings, "api") as services, AsyncExitStack() as stack:
            api = _api_services(settings, services)
            # The runner watches too: this is for the metrics.
            if settings.metrics and not has_workers_inside(settings):
                watch = await stack.enter_async_context(_watching_topology(settings))
                api = replace(
                    api,
                    are_policies_ok=lambda: watch.is_ok,
                    queue_members=lambda: watch.members,
                )
            await stack.enter_async_context(_workers_inside(settings, services))
            app = create_app(api, _api_config(settings))
            spare_collector()
            limits = _door_limits(settings.api)
            await serve(app, listener, announce, limits, app.state.note_refusal)
    log.info("api.stopped")


def _api_services(settings: Settings, services: Services) -> ApiServices:
    return ApiServices(
        submitter=Submitter(services.stores.intake, services.publisher),
        once=services.stores.once,
        orders=services.stores.orders,
        queries=services.stores.queries,
        keys=services.stores.keys,
        inbox=services.stores.inbox,
        providers=services.stores.providers,
        receipts=services.stores.receipts,
        suppressions=services.stores.suppressions,
        captures=services.stores.captures if settings.sandbox_page else None,
        queue=services.queue,
        clock=services.clock,
        new_id=uuid7,
        clock_problem=services.stores.clock.problem,
    )


def _api_config(settings: Settings) -> ApiConfig:
    return ApiConfig(
        pepper=settings.key_pepper.get_secret_value().encode(),
        routes={channel: group.providers for channel, group in channel_settings(settings).items()},
        twilio_callbacks=_twilio_callbacks(settings),
        sendgrid_public_key=settings.sendgrid.webhook_public_key,
        allowed_hosts=settings.api.allowed_hosts,
        has_metrics=settings.metrics,
        max_body_bytes=settings.api.max_body_bytes,
        max_batch_bytes=settings.api.max_batch_bytes,
        requests_per_minute=settings.api.rate_limit,
    )


def _door_limits(settings: ApiSettings) -> DoorLimits:
    return DoorLimits(
        max_connections=settings.max_connections,
        max_per_address=settings.max_connections_per_address,
        trusted_proxies=settings.trusted_proxies,
        head_s=settings.head_timeout_s,
    )


def _twilio_callbacks(settings: Settings) -> TwilioCallbacks | None:
    twilio = settings.twilio
    if twilio.status_callback_base_url is None or twilio.auth_token is None:
        return None
    return TwilioCallbacks(
        base_url=twilio.status_callback_base_url.rstrip("/"),
        auth_token=twilio.auth_token.get_secret_value(),
    )


# --- workers --------------------------------------------------------------------------------


@asynccontextmanager
async def _workers_inside(settings: Settings, services: Services) -> AsyncIterator[None]:
    """Run consumers and a relay in this process if its queue is; what was queued died with it."""
    if not has_workers_inside(settings):
        yield
        return
    make_routes(_parts(settings, services))
    async with _running(_work_inside(settings, services)):
        yield


async def _work_inside(settings: Settings, services: Services) -> None:
    try:
        await _take_over(services.stores.upkeep)
        async with (
            _running(_make_relay(_delivery_duties(settings, services), services.stores).run()),
            _consuming(settings, services, _INSIDE) as consumers,
        ):
            await _watch_store(services, consumers)
    except Exception:  # nobody awaits this before the API ends
        log.exception("workers.crashed")


async def _take_over(upkeep: Upkeep) -> None:
    """Take what the process before held and had queued, as soon as the database allows it.

    Until then the API answers, and nothing is sent: a lease must not be ended once this process
    may hold it.
    """
    while True:
        try:
            await upkeep.end_leases(_INSIDE)
            while await upkeep.unpublish(_UNPUBLISH_AT_ONCE):
                pass
        except NotifierError as error:
            log.warning("workers.delayed", reason=str(error))
            await asyncio.sleep(_TAKE_OVER_AGAIN_S)
        else:
            return


@asynccontextmanager
async def _consuming(settings: Settings, services: Services, name: str) -> AsyncIterator[Consumers]:
    routes = make_routes(_parts(settings, services))
    gate = Gate(services.stores.providers, services.clock, rates_per_s(settings), BreakerSettings())
    deliverer = Deliverer(
        leases=services.stores.leases,
        publisher=services.publisher,
        routes=routes,
        gate=gate,
        policies=retry_policies(settings),
        lease=lease_of(settings, name),
        clock=services.clock,
        random=random.SystemRandom().random,
        new_token=uuid4,
    )
    slots = {channel: group.consumers for channel, group in channel_settings(settings).items()}
    consumers = Consumers(services.queue, deliverer, slots)
    try:
        await consumers.start()
        yield consumers
    finally:
        budget = stop_budget(settings)
        await consumers.stop(budget.grace_s)
        await _close(chain.from_iterable(routes.values()), budget.close_s)


async def _close(adapters: Iterable[ChannelAdapter], timeout_s: float) -> None:
    """Give back their connections; a provider that does not let go keeps nobody."""
    closing = [asyncio.ensure_future(adapter.close()) for adapter in adapters]
    if closing:
        _, late = await asyncio.wait(closing, timeout=timeout_s)
        for task in late:
            task.cancel()


def _parts(settings: Settings, services: Services) -> Parts:
    return Parts(
        settings=settings,
        clock=services.clock,
        inbox=services.stores.inbox,
        captures=services.stores.captures,
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


def stop_budget(settings: Settings) -> StopBudget:
    """How long a stop may take, with what the settings give to what is in flight."""
    return StopBudget(grace_s=settings.worker.grace_s)


def _delivery_duties(settings: Settings, services: Services) -> DeliveryDuties:
    return DeliveryDuties(
        upkeep=services.stores.upkeep,
        dead_letters=services.stores.dead_letters,
        queue=services.queue,
        publisher=services.publisher,
        rescue={
            channel: RescuePolicy(max_attempts=policy.max_attempts, on_unknown=policy.on_unknown)
            for channel, policy in retry_policies(settings).items()
        },
        pace=RelayPace(
            due_every_s=settings.relay.due_every_s, repair_every_s=settings.relay.repair_every_s
        ),
    )


def _make_relay(delivery: DeliveryDuties, stores: Stores) -> Relay:
    return Relay(
        [*delivery.all(), purging(stores.once, "keys"), purging(stores.receipts, "receipts")]
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
    stop = _stop_signal()
    _warn_of_unprotected_database(settings)
    async with open_services(settings, f"relay@{socket.gethostname()}") as services:
        make_routes(_parts(settings, services))
        duties = _delivery_duties(settings, services)
        relay = _make_relay(duties, services.stores)
        log.info("workers.started", processes=settings.worker.processes)
        relaying_or_not = relay.run() if settings.relay.enabled else _without_relay()
        async with (
            _watching_topology(settings),
            _running(relaying_or_not) as relaying,
            ending_leases(services.stores.upkeep, duties.nudge) as leases,
            _running(_make_supervisor(settings, environ, leases).run()) as supervising,
        ):
            await _first(stop.wait(), relaying, supervising)
        log.info("workers.stopped")


@asynccontextmanager
async def _watching_topology(settings: Settings) -> AsyncIterator[TopologyWatch]:
    management = settings.broker_management_url
    url = settings.broker_url.get_secret_value()
    watch = TopologyWatch(url, management.get_secret_value() if management else None)
    async with _running(watch.run()):
        yield watch


def _make_supervisor(
    settings: Settings, environ: Mapping[str, str], leases: LeaseEnder
) -> Supervisor:
    return Supervisor(
        partial(_run_child, dict(environ)),
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


def _run_child(environ: Mapping[str, str], name: str, link: Connection) -> None:
    settings = Settings.from_env(environ)
    set_up_logging(settings)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(link, stop_budget(settings).worker_s)
    sys.exit(uvloop.run(_work(settings, name, link)))


async def _work(settings: Settings, name: str, link: Connection) -> str | None:
    """Consume until SIGTERM; returns why it ended otherwise."""
    stop = _stop_signal()
    async with (
        _running(beat(link)),
        open_services(settings, f"worker@{name}") as services,
        _consuming(settings, services, name) as consumers,
        _running(_watch_store(services, consumers)) as watching,
    ):
        spare_collector()
        log.info("worker.started", worker=name)
        silence = asyncio.ensure_future(_silent(consumers))
        problem: str | None = await _first(stop.wait(), silence, watching)
    return problem


async def _watch_store(services: Services, consumers: Consumers) -> None:
    await StoreWatch(services.stores.queries.prove, consumers).run()


async def _silent(consumers: Consumers) -> str:
    """Return once consumers were found not consuming several times in a row."""
    strikes = 0
    problem = None
    while strikes < _PATIENCE:
        await asyncio.sleep(_WATCH_S)
        problem = consumers.problem()
        strikes = strikes + 1 if problem else 0
    return f"notifier worker: {problem}"


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _first(stop: Coroutine[Any, Any, Any], *others: asyncio.Task[Any]) -> Any:
    """Wait for `stop` (then the answer is None) or one of `others` (then it is its result)."""
    stopping = asyncio.ensure_future(stop)
    await asyncio.wait({stopping, *others}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    ended = next((task for task in others if task.done()), None)
    return ended.result() if ended else None
