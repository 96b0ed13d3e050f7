"""Workers made of the product's own parts: in this process, or in one that dies where it is told.

A spawned worker meets its fate at a named point: its ports are wrapped here, and the product has
no hooks. What it handed over stands in a journal that survives it.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs
from structlog.typing import EventDict

from notifier.clock import Clock
from notifier.delivery.attempt import Lease
from notifier.delivery.deliverer import Deliverer
from notifier.delivery.duties import DeliveryDuties, RelayPace
from notifier.delivery.ports import ChannelAdapter, Claimed, Finish, Leases, RescuePolicy, Unclaimed
from notifier.delivery.retry import RetryPolicy
from notifier.intake.ports import Submission
from notifier.intake.publishing import Publisher
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Message, Status
from notifier.notification.outcomes import Outcome, Sent
from notifier.notification.queueing import Queue
from notifier.providers.breaker import BreakerSettings
from notifier.providers.gate import Gate
from notifier.queue.rabbitmq.queue import open_rabbit_queue
from notifier.telemetry import configure_logging
from notifier.worker.consumers import Consumers
from notifier.worker.leases import ending_leases
from notifier.worker.relay import Relay
from notifier.worker.supervisor import (
    Death,
    Life,
    Supervisor,
    SupervisorSettings,
    beat,
    end_with_parent,
)
from tests.clock import SystemClock
from tests.contract.store.stores import Stores, a_submission, envelope_of, open_stores
from tests.patience import AT_ALL_S, BROKER_IS_THERE

LIMIT_S = AT_ALL_S
SLOTS = 8
QUICK = RetryPolicy(schedule_s=(0.2,), snooze_s=0.2, jitter=0)
LEASE = Lease(held_by="worker-1", probe_s=0.1)
EAGER = RelayPace(due_every_s=0.1, rescue_every_s=0.1, repair_every_s=0.2)


# --- what is around the workers -------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A database, a broker and the hand that fills them."""

    database_url: str
    amqp_url: str
    stores: Stores
    queue: Queue
    logs: list[EventDict]

    @property
    def publisher(self) -> Publisher:
        """A publisher of its own."""
        return Publisher(self.stores.publications, self.queue)

    async def accept(self, count: int, **changes: Any) -> list[Envelope]:
        """Accept so many without publishing them."""
        submissions = [replace(a_submission(), **changes) for _ in range(count)]
        return await self.accept_all(submissions)

    async def accept_all(self, submissions: Sequence[Submission]) -> list[Envelope]:
        """Accept these without publishing them."""
        await self.stores.intake.insert(submissions)
        return [envelope_of(submission) for submission in submissions]

    async def send(self, count: int, **changes: Any) -> list[Envelope]:
        """Accept and publish so many."""
        envelopes = await self.accept(count, **changes)
        assert await self.publisher.publish(envelopes) == count
        return envelopes

    async def states(self) -> Counter[Status]:
        """How many notifications stand in each state."""
        account = await self.stores.queries.account(service=None)
        assert account.is_balanced
        return Counter({status: count for status, count in account.by_status.items() if count})

    async def settled(self, count: int, *, timeout_s: float = LIMIT_S) -> Counter[Status]:
        """Wait until so many have reached a final state; returns the states."""

        async def are_final() -> bool:
            states = await self.states()
            return sum(n for status, n in states.items() if status.is_final) >= count

        await until(are_final, timeout_s=timeout_s)
        return await self.states()

    async def logged(self, event: str, count: int = 1) -> list[EventDict]:
        """Wait until this process has logged `event` so often; returns those lines."""

        async def are_there() -> bool:
            return len(self.lines(event)) >= count

        await until(are_there)
        return self.lines(event)

    def lines(self, event: str) -> list[EventDict]:
        """What this process has logged of `event`."""
        return [line for line in self.logs if line["event"] == event]

    async def end_leases(self) -> None:
        """Let the leases there are end now."""
        statement = text("UPDATE notifications SET lease_until = now() WHERE status = 'processing'")

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self.stores.database.write(work)

    async def depths(self) -> dict[str, int]:
        """The queues that are not empty."""
        return {each.name: each.ready for each in await self.queue.depths() if each.ready}

    async def holds(self, queue: str, count: int) -> None:
        """Wait until `queue` holds so many."""

        async def are_there() -> bool:
            return (await self.depths()).get(queue, 0) == count

        await until(are_there)

    async def drained(self, *, besides: Sequence[str] = ()) -> None:
        """Wait until no message is left, delivered or not, but in the queues `besides`."""

        async def are_empty() -> bool:
            return set(await self.depths()) <= set(besides)

        await until(are_empty)


