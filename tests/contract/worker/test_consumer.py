import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from structlog.typing import EventDict

from notifier.errors import QueueUnavailableError
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane, Message, Status
from notifier.notification.outcomes import Outcome, Sent
from notifier.notification.queueing import Handler, Queue, Subscription
from notifier.worker.consumers import Consumers
from tests.contract.store.stores import a_submission
from tests.contract.worker.bench import LIMIT_S, Bench, Hold, within

NORMAL = "email_notifications"
HIGH, BULK = f"{NORMAL}.high", f"{NORMAL}.bulk"


@asynccontextmanager
async def consuming(bench: Bench, slots: int = 1) -> AsyncIterator[Consumers]:
    consumers = Consumers(
        cast(Queue, bench.queue), bench.deliverer(), {Channel.EMAIL: slots, Channel.SMS: 0}
    )
    await consumers.start()
    try:
        yield consumers
    finally:
        await within(consumers.stop(0))


async def published(bench: Bench, lane: Lane = Lane.NORMAL) -> Envelope:
    envelope = await bench.accept(replace(a_submission(), lane=lane))
    await bench.publisher.publish([envelope])
    return envelope


async def statuses(bench: Bench, *envelopes: Envelope) -> list[Status]:
    return [await bench.stores.status(envelope.id) for envelope in envelopes]


class Sends:
    """Sends as a provider that takes one message after another, each when it is told to."""

    def __init__(self, bench: Bench, count: int) -> None:
        self.arrived: asyncio.Queue[Message] = asyncio.Queue()
        self.holds = [Hold() for _ in range(count)]
        bench.adapter.script.extend(self.step(hold) for hold in self.holds)

    def step(self, hold: Hold) -> Callable[[Message], Coroutine[Any, Any, Outcome]]:
        async def send(message: Message) -> Outcome:
            self.arrived.put_nowait(message)
            await hold.passed()
            return Sent()

        return send

    async def arrival(self) -> Message:
        message: Message = await within(self.arrived.get())
        return message


async def test_a_published_notification_is_delivered_and_its_message_gone(bench: Bench) -> None:
    sends = Sends(bench, 1)
    envelope = await published(bench)

    async with consuming(bench) as consumers:
        await sends.arrival()
        sends.holds[0].released.set()
        await within(consumers.stop(LIMIT_S))

    assert await statuses(bench, envelope) == [Status.SENT]
    assert bench.memory.ready(NORMAL) == 0


async def test_a_waiting_high_message_takes_the_next_free_slot(bench: Bench) -> None:
    sends = Sends(bench, 3)
    first = await published(bench)

    async with consuming(bench):
        assert (await sends.arrival()).id == first.id
        bulk = await published(bench, Lane.BULK)
        high = await published(bench, Lane.HIGH)
        await settled(bench)
        sends.holds[0].released.set()
        assert (await sends.arrival()).id == high.id
        sends.holds[1].released.set()
        assert (await sends.arrival()).id == bulk.id
        sends.holds[2].released.set()


async def settled(bench: Bench) -> None:
    """Return once consumers have taken what was published."""
    async with asyncio.timeout(LIMIT_S):
        while any(map(bench.memory.ready, (HIGH, NORMAL, BULK))):  # noqa: ASYNC110
            await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_are_handed_over_at_once_than_there_are_slots(bench: Bench) -> None:
    sends = Sends(bench, 6)
    for lane in [*Lane, *Lane]:
        await published(bench, lane)

    async with consuming(bench, slots=2):
        await sends.arrival()
        await sends.arrival()
        await settled(bench)
        assert sends.arrived.empty()

        sends.holds[0].released.set()
        await sends.arrival()
        await settled(bench)
        assert sends.arrived.empty()


async def test_a_stop_finishes_what_is_in_flight_and_gives_back_what_waits(bench: Bench) -> None:
    sends = Sends(bench, 1)
    in_flight = await published(bench)

    async with consuming(bench) as consumers:
        await sends.arrival()
        waiting = await published(bench, Lane.HIGH)
        untouched = await published(bench, Lane.HIGH)
        stopping = asyncio.create_task(consumers.stop(LIMIT_S))
        await asyncio.sleep(0)
        sends.holds[0].released.set()
        await within(stopping)

    assert await statuses(bench, in_flight, waiting, untouched) == [
        Status.SENT,
        Status.PENDING,
        Status.PENDING,
    ]
    assert (bench.memory.ready(HIGH), bench.memory.ready(NORMAL)) == (2, 0)
    assert len(bench.adapter.messages) == 1


