"""Notifier's parts over a real database and a real broker, put together as its processes are.

A `Node` is what one process has: its own database connections, its own links to the broker.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import compat

from notifier.access import keys
from notifier.api.app import create_app
from notifier.api.console.layout import templates
from notifier.api.kit.config import ApiConfig
from notifier.api.ports import (
    ApiPorts,
    KeepingPorts,
    MendingPorts,
    OperatorPorts,
    SchedulingPorts,
    WatchingPorts,
)
from notifier.delivery.attempt import Lease
from notifier.delivery.deliverer import Deliverer
from notifier.delivery.duties import DeliveryDuties, RelayPace
from notifier.delivery.ports import ChannelAdapter, RescuePolicy
from notifier.delivery.retry import RetryPolicy
from notifier.errors import StoreUnavailableError
from notifier.events.counts import Tally
from notifier.intake.publishing import Publisher
from notifier.intake.submission import Submitter
from notifier.notification.model import Channel, Message, OnUnknown
from notifier.notification.outcomes import Outcome, Sent
from notifier.providers.breaker import BreakerSettings
from notifier.providers.gate import Gate
from notifier.queue.rabbitmq.connection import RabbitSettings, Search
from notifier.queue.rabbitmq.queue import RabbitQueue, open_rabbit_queue
from notifier.queue.rabbitmq.topology import apply_topology
from notifier.rendering.expressions import ExpressionEngine
from notifier.rendering.markup import HtmlMarkup
from notifier.rendering.renderer import VersionRenderer
from notifier.rendering.trusted import TrustedPages
from notifier.rendering.workshop import ChildWorkshop
from notifier.store.kit.database import Patience
from notifier.store.kit.opening import open_database
from notifier.store.notification.settings import StoreSettings
from notifier.worker.consumers import Consumers
from notifier.worker.relay import Relay
from tests.api import MAIL, PASSWORDS, PEPPER, PREFIX, bench_of, client_of, examining
from tests.awake import AwakeClock, awake_clock
from tests.clock import SystemClock
from tests.contract.store.stores import PSEUDONYMS, Stores, stores_over
from tests.patience import AT_ALL_S, BROKER_IS_THERE, PATIENT
from tests.servers.rabbitmq import RabbitMq
from tests.witness import witness_of

WORK, DEAD = "email_notifications", "email_notifications.dead"
SLOTS = 8
BRISK = RabbitSettings(
    connection_name="notifier-test",
    heartbeat_s=1,
    publish_timeout_s=1,
    call_timeout_s=2,
    watch_s=0.5,
)
"""For a broker that is silent meanwhile: as if so were one that this machine cannot ask."""
SOON = StoreSettings(grace_s=0.3)
OFTEN = RelayPace(due_every_s=0.1, rescue_every_s=0.2, repair_every_s=0.2, hold_s=1)
LEASE = Lease(held_by="worker-1", probe_s=0.2)


class Ledger:
    """A provider that takes everything and keeps account of it."""

    def __init__(self, *, takes_s: float = 0) -> None:
        self.provider = "ledger"
        self.handed_over: Counter[UUID] = Counter()
        self.under_way = 0
        self.open = asyncio.Event()
        self.open.set()
        self._takes_s = takes_s

    async def send(self, message: Message) -> Outcome:
        self.under_way += 1
        try:
            await self.open.wait()
            await asyncio.sleep(self._takes_s)
            self.handed_over[message.id] += 1
        finally:
            self.under_way -= 1
        return Sent(f"taken-{message.id}")

    async def close(self) -> None:
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What one process of notifier has."""

    stores: Stores
    queue: RabbitQueue
    publisher: Publisher

    @asynccontextmanager
    async def api(self) -> AsyncIterator["Client"]:
        """Serve the API, to a client with a key of its own."""
        services = ApiPorts(
            submitter=Submitter(self.stores.intake, self.publisher),
            once=self.stores.once,
            orders=self.stores.orders,
            queries=self.stores.queries,
            mending=MendingPorts(self.stores.letters, self.stores.replays),
            keys=self.stores.keys,
            access=OperatorPorts(
                self.stores.operators,
                self.stores.sessions,
                self.stores.sign_in_failures,
                PASSWORDS,
            ),
            inbox=self.stores.inbox,
            providers=self.stores.providers,
            receipts=self.stores.receipts,
            suppressions=self.stores.suppressions,
            categories=self.stores.categories,
            choosing=self.stores.choosing,
            templates=self.stores.templates,
            attachments=self.stores.attachments,
            filing=self.stores.filing,
            brands=self.stores.brands,
            senders=self.stores.senders,
            broadcasts=self.stores.broadcasts,
            scheduling=SchedulingPorts(
                self.stores.schedules, self.stores.firing, self.stores.topic_zones
            ),
            events=self.stores.event_store,
            digests=self.stores.digest_store,
            event_counts=self.stores.event_counts,
            event_tally=Tally(self.stores.event_counts),
            rules=self.stores.rules,
            expressions=ExpressionEngine(),
            topics=self.stores.topics,
            people=self.stores.people,
            preferences=self.stores.preferences,
            choice_history=self.stores.choice_history,
            caps=self.stores.caps,
            hook_counts=self.stores.hook_counts,
            keeping=KeepingPorts(
                self.stores.retention_rules,
                self.stores.erasures,
                PSEUDONYMS,
                self.stores.audit,
                self.stores.statistics,
            ),
            directory=self.stores.directory,
            renderer=VersionRenderer(SystemClock()),
            workshop=ChildWorkshop(SystemClock()),
            markup=HtmlMarkup(),
            pages=TrustedPages(templates()),
            queue=self.queue,
            watching=WatchingPorts(self.stores.roster, examining(self.stores)),
            bench=bench_of(self.stores),
            clock=SystemClock(),
            new_id=compat.uuid7,
        )
        key = keys.mint()
        await self.stores.keys.add(
            id=key.id,
            service="orders",
            scopes=("send", "read"),
            digest=key.digest(PEPPER),
            expires_at=None,
        )
        app = create_app(services, ApiConfig(pepper=PEPPER, requests_per_minute=1_000_000))
        async with client_of(app) as client:
            client.headers["Authorization"] = f"Bearer {key.text}"
            with awake_clock() as awake:
                yield Client(client, awake)

    @asynccontextmanager
    async def workers(
        self, adapter: ChannelAdapter, *, lease: Lease = LEASE, slots: int = SLOTS
    ) -> AsyncIterator[Consumers]:
        """Consume mail and hand it over to `adapter`."""
        deliverer = Deliverer(
            leases=self.stores.leases,
            publisher=self.publisher,
            preparer=self.stores.preparer(SystemClock()),
            routes={channel: [adapter] for channel in Channel},
            gate=Gate(self.stores.providers, SystemClock(), {}, BreakerSettings()),
            policies=dict.fromkeys(Channel, RetryPolicy()),
            lease=lease,
            clock=SystemClock(),
            random=lambda: 0.5,
            new_token=uuid4,
        )
        consumers = Consumers(self.queue, deliverer, {Channel.EMAIL: slots})
        await consumers.start()
        try:
            yield consumers
        finally:
            await consumers.stop(AT_ALL_S)

    def duties(self, pace: RelayPace = OFTEN) -> DeliveryDuties:
        """A relay's duties; `relaying` does them."""
        policy = RescuePolicy(max_attempts=8, on_unknown=OnUnknown.RESEND)
        return DeliveryDuties(
            upkeep=self.stores.upkeep,
            dead_letters=self.stores.dead_letters,
            queue=self.queue,
            publisher=self.publisher,
            rescue=dict.fromkeys(Channel, policy),
            pace=pace,
        )

    @asynccontextmanager
    async def relaying(self, pace: RelayPace = OFTEN) -> AsyncIterator[None]:
        """Run a relay."""
        running = asyncio.create_task(Relay(self.duties(pace).all()).run())
        try:
            yield
            assert not running.done()
        finally:
            running.cancel()
            await asyncio.wait({running})

    async def statuses(self) -> Mapping[str, int]:
        """How many notifications stand in which status."""
        account = await self.stores.queries.account(service=None)
        assert account.is_balanced
        return {status.value: count for status, count in account.by_status.items() if count}

    async def count(self, where: str) -> int:
        """How many notifications there are of which this is true."""
        statement = text(f"SELECT count(*) FROM notifications WHERE {where}")  # noqa: S608

        async def work(connection: AsyncConnection) -> int:
            return int(await connection.scalar(statement) or 0)

        return await self.stores.database.read(work)

    async def await_statuses(self, *, timeout_s: float = AT_ALL_S, **wanted: int) -> None:
        """Wait until the notifications stand like this, and no otherwise."""
        await until_async(lambda: self._stands(wanted), timeout_s=timeout_s)

    async def _stands(self, wanted: Mapping[str, int]) -> bool:
        try:
            return await self.statuses() == wanted
        except StoreUnavailableError:
            # With a process's own patience a machine that stood still is a database that did.
            return False