class Databases(Protocol):
    """A server that makes databases; `tests.servers.postgres` would slow down every spawn."""

    def create_template(self, name: str, prepare: Callable[[str], None]) -> str: ...
    def create_database(self, template: str) -> str: ...
    def drop_database(self, url: str) -> None: ...


@asynccontextmanager
async def open_site(
    postgres: Databases, amqp_url: str, clock: Clock | None = None
) -> AsyncIterator[Site]:
    """A database of the test's own and its queues."""
    async with fresh_database(postgres) as database_url:
        with capture_logs() as logs:
            async with (
                open_stores(database_url) as stores,
                open_rabbit_queue(amqp_url, BROKER_IS_THERE, clock or SystemClock()) as queue,
            ):
                yield Site(
                    database_url=database_url,
                    amqp_url=amqp_url,
                    stores=stores,
                    queue=queue,
                    logs=logs,
                )


@asynccontextmanager
async def fresh_database(postgres: Databases) -> AsyncIterator[str]:
    """A database with the schema; the server is asked from a thread, since it runs loops."""
    make, drop = postgres.create_database, postgres.drop_database
    template = await asyncio.to_thread(postgres.create_template, "faults", _upgrade)
    url = await asyncio.to_thread(make, template)
    try:
        yield url
    finally:
        await asyncio.to_thread(drop, url)


def _upgrade(url: str) -> None:
    from notifier.store.upgrading import upgrade  # noqa: PLC0415  slow, and not for children

    asyncio.run(upgrade(url))


async def until(holds: Callable[[], Awaitable[bool]], *, timeout_s: float = LIMIT_S) -> None:
    """Wait until `holds`: neither database nor broker tell of what others do."""
    async with asyncio.timeout(timeout_s):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


# --- workers in this process ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How a worker works."""

    slots: int = SLOTS
    lease: Lease = LEASE
    policy: RetryPolicy = QUICK
    breakers: BreakerSettings = field(default_factory=BreakerSettings)
    rates_per_s: Mapping[str, float] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)


Routes: TypeAlias = Mapping[Channel, Sequence[ChannelAdapter]]


def make_deliverer(site: Site, routes: Routes, ways: Ways, leases: Leases) -> Deliverer:
    """A deliverer over the real stores, or what stands around their leases."""
    return Deliverer(
        leases=leases,
        publisher=site.publisher,
        preparer=site.stores.preparer(ways.clock),
        routes=routes,
        gate=Gate(site.stores.providers, ways.clock, ways.rates_per_s, ways.breakers),
        policies=dict.fromkeys(Channel, ways.policy),
        lease=ways.lease,
        clock=ways.clock,
        random=random.random,
        new_token=uuid4,
    )


@asynccontextmanager
async def working(
    site: Site, routes: Routes, ways: Ways | None = None, *, leases: Leases | None = None
) -> AsyncIterator[Consumers]:
    """Consumers of one worker, as `notifier work` has them in each of its processes."""
    ways = ways or Ways()
    deliverer = make_deliverer(site, routes, ways, leases or site.stores.leases)
    consumers = Consumers(site.queue, deliverer, dict.fromkeys(routes, ways.slots))
    try:
        await consumers.start()
        yield consumers
    finally:
        await consumers.stop(LIMIT_S)
        for adapters in routes.values():
            for adapter in adapters:
                await adapter.close()