async def test_a_stop_interrupts_what_is_late_and_records_it(bench: Bench) -> None:
    sends = Sends(bench, 1)
    late = await published(bench)

    async with consuming(bench) as consumers:
        await sends.arrival()
        await within(consumers.stop(0.01))

    found = await bench.stores.get(late.id)
    assert (found.status, found.attempts) == (Status.PENDING, 0)
    assert (await bench.stores.events(late.id))[-1] == "interrupt"


async def test_a_broker_that_is_away_does_not_keep_a_stop_from_finishing(bench: Bench) -> None:
    class Deaf:
        async def pause(self) -> None:
            raise QueueUnavailableError("away")

        async def resume(self) -> None:
            raise QueueUnavailableError("away")

        async def close(self) -> None:
            raise QueueUnavailableError("away")

        def problem(self) -> str | None:
            return "away"

    sends = Sends(bench, 1)
    envelope = await published(bench)
    async with consuming(bench) as consumers:
        consumers._subscriptions.append(Deaf())  # noqa: SLF001  no real one fails at its end
        await sends.arrival()
        assert consumers.problem() == "away"
        stopping = asyncio.create_task(consumers.stop(LIMIT_S))
        await asyncio.sleep(0)
        sends.holds[0].released.set()
        await within(stopping)

    assert await statuses(bench, envelope) == [Status.SENT]


async def test_what_waits_is_given_back_once_no_consumer_is_left(bench: Bench) -> None:
    class Slow:
        def __init__(self) -> None:
            self.handlers: list[Handler] = []
            self.pausing = Hold()

        async def subscribe(
            self, _channel: Channel, _lane: Lane, handler: Handler, *, consumers: int
        ) -> Subscription:
            self.handlers += [handler] * consumers
            return cast(Subscription, self)

        async def pause(self) -> None:
            await self.pausing.passed()

        async def close(self) -> None:
            pass

    slow, sends = Slow(), Sends(bench, 1)
    consumers = Consumers(cast(Queue, slow), bench.deliverer(), {Channel.EMAIL: 1})
    await consumers.start()
    in_flight = asyncio.ensure_future(slow.handlers[0](await bench.accept()))
    await sends.arrival()
    waiting = asyncio.ensure_future(slow.handlers[1](await bench.accept()))
    stopping = asyncio.create_task(consumers.stop(LIMIT_S))
    await within(slow.pausing.reached.wait())
    await settled(bench)
    assert not waiting.done()

    slow.pausing.released.set()
    sends.holds[0].released.set()
    await within(stopping)

    assert (await in_flight, await waiting) == (Settlement.ACK, Settlement.REQUEUE)


async def test_a_defect_gives_the_message_back_and_is_logged_without_its_text(
    bench: Bench, logs: list[EventDict]
) -> None:
    bench.store.failures["claim"].append(ValueError("canary"))
    envelope = await published(bench)
    sends = Sends(bench, 1)

    async with consuming(bench) as consumers:
        await sends.arrival()
        sends.holds[0].released.set()
        await within(consumers.stop(LIMIT_S))

    assert await statuses(bench, envelope) == [Status.SENT]
    crashed = next(log for log in logs if log["event"] == "queue.handler_failed")
    assert "canary" not in str(crashed)


async def test_consumers_that_consume_have_no_problem(bench: Bench) -> None:
    async with consuming(bench) as consumers:
        assert consumers.problem() is None


@pytest.mark.parametrize("lane", Lane)
async def test_every_lane_can_use_every_slot(bench: Bench, lane: Lane) -> None:
    sends = Sends(bench, 3)
    for _ in range(3):
        await published(bench, lane)

    async with consuming(bench, slots=3):
        for _ in range(3):
            await sends.arrival()