@dataclass(slots=True)
class Client:
    """A client of the API, and how long its answers took."""

    http: httpx2.AsyncClient
    awake: AwakeClock
    times_s: list[float] = field(default_factory=list)

    async def post(self, key: str | None = None, **changes: object) -> httpx2.Response:
        """Send a mail that differs from the usual by `changes`."""
        headers = {"Idempotency-Key": key} if key else {}
        started_s = self.awake.monotonic_s()
        answer = await self.http.post(f"{PREFIX}/send", json={**MAIL, **changes}, headers=headers)
        self.times_s.append(self.awake.monotonic_s() - started_s)
        return answer

    async def post_many(self, count: int, *, at_once: int = 20) -> list[httpx2.Response]:
        """Send so many mails, so many of them at the same time."""
        room = asyncio.Semaphore(at_once)

        async def one() -> httpx2.Response:
            async with room:
                return await self.post()

        return await asyncio.gather(*(one() for _ in range(count)))

    def p99_s(self) -> float:
        """How long all but the slowest in a hundred answers took at most."""
        ordered = sorted(self.times_s)
        return ordered[int(len(ordered) * 0.99) - 1]


def accepted(answers: Sequence[httpx2.Response]) -> set[UUID]:
    """The ids of what was sent, all of which must have been accepted."""
    assert {answer.status_code for answer in answers} == {202}
    return {UUID(answer.json()["id"]) for answer in answers}


