"""What every queue does, in memory, on RabbitMQ or on the model of it."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID, uuid4

import pytest

from notifier.errors import PublishError
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane
from notifier.notification.queueing import Queue
from notifier.queue import topology
from notifier.queue.handling import FIRST_PAUSE_S
from notifier.queue.memory import MemoryQueue
from notifier.queue.rabbitmq.connection import RabbitSettings
from notifier.queue.rabbitmq.queue import open_rabbit_queue
from notifier.queue.rabbitmq.topology import apply_topology
from notifier.queue.topology import Policy
from tests.clock import SystemClock
from tests.patience import AT_ALL_S
from tests.queues import bury, publish
from tests.servers.rabbitmq import RabbitMq, vhost_of
from tests.simulation.broker.server import Broker
from tests.simulation.broker.serving import served
from tests.simulation.broker.versions import V3_10, V4_3, Version
from tests.witness import until, witness_of

EMAIL = "email_notifications"
EMAIL_DEAD = "email_notifications.dead"
SMS_DEAD = "sms_notifications.dead"
MODELS = {"model of 3.10": V3_10, "model of 4.3": V4_3}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

NO_ENVELOPES = [
    b"",
    b"{",
    b"\xff" * 100,
    b"[" * 100_000,
    b'{"v":2,"id":"0199a3c1-5f6a-7c3e-9d2b-1a2b3c4d5e6f","type":"email","attempt":0}',
    b'{"v":1,"id":"0199a3c1-5f6a-7c3e-9d2b-1a2b3c4d5e6f","type":"sms","attempt":0}',
    b'{"v":1,"id":"0199a3c1-5f6a-7c3e-9d2b-1a2b3c4d5e6f","type":"email","attempt":true}',
]


@dataclass(frozen=True)
class Bench:
    """A queue under test, and what goes on behind its back."""

    queue: Queue
    put: Callable[[str, bytes], None]
    ready: Callable[[str], int]
    move: Callable[[str, str], Awaitable[None]]
    limit: Callable[[str, int], None]


@asynccontextmanager
async def memory_bench() -> AsyncIterator[Bench]:
    queue = MemoryQueue(max_length=1_000)

    async def move(source: str, target: str) -> None:
        await queue.move(source, target)

    yield Bench(queue, queue.inject, queue.ready, move, queue.limit)


@asynccontextmanager
async def rabbit_bench(rabbitmq: RabbitMq) -> AsyncIterator[Bench]:
    with rabbitmq.vhost() as url, witness_of(url) as witness:
        apply_topology(url, rabbitmq.management_url)

        async def move(source: str, target: str) -> None:
            await asyncio.to_thread(shovel, rabbitmq, url, source, target)
            await until(lambda: witness.ready(source) == 0)

        settings = RabbitSettings(connection_name="test", watch_s=0.2, declare=False)
        async with open_rabbit_queue(url, settings, SystemClock()) as queue:
            limit = partial(limit_length, rabbitmq, url)
            yield Bench(queue, witness.put, witness.ready, move, limit)


@asynccontextmanager
async def model_bench(version: Version) -> AsyncIterator[Bench]:
    broker = Broker(asyncio.get_running_loop(), version=version)
    broker.lay_out()

    async def move(source: str, target: str) -> None:
        broker.move(source, target)

    def limit(queue: str, length: int) -> None:
        rival = Policy(
            name="test-limit",
            pattern=f"^{queue}$",
            definition={"max-length": length, "overflow": "reject-publish"},
            preferences={},
            priority=99,
        )
        broker.apply_policies([*topology.POLICIES, rival])

    settings = RabbitSettings(connection_name="test", watch_s=0.2, declare=False)
    async with served(broker) as url, open_rabbit_queue(url, settings, SystemClock()) as queue:
        yield Bench(queue, broker.put, lambda name: len(broker.ready(name)), move, limit)


def shovel(rabbitmq: RabbitMq, url: str, source: str, target: str) -> None:
    """Move all messages, by what the management UI's "Move messages" button sends."""
    vhost, name = vhost_of(url), f"Move from {source} to {target}"
    value = {
        "src-uri": f"amqp:///{vhost}",
        "src-queue": source,
        "src-protocol": "amqp091",
        "src-prefetch-count": 1000,
        "src-delete-after": "queue-length",
        "dest-protocol": "amqp091",
        "dest-uri": f"amqp:///{vhost}",
        "dest-add-forward-headers": False,
        "ack-mode": "on-confirm",
        "dest-queue": target,
    }
    body = {"component": "shovel", "vhost": vhost, "name": name, "value": value}
    rabbitmq.management.call("PUT", "parameters", "shovel", vhost, name, body=body)