@asynccontextmanager
async def relaying(
    site: Site, policy: RetryPolicy = QUICK, *, spread_s: float = 0.1
) -> AsyncIterator[DeliveryDuties]:
    """A relay at its work."""
    rescue = RescuePolicy(
        max_attempts=policy.max_attempts, on_unknown=policy.on_unknown, spread_s=spread_s
    )
    duties = DeliveryDuties(
        upkeep=site.stores.upkeep,
        dead_letters=site.stores.dead_letters,
        queue=site.queue,
        publisher=site.publisher,
        rescue=dict.fromkeys(Channel, rescue),
        pace=EAGER,
    )
    running = asyncio.create_task(Relay(duties.all()).run())
    try:
        yield duties
    finally:
        running.cancel()
        await asyncio.wait({running})


# --- workers in processes of their own ------------------------------------------------------


class Point(StrEnum):
    """Where in a delivery a worker can meet its fate."""

    CLAIMED = "claimed"
    DURING = "during"
    """The provider took it and has not answered yet."""
    RETURNED = "returned"
    """The provider answered, and nothing is recorded yet."""
    RECORDED = "recorded"
    """It is recorded, and the message not acknowledged yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """Once `count` deliveries wait at `point`, the process deals itself the `blow`.

    Only the first process that finds no `marker` falls in; without a marker, each one does.
    """

    point: Point
    count: int = 1
    blow: signal.Signals = signal.SIGKILL
    marker: Path | None = None
    only: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a spawned worker is made of."""

    database_url: str
    amqp_url: str
    journal: Path
    trap: Trap | None = None
    ways: Ways = field(default_factory=Ways)


class Pitfall:
    """A trap as one process has it."""

    def __init__(self, trap: Trap | None) -> None:
        self._trap = trap if trap and _is_first(trap.marker) else None
        self._waiting = 0
        self._passed = asyncio.Event()

    async def reach(self, point: Point, id: UUID) -> None:
        """Come to this point; from a trap's there is no way on before its signal."""
        trap = self._trap
        if trap is None or trap.point is not point or (trap.only and trap.only != id):
            return
        self._waiting += 1
        if self._waiting == trap.count:
            os.kill(os.getpid(), trap.blow)
            self._trap = None
            self._passed.set()
        await self._passed.wait()