@asynccontextmanager
async def open_node(
    database_url: str,
    amqp_url: str,
    *,
    patience: Patience = PATIENT,
    rabbit: RabbitSettings = BROKER_IS_THERE,
    store: StoreSettings = SOON,
    search: Search = Search(),  # noqa: B008 - frozen
) -> AsyncIterator[Node]:
    """Open what a process opens, if with more patience than it has."""
    async with (
        open_database(database_url, patience) as database,
        open_rabbit_queue(amqp_url, rabbit, SystemClock(), search=search) as queue,
    ):
        stores = stores_over(database, database_url, store)
        publisher = Publisher(stores.publications, queue)
        yield Node(stores=stores, queue=queue, publisher=publisher)
        await publisher.drain(AT_ALL_S)


async def apply_policies(rabbitmq: RabbitMq, amqp_url: str) -> None:
    """Make exchanges, queues and policies, as `notifier topology apply` does."""
    report = await asyncio.to_thread(apply_topology, amqp_url, rabbitmq.management_url)
    assert report.is_complete


def ready(amqp_url: str, queue: str = WORK) -> int:
    """How many messages an independent client of the broker finds ready."""
    with witness_of(amqp_url) as witness:
        return witness.ready(queue)


async def until_ready(amqp_url: str, count: int, queue: str = WORK) -> None:
    """Wait until the broker has so many messages ready."""
    await until_async(lambda: _is_ready(amqp_url, count, queue))


async def _is_ready(amqp_url: str, count: int, queue: str) -> bool:
    return await asyncio.to_thread(ready, amqp_url, queue) == count


async def until_async(holds: Callable[[], Awaitable[Any]], *, timeout_s: float = AT_ALL_S) -> None:
    """Wait until `holds`: neither a database nor a broker sends an event."""
    async with asyncio.timeout(timeout_s):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