def limit_length(rabbitmq: RabbitMq, url: str, queue: str, length: int) -> None:
    definition = {"max-length": length, "overflow": "reject-publish"}
    body = {"pattern": f"^{queue}$", "definition": definition, "priority": 99, "apply-to": "queues"}
    rabbitmq.management.call("PUT", "policies", vhost_of(url), "test-limit", body=body)


@pytest.fixture(params=["memory", *MODELS, "rabbitmq"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    if request.param == "memory":
        opening = memory_bench()
    elif request.param in MODELS:
        opening = model_bench(MODELS[request.param])
    else:
        opening = rabbit_bench(request.getfixturevalue("rabbitmq"))
    async with opening as opened:
        yield opened


@pytest.fixture
def queue(bench: Bench) -> Queue:
    return bench.queue


class Recorder:
    """A handler that acknowledges, and remembers."""

    def __init__(self) -> None:
        self.seen: list[Envelope] = []
        self._changed = asyncio.Event()

    async def __call__(self, envelope: Envelope) -> Settlement:
        self.seen.append(envelope)
        self._changed.set()
        return Settlement.ACK

    async def count(self, wanted: int) -> list[Envelope]:
        async with asyncio.timeout(AT_ALL_S):
            while len(self.seen) < wanted:
                self._changed.clear()
                await self._changed.wait()
        return self.seen


class Gate(Recorder):
    """A handler that remembers, and does not end before it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = asyncio.Event()
        self.ended = 0

    async def __call__(self, envelope: Envelope) -> Settlement:
        settlement = await super().__call__(envelope)
        await self.opened.wait()
        self.ended += 1
        return settlement


def an_envelope(
    channel: Channel = Channel.EMAIL, lane: Lane = Lane.NORMAL, attempt: int = 0
) -> Envelope:
    return Envelope(id=uuid4(), channel=channel, lane=lane, attempt=attempt)


async def none_of(_: Sequence[Envelope]) -> Collection[Envelope]:
    return ()


async def all_of(envelopes: Sequence[Envelope]) -> Collection[Envelope]:
    return envelopes


async def test_an_envelope_arrives_as_it_was_published(queue: Queue) -> None:
    sent = Envelope(id=uuid4(), channel=Channel.SMS, lane=Lane.BULK, attempt=7, traceparent=TRACE)
    handler = Recorder()

    await publish(queue, sent)
    await queue.subscribe(Channel.SMS, Lane.BULK, handler, consumers=1)

    assert await handler.count(1) == [sent]


async def test_publishing_nothing_is_done_at_once(queue: Queue) -> None:
    assert list(await queue.publish([])) == []


async def test_every_channel_and_lane_has_a_queue_of_its_own(queue: Queue) -> None:
    sent = [an_envelope(channel, lane) for channel in Channel for lane in Lane]
    handlers = {(envelope.channel, envelope.lane): Recorder() for envelope in sent}
    for (channel, lane), handler in handlers.items():
        await queue.subscribe(channel, lane, handler, consumers=1)

    await asyncio.gather(*map(partial(publish, queue), sent))

    for envelope in sent:
        assert await handlers[envelope.channel, envelope.lane].count(1) == [envelope]


async def test_one_consumer_sees_envelopes_in_the_order_of_publishing(queue: Queue) -> None:
    sent = [an_envelope() for _ in range(20)]
    for envelope in sent:
        await publish(queue, envelope)
    handler = Recorder()

    await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=1)

    assert await handler.count(20) == sent


async def test_each_consumer_handles_one_message_at_a_time(bench: Bench) -> None:
    for _ in range(5):
        await publish(bench.queue, an_envelope())
    gate = Gate()

    await bench.queue.subscribe(Channel.EMAIL, Lane.NORMAL, gate, consumers=2)

    await gate.count(2)
    await until(lambda: bench.ready(EMAIL) == 3)
    assert len(gate.seen) == 2
    gate.opened.set()
    await gate.count(5)


async def test_an_acknowledged_message_is_gone(bench: Bench) -> None:
    await publish(bench.queue, an_envelope())
    handler = Recorder()
    subscription = await bench.queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=1)
    await handler.count(1)

    await subscription.pause()
    await subscription.close()

    assert bench.ready(EMAIL) == 0


async def test_a_requeued_message_comes_back(queue: Queue) -> None:
    sent, handler = an_envelope(), Recorder()

    async def requeue_once(envelope: Envelope) -> Settlement:
        await handler(envelope)
        return Settlement.ACK if len(handler.seen) > 1 else Settlement.REQUEUE

    await queue.subscribe(Channel.EMAIL, Lane.NORMAL, requeue_once, consumers=1)
    await publish(queue, sent)

    assert await handler.count(2) == [sent, sent]


async def test_a_message_whose_handler_raises_comes_back_and_the_consumer_lives(
    queue: Queue,
) -> None:
    sent, handler = an_envelope(), Recorder()

    async def raise_once(envelope: Envelope) -> Settlement:
        settlement = await handler(envelope)
        if len(handler.seen) == 1:
            raise RuntimeError
        return settlement

    subscription = await queue.subscribe(Channel.EMAIL, Lane.NORMAL, raise_once, consumers=1)
    await publish(queue, sent)

    assert await handler.count(2) == [sent, sent]
    assert subscription.problem() is None


async def test_a_message_that_is_to_be_buried_is_a_dead_letter_at_once(bench: Bench) -> None:
    async def give_up(_: Envelope) -> Settlement:
        return Settlement.BURY

    for lane in Lane:
        lost = an_envelope(lane=lane)
        await bench.queue.subscribe(Channel.EMAIL, lane, give_up, consumers=1)
        await publish(bench.queue, lost)
        await until(lambda: bench.ready(EMAIL_DEAD) == 1)
        assert await bench.queue.sweep_dead(Channel.EMAIL, all_of) == [lost]


async def test_messages_that_are_always_requeued_do_not_spin(queue: Queue) -> None:
    seen, are_back_twice = Counter[UUID](), asyncio.Event()

    async def refuse(envelope: Envelope) -> Settlement:
        seen[envelope.id] += 1
        if len(seen) == 4 and min(seen.values()) >= 3:
            are_back_twice.set()
        return Settlement.REQUEUE

    for _ in range(4):
        await publish(queue, an_envelope())
    started_s = time.monotonic()
    subscription = await queue.subscribe(Channel.EMAIL, Lane.NORMAL, refuse, consumers=4)

    await asyncio.wait_for(are_back_twice.wait(), AT_ALL_S)

    # Each was held, and longer the second time: a machine that stands still adds to it.
    assert time.monotonic() - started_s >= FIRST_PAUSE_S + 2 * FIRST_PAUSE_S
    await subscription.close()


async def test_what_is_no_envelope_goes_to_the_dead_queue_and_the_consumer_lives(
    bench: Bench,
) -> None:
    good, handler = an_envelope(), Recorder()
    await bench.queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=1)

    for body in NO_ENVELOPES:
        bench.put(EMAIL, body)
    await publish(bench.queue, good)

    assert await handler.count(1) == [good]
    await until(lambda: bench.ready(EMAIL_DEAD) == len(NO_ENVELOPES))


async def test_a_paused_subscription_takes_no_more_and_finishes_what_it_has(bench: Bench) -> None:
    first, second, gate = an_envelope(), an_envelope(), Gate()
    subscription = await bench.queue.subscribe(Channel.EMAIL, Lane.NORMAL, gate, consumers=1)
    await publish(bench.queue, first)
    await gate.count(1)

    await subscription.pause()
    await publish(bench.queue, second)
    gate.opened.set()
    await until(lambda: gate.ended == 1)
    await subscription.close()

    assert gate.seen == [first]
    assert bench.ready(EMAIL) == 1
    assert subscription.problem() is None


async def test_a_resumed_subscription_takes_messages_again_one_after_the_other(
    bench: Bench,
) -> None:
    gate, sent = Gate(), [an_envelope() for _ in range(3)]
    subscription = await bench.queue.subscribe(Channel.EMAIL, Lane.NORMAL, gate, consumers=1)
    await publish(bench.queue, sent[0])
    await gate.count(1)

    for _ in range(3):
        await subscription.pause()
        await subscription.resume()
    await publish(bench.queue, sent[1])
    await publish(bench.queue, sent[2])
    await until(lambda: bench.ready(EMAIL) == 2)
    assert gate.seen == sent[:1]

    gate.opened.set()
    assert await gate.count(3) == sent
    assert subscription.problem() is None


async def test_only_consumers_that_are_not_paused_are_counted(queue: Queue) -> None:
    subscription = await queue.subscribe(Channel.EMAIL, Lane.NORMAL, Recorder(), consumers=3)

    for change, count in ((None, 3), (subscription.pause, 0), (subscription.resume, 3)):
        if change is not None:
            await change()
        await consumed_by(queue, count)


async def consumed_by(queue: Queue, count: int) -> None:
    """Wait until the normal queue of mail has so many consumers."""
    async with asyncio.timeout(AT_ALL_S):
        while True:
            depth = await queue.depth(Channel.EMAIL, Lane.NORMAL)
            if depth and depth.consumers == count:
                return
            await asyncio.sleep(0.02)


async def test_closing_gives_back_what_is_being_handled(bench: Bench) -> None:
    sent, gate, handler = an_envelope(), Gate(), Recorder()
    subscription = await bench.queue.subscribe(Channel.EMAIL, Lane.NORMAL, gate, consumers=3)
    await publish(bench.queue, sent)
    await gate.count(1)

    await subscription.close()

    assert gate.ended == 0
    await bench.queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=1)
    assert await handler.count(1) == [sent]


async def test_closing_twice_is_closing_once(queue: Queue) -> None:
    subscription = await queue.subscribe(Channel.EMAIL, Lane.NORMAL, Recorder(), consumers=2)

    await subscription.pause()
    await subscription.close()
    await subscription.close()

    assert subscription.problem() is None


async def test_a_dead_letter_moved_back_by_an_operator_is_handled_again(bench: Bench) -> None:
    for lane in Lane:
        buried = an_envelope(lane=lane, attempt=3)
        await bury(bench.queue, buried)
        await until(lambda: bench.ready(EMAIL_DEAD) == 1)

        handler = Recorder()
        work_queue = topology.work_queue(Channel.EMAIL, lane)
        await bench.move(EMAIL_DEAD, work_queue)
        await bench.queue.subscribe(Channel.EMAIL, lane, handler, consumers=1)

        assert await handler.count(1) == [buried]


async def test_depths_tells_what_is_ready_in_every_queue(queue: Queue) -> None:
    await publish(queue, an_envelope(lane=Lane.HIGH))
    await bury(queue, an_envelope(Channel.SMS))
    await bury(queue, an_envelope(Channel.SMS))

    found = {depth.name: depth for depth in await queue.depths()}

    assert set(found) == set(topology.QUEUES)
    assert found["email_notifications.high"].ready == 1
    assert found["email_notifications.high"].lane is Lane.HIGH
    assert found["sms_notifications.dead"].ready == 2
    assert found["sms_notifications.dead"].lane is None
    assert sum(depth.ready for depth in found.values()) == 3


async def test_depth_tells_how_much_one_work_queue_holds(queue: Queue) -> None:
    await publish(queue, an_envelope(lane=Lane.HIGH))

    high = await queue.depth(Channel.EMAIL, Lane.HIGH)
    bulk = await queue.depth(Channel.EMAIL, Lane.BULK)

    assert high is not None
    assert (high.name, high.ready, high.consumers) == ("email_notifications.high", 1, 0)
    assert bulk is not None
    assert bulk.ready == 0


async def test_a_sweep_removes_what_is_stale_and_nothing_else(bench: Bench) -> None:
    letters = [an_envelope(lane=lane, attempt=n) for n in range(4) for lane in Lane]
    for letter in letters[:6]:
        await bury(bench.queue, letter)
    bench.put(EMAIL_DEAD, b"unparsable")
    for letter in letters[6:]:
        await bury(bench.queue, letter)
    await bury(bench.queue, an_envelope(Channel.SMS))

    async def even_attempts(envelopes: Sequence[Envelope]) -> Collection[Envelope]:
        return [envelope for envelope in envelopes if envelope.attempt % 2 == 0]

    removed = await bench.queue.sweep_dead(Channel.EMAIL, even_attempts)

    assert removed == [letter for letter in letters if letter.attempt % 2 == 0]
    await until(lambda: bench.ready(EMAIL_DEAD) == 7)
    assert bench.ready("sms_notifications.dead") == 1
    rest = await bench.queue.sweep_dead(Channel.EMAIL, all_of)
    assert rest == [letter for letter in letters if letter.attempt % 2 == 1]
    await until(lambda: bench.ready(EMAIL_DEAD) == 1)


async def test_a_sweep_leaves_one_letter_of_each_failure(bench: Bench) -> None:
    first = an_envelope(attempt=1)
    again = replace(first, attempt=2)
    for letter in (first, again, first, an_envelope(attempt=1), again, first):
        await bury(bench.queue, letter)

    async def none_of(_: Sequence[Envelope]) -> Collection[Envelope]:
        return []

    assert await bench.queue.sweep_dead(Channel.EMAIL, none_of) == []

    await until(lambda: bench.ready(EMAIL_DEAD) == 3)
    rest = await bench.queue.sweep_dead(Channel.EMAIL, all_of)
    assert Counter(letter.attempt for letter in rest) == {1: 2, 2: 1}


async def test_a_sweep_of_an_empty_queue_asks_nobody(queue: Queue) -> None:
    async def fail(_: Sequence[Envelope]) -> Collection[Envelope]:
        raise AssertionError

    assert await queue.sweep_dead(Channel.IN_APP, fail) == []


async def test_a_sweep_that_fails_removes_nothing(bench: Bench) -> None:
    await bury(bench.queue, an_envelope())

    async def fail(_: Sequence[Envelope]) -> Collection[Envelope]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await bench.queue.sweep_dead(Channel.EMAIL, fail)

    await until(lambda: bench.ready(EMAIL_DEAD) == 1)


async def test_a_sweep_moves_another_channels_letters_to_their_own_dead_queue(
    bench: Bench,
) -> None:
    strays = [an_envelope(Channel.SMS, lane, attempt=1) for lane in Lane]
    for stray in strays:
        await bury(bench.queue, stray)
    await until(lambda: bench.ready(SMS_DEAD) == len(strays))
    await bench.move(SMS_DEAD, EMAIL_DEAD)
    # Those on their way are in neither.
    await until(lambda: bench.ready(EMAIL_DEAD) == len(strays))

    assert await bench.queue.sweep_dead(Channel.EMAIL, all_of) == []

    await until(lambda: bench.ready(SMS_DEAD) == len(strays))
    assert bench.ready(EMAIL_DEAD) == 0
    found = await bench.queue.sweep_dead(Channel.SMS, all_of)
    assert {each.id for each in found} == {each.id for each in strays}


async def test_a_letter_moved_to_another_channels_work_queue_comes_home_again(
    bench: Bench,
) -> None:
    stray, handler = an_envelope(Channel.SMS, attempt=1), Recorder()
    await bury(bench.queue, stray)
    await until(lambda: bench.ready(SMS_DEAD) == 1)
    await bench.queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=1)
    await bench.move(SMS_DEAD, EMAIL)
    await until(lambda: bench.ready(EMAIL_DEAD) == 1)

    await bench.queue.sweep_dead(Channel.EMAIL, all_of)

    await until(lambda: bench.ready(SMS_DEAD) == 1)
    assert handler.seen == []


async def test_two_sweeps_at_once_lose_nothing(bench: Bench) -> None:
    letters = [an_envelope(attempt=n) for n in range(60)]
    await asyncio.gather(*map(partial(bury, bench.queue), letters))

    async def stale(envelopes: Sequence[Envelope]) -> Collection[Envelope]:
        return [envelope for envelope in envelopes if envelope.attempt < 20]

    removed = await asyncio.gather(
        bench.queue.sweep_dead(Channel.EMAIL, stale), bench.queue.sweep_dead(Channel.EMAIL, stale)
    )

    await until(lambda: bench.ready(EMAIL_DEAD) == 60 - sum(map(len, removed)))
    removed_later = await bench.queue.sweep_dead(Channel.EMAIL, all_of)
    counted = Counter(envelope for sweep in (*removed, removed_later) for envelope in sweep)
    assert counted == Counter(letters)


async def test_letters_survive_more_sweeps_than_a_broker_allows_deliveries(bench: Bench) -> None:
    letter = an_envelope(attempt=1)
    await bury(bench.queue, letter)
    bench.put(EMAIL_DEAD, b"unparsable")

    for _ in range(25):
        await until(lambda: bench.ready(EMAIL_DEAD) == 2)
        assert await bench.queue.sweep_dead(Channel.EMAIL, none_of) == []

    await until(lambda: bench.ready(EMAIL_DEAD) == 2)
    assert await bench.queue.sweep_dead(Channel.EMAIL, all_of) == [letter]


async def test_a_full_queue_refuses(bench: Bench) -> None:
    bench.limit(EMAIL, 2)

    async def fill() -> None:
        for _ in range(10):
            await publish(bench.queue, an_envelope())

    with pytest.raises(PublishError, match="full"):
        await fill()

    await publish(bench.queue, an_envelope(lane=Lane.HIGH))


async def test_a_queue_that_works_answers_a_ping_and_has_no_problem(queue: Queue) -> None:
    subscription = await queue.subscribe(Channel.EMAIL, Lane.NORMAL, Recorder(), consumers=2)

    await queue.ping()

    assert subscription.problem() is None