def _is_first(marker: Path | None) -> bool:
    try:
        if marker is not None:
            marker.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Journal:
    """What was handed over, a line for each, whoever died since."""

    path: Path

    def add(self, message: Message) -> None:
        """Write it down."""
        with self.path.open("ab", buffering=0) as lines:
            lines.write(f"{message.id} {os.getpid()}\n".encode())

    def read(self) -> Counter[UUID]:
        """How often each notification was handed over."""
        return Counter(UUID(id) for id, _ in self._lines())

    def workers(self) -> set[int]:
        """The processes that handed anything over."""
        return {int(pid) for _, pid in self._lines()}

    def _lines(self) -> list[list[str]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [line.split() for line in lines]


class JournalAdapter:
    """A provider that takes everything."""

    provider = "journal"

    def __init__(self, journal: Journal, pitfall: Pitfall | None = None) -> None:
        self._journal = journal
        self._pitfall = pitfall or Pitfall(None)

    async def send(self, message: Message) -> Outcome:
        self._journal.add(message)
        await self._pitfall.reach(Point.DURING, message.id)
        return Sent(f"taken-{message.id}")

    async def close(self) -> None:
        return


class SlowAdapter(JournalAdapter):
    """A provider that takes everything, and answers once it is `released`."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.released = asyncio.Event()
        self._arrived = asyncio.Semaphore(0)

    async def has_taken(self, count: int) -> None:
        """Wait until it has taken so many."""
        for _ in range(count):
            await self._arrived.acquire()

    async def send(self, message: Message) -> Outcome:
        outcome = await super().send(message)
        self._arrived.release()
        await self.released.wait()
        return outcome


class TrappedLeases:
    """The real leases, with the points around their calls."""

    def __init__(self, real: Leases, pitfall: Pitfall) -> None:
        self._real = real
        self._pitfall = pitfall

    async def claim(self, envelope: Envelope, **options: Any) -> Claimed | Unclaimed | None:
        claimed = await self._real.claim(envelope, **options)
        if isinstance(claimed, Claimed):
            await self._pitfall.reach(Point.CLAIMED, claimed.id)
        return claimed

    async def finish(self, finish: Finish) -> bool:
        await self._pitfall.reach(Point.RETURNED, finish.id)
        is_ours = await self._real.finish(finish)
        await self._pitfall.reach(Point.RECORDED, finish.id)
        return is_ours

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def work(plan: Plan, life: Life, link: Connection) -> None:
    """Be a worker until SIGTERM, or until the plan's trap."""
    configure_logging(level="CRITICAL", as_json=True)
    end_with_parent(link, 10)
    asyncio.run(_work(plan, life.name, link))


async def _work(plan: Plan, name: str, link: Connection) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    beating = asyncio.create_task(beat(link, every_s=0.2))
    pitfall = Pitfall(plan.trap)
    rabbit = replace(BROKER_IS_THERE, connection_name=name)
    adapter = JournalAdapter(Journal(plan.journal), pitfall)
    async with (
        open_stores(plan.database_url) as stores,
        open_rabbit_queue(plan.amqp_url, rabbit, SystemClock()) as queue,
    ):
        site = Site(
            database_url=plan.database_url,
            amqp_url=plan.amqp_url,
            stores=stores,
            queue=queue,
            logs=[],
        )
        leases = cast(Leases, TrappedLeases(stores.leases, pitfall))
        ways = replace(plan.ways, lease=replace(plan.ways.lease, held_by=name))
        async with working(site, {Channel.EMAIL: [adapter]}, ways, leases=leases):
            await stopped.wait()
    beating.cancel()


@dataclass(slots=True)
class Flock:
    """Spawned workers under supervision; `deaths` are their names in order."""

    deaths: list[str] = field(default_factory=list)

    async def has_lost(self, count: int) -> None:
        """Wait until so many have died."""

        async def are_dead() -> bool:
            return len(self.deaths) >= count

        await until(are_dead)


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """How spawned workers are kept.

    Without `ends_leases` a death is like that of a whole host: leases end by themselves.
    """

    processes: int = 1
    hung_after_s: float = 60
    restart_s: float = 0.05
    ends_leases: bool = True


@asynccontextmanager
async def spawned(
    site: Site, duties: DeliveryDuties, plan: Plan, care: Care | None = None
) -> AsyncIterator[Flock]:
    """Workers in processes of their own, as a runner keeps them."""
    care = care or Care()
    flock = Flock()

    settings = SupervisorSettings(
        processes=care.processes,
        grace_s=LIMIT_S,
        hung_after_s=care.hung_after_s,
        restart_min_s=care.restart_s,
        restart_max_s=care.restart_s,
    )
    async with ending_leases(site.stores.upkeep, duties.nudge) as leases:

        async def on_death(death: Death) -> None:
            if care.ends_leases:
                await leases.end(death)
            if not death.is_clean:
                flock.deaths.append(death.child)

        supervisor = Supervisor(partial(work, plan), settings, on_death)
        supervising = asyncio.create_task(supervisor.run())
        try:
            yield flock
        finally:
            supervising.cancel()
            with suppress(asyncio.CancelledError):
                await supervising


async def die(site: Site, duties: DeliveryDuties, plan: Plan, *, ends_leases: bool = True) -> None:
    """Let one spawned worker fall into the trap of `plan`; nobody takes its place."""
    care = Care(restart_s=LIMIT_S, ends_leases=ends_leases)
    async with spawned(site, duties, plan, care) as flock:
        await flock.has_lost(1)
