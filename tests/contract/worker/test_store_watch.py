"""What a worker that loses the database does with its messages, whichever queue they are in."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import pytest
from structlog.typing import EventDict

from notifier.errors import StoreUnavailableError
from notifier.evidence import Outage
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane, Status
from notifier.notification.queueing import Handler, Queue, Subscription
from notifier.queue.rabbitmq.connection import RabbitSettings
from notifier.queue.rabbitmq.queue import open_rabbit_queue
from notifier.worker.consumers import Consumers
from notifier.worker.store_watch import StoreWatch
from tests.clock import SystemClock
from tests.contract.store.stores import a_submission
from tests.contract.worker.bench import LIMIT_S, Bench, Hold, ScriptedAdapter, Switch, within
from tests.queues import publish
from tests.servers.rabbitmq import RabbitMq
from tests.witness import until

AWAY = StoreUnavailableError("connection refused")
LOOK_S = 0.02
SHORT_S, LONG_S = 0.1, 100.0


class CountingQueue:
    """A queue that counts how often it delivers each message."""

    def __init__(self, real: Queue) -> None:
        self.real = real
        self.deliveries: Counter[UUID] = Counter()

    async def subscribe(
        self, channel: Channel, lane: Lane, handler: Handler, *, consumers: int
    ) -> Subscription:
        async def counting(envelope: Envelope) -> Settlement:
            self.deliveries[envelope.id] += 1
            return await handler(envelope)

        return await self.real.subscribe(channel, lane, counting, consumers=consumers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@pytest.fixture(params=["memory", "rabbitmq"])
async def queue(request: pytest.FixtureRequest, bench: Bench) -> AsyncIterator[CountingQueue]:
    if request.param == "memory":
        yield CountingQueue(bench.memory)
        return
    rabbitmq: RabbitMq = request.getfixturevalue("rabbitmq")
    with rabbitmq.vhost() as url:
        settings = RabbitSettings(connection_name="test", watch_s=0.2)
        async with open_rabbit_queue(url, settings, SystemClock()) as opened:
            yield CountingQueue(opened)


class Worker:
    """A worker with a way to the database of its own, which can be cut."""

    def __init__(self, bench: Bench, queue: CountingQueue) -> None:
        self.bench = replace(
            bench,
            store=Switch(bench.stores.life),
            providers=Switch(bench.stores.providers),
            templates=Switch(bench.stores.templates),
            adapter=ScriptedAdapter(),
        )
        self._queue = queue
        self._cut_off_at_s: float | None = None

    def cut_off(self) -> None:
        self._cut_off_at_s = time.monotonic()
        for way in (self.bench.store, self.bench.providers):
            way.is_away = AWAY

    def mend(self) -> None:
        self._cut_off_at_s = None
        for way in (self.bench.store, self.bench.providers):
            way.is_away = None

    async def outage(self) -> Outage | None:
        if self._cut_off_at_s is None:
            return None
        return Outage(str(AWAY), time.monotonic() - self._cut_off_at_s)

    @asynccontextmanager
    async def working(self, *, slots: int = 2, patience_s: float = SHORT_S) -> AsyncIterator[None]:
        deliverer = self.bench.deliverer()
        consumers = Consumers(cast(Queue, self._queue), deliverer, {Channel.EMAIL: slots})
        watch = StoreWatch(self.outage, consumers, patience_s=patience_s, look_every_s=LOOK_S)
        await consumers.start()
        watching = asyncio.create_task(watch.run())
        try:
            yield
            assert not watching.done()
        finally:
            watching.cancel()
            await within(consumers.stop(0))


async def published(bench: Bench, queue: CountingQueue, lane: Lane = Lane.NORMAL) -> UUID:
    envelope = await bench.accept(replace(a_submission(), lane=lane))
    await publish(cast(Queue, queue), envelope)
    return envelope.id


async def logged(logs: list[EventDict], event: str, count: int = 1) -> None:
    await until(lambda: [each["event"] for each in logs].count(event) == count, timeout_s=LIMIT_S)


async def sent(bench: Bench, *ids: UUID) -> None:
    async with asyncio.timeout(LIMIT_S):
        for id in ids:
            while await bench.stores.status(id) is not Status.SENT:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)


async def test_what_a_worker_without_its_database_held_is_delivered_by_another(
    bench: Bench, queue: CountingQueue, logs: list[EventDict]
) -> None:
    lost, healthy = Worker(bench, queue), Worker(bench, queue)
    lost.bench.store.is_away = AWAY

    async with lost.working():
        # More than it has slots for: those that wait for a slot are held as well.
        ids = [await published(bench, queue, lane) for lane in Lane for _ in range(2)]
        await until(lambda: set(queue.deliveries) == set(ids), timeout_s=LIMIT_S)
        lost.cut_off()
        async with healthy.working():
            await sent(bench, *ids)

    assert [each["reason"] for each in logs if each["event"] == "worker.let_go"] == [str(AWAY)]
    assert lost.bench.adapter.messages == []
    assert len(healthy.bench.adapter.messages) == len(ids)
    assert set(queue.deliveries.values()) == {2}


async def test_a_worker_resumes_when_its_database_is_back(
    bench: Bench, queue: CountingQueue, logs: list[EventDict]
) -> None:
    worker = Worker(bench, queue)

    async with worker.working():
        for turn in (1, 2):
            worker.cut_off()
            await logged(logs, "worker.let_go", turn)
            ids = [await published(bench, queue) for _ in range(5)]
            assert worker.bench.store.counts["claim"] == 5 * (turn - 1)
            worker.mend()
            await sent(bench, *ids)

    assert [each["event"] for each in logs if each["event"].startswith("worker.")] == [
        "worker.let_go",
        "worker.resumed",
    ] * 2
    assert set(queue.deliveries.values()) == {1}


async def test_what_is_in_flight_when_a_worker_lets_go_is_sent_and_recorded(
    bench: Bench, queue: CountingQueue, logs: list[EventDict]
) -> None:
    worker = Worker(bench, queue)
    worker.bench.adapter.hold = hold = Hold()

    async with worker.working():
        id = await published(bench, queue)
        await within(hold.reached.wait())
        worker.cut_off()
        await logged(logs, "worker.let_go")
        hold.released.set()
        await worker.bench.store.called("finish")
        worker.mend()
        await sent(bench, id)
        await logged(logs, "worker.resumed")
        await sent(bench, await published(bench, queue))

    assert set(queue.deliveries.values()) == {1}


async def test_a_short_outage_gives_nothing_back(
    bench: Bench, queue: CountingQueue, logs: list[EventDict]
) -> None:
    worker = Worker(bench, queue)
    worker.cut_off()

    async with worker.working(patience_s=LONG_S):
        id = await published(bench, queue)
        await worker.bench.store.called("claim")
        worker.mend()
        await sent(bench, id)

    assert queue.deliveries == {id: 1}
    assert "worker.let_go" not in [each["event"] for each in logs]


async def test_a_worker_that_waits_at_the_gate_lets_go_as_well(
    bench: Bench, queue: CountingQueue, logs: list[EventDict]
) -> None:
    await bench.stores.providers.pause("scripted", reason="maintenance")
    lost, healthy = Worker(bench, queue), Worker(bench, queue)

    async with lost.working():
        id = await published(bench, queue)
        await lost.bench.providers.called("states")
        lost.cut_off()
        await logged(logs, "worker.let_go")
        await bench.stores.providers.resume("scripted")
        async with healthy.working():
            await sent(bench, id)

    assert queue.deliveries == {id: 2}
