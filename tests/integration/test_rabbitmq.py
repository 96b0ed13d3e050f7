"""What only RabbitMQ does: connections that end, alarms, entities that go, and what it is sent."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aio_pika
import pytest
from aiormq.abc import ChannelFrame
from pamqp.commands import Basic
from structlog.testing import capture_logs

from notifier.errors import PublishError, QueueUnavailableError
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane
from notifier.queue import topology
from notifier.queue.message import encode
from notifier.queue.rabbitmq.connection import RabbitSettings, open_channel
from notifier.queue.rabbitmq.consumer import RabbitSubscription
from notifier.queue.rabbitmq.dialling import AbortableConnection
from notifier.queue.rabbitmq.queue import RabbitQueue, open_rabbit_queue
from notifier.queue.rabbitmq.renewing import WORN_DELIVERIES
from notifier.queue.rabbitmq.topology import apply_topology
from notifier.queue.topology import DELIVERY_LIMIT
from tests.awake import AwakeClock
from tests.clock import SystemClock
from tests.gateway import Gateway, gateway_to
from tests.patience import AT_ALL_S
from tests.queues import bury, publish
from tests.servers.rabbitmq import RabbitMq, vhost_of
from tests.witness import Letter, until, witness_of

EMAIL = "email_notifications"
DEAD = "email_notifications.dead"
CROWD = 200
BACKLOG = 1_000
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def opened(
    url: str,
    *,
    declare: bool = True,
    publish_timeout_s: float = 10,
    heartbeat_s: int = 10,
    call_timeout_s: float = 10,
) -> AbstractAsyncContextManager[RabbitQueue]:
    settings = RabbitSettings(
        connection_name="test",
        declare=declare,
        publish_timeout_s=publish_timeout_s,
        heartbeat_s=heartbeat_s,
        call_timeout_s=call_timeout_s,
        watch_s=0.1,
    )
    return open_rabbit_queue(url, settings, SystemClock())


@pytest.fixture
async def gateway(amqp_url: str) -> AsyncIterator[Gateway]:
    async with gateway_to(amqp_url) as opened_gateway:
        yield opened_gateway


def an_envelope(lane: Lane = Lane.NORMAL) -> Envelope:
    return Envelope(id=uuid4(), channel=Channel.EMAIL, lane=lane, attempt=0, traceparent=TRACE)


class Recorder:
    """Acknowledges once it is let, and remembers."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.seen: list[Envelope] = []
        self.cancelled = 0
        self.gate = asyncio.Event()
        if is_open:
            self.gate.set()

    async def __call__(self, envelope: Envelope) -> Settlement:
        self.seen.append(envelope)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Settlement.ACK

    async def count(self, wanted: int) -> list[Envelope]:
        await until(lambda: len(self.seen) >= wanted)
        return self.seen


async def publish_until_confirmed(queue: RabbitQueue, envelope: Envelope) -> None:
    async with asyncio.timeout(AT_ALL_S):
        while True:
            try:
                return await publish(queue, envelope)
            except PublishError:
                await asyncio.sleep(0.05)


async def test_a_message_is_persistent_and_says_what_it_is(amqp_url: str) -> None:
    with witness_of(amqp_url) as witness:
        async with opened(amqp_url) as queue:
            envelope = an_envelope(Lane.HIGH)
            await publish(queue, envelope)
            await publish(queue, envelope)

        first, second = witness.take("email_notifications.high")

    assert first.body == encode(envelope)
    assert first.routing_key == "email.high"
    assert first.properties.delivery_mode == 2
    assert first.properties.content_type == "application/json"
    assert first.properties.app_id == "notifier"
    assert first.properties.type == "notification"
    assert first.properties.headers["traceparent"] == TRACE
    sent_at = datetime.fromtimestamp(first.properties.timestamp, UTC)
    assert abs(datetime.now(UTC) - sent_at) < timedelta(minutes=1)
    assert first.properties.message_id != second.properties.message_id


async def test_each_message_of_a_batch_has_an_answer_of_its_own(
    amqp_url: str, rabbitmq: RabbitMq
) -> None:
    full = {
        "pattern": "^email_notifications.bulk$",
        "priority": 99,
        "apply-to": "queues",
        "definition": {"max-length": 1, "overflow": "reject-publish"},
    }
    lanes = [Lane.HIGH, Lane.NORMAL, Lane.BULK] * 5
    async with opened(amqp_url) as queue:
        path = ("policies", vhost_of(amqp_url), "full")
        await asyncio.to_thread(rabbitmq.management.call, "PUT", *path, body=full)
        with witness_of(amqp_url) as witness:
            for _ in range(2):
                await queue.publish([an_envelope(Lane.BULK)])
            await until(lambda: witness.ready("email_notifications.bulk") > 0)
            witness.delete("email_notifications.high")

        answers = await queue.publish([an_envelope(lane) for lane in lanes])

    by_lane = {
        lane: {str(a) for a, at in zip(answers, lanes, strict=True) if at is lane} for lane in Lane
    }
    assert by_lane == {
        Lane.HIGH: {"no queue is bound for it"},
        Lane.NORMAL: {"None"},
        Lane.BULK: {"the broker refused the message: its queue is full, or has lost its leader"},
    }


async def test_a_message_longer_than_a_frame_arrives_whole(amqp_url: str) -> None:
    body = bytes(range(256)) * 2_000
    async with opened(amqp_url) as queue:
        with witness_of(amqp_url) as witness:
            witness.put(DEAD, body)
            for _ in range(WORN_DELIVERIES):
                assert witness.refuse(DEAD)
            await queue.sweep_dead(Channel.EMAIL, none_of)
            [letter] = witness.take(DEAD)

    assert letter.body == body


async def test_a_broker_that_is_away_at_the_start_is_found_later(gateway: Gateway) -> None:
    await gateway.close()
    async with opened(gateway.url) as queue:
        handler, sent = Recorder(), an_envelope()
        subscription = await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=1)
        with pytest.raises(QueueUnavailableError):
            await queue.ping()
        with pytest.raises(QueueUnavailableError):
            await queue.depths()
        with pytest.raises(PublishError):
            await publish(queue, sent)

        await gateway.open()
        await publish_until_confirmed(queue, sent)

        assert await handler.count(1) == [sent]
        await queue.ping()
        assert subscription.problem() is None


async def test_a_broker_that_hangs_up_during_the_handshake_is_looked_for_again() -> None:
    calls = asyncio.Semaphore(0)

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        calls.release()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with (
            asyncio.timeout(AT_ALL_S),
            opened(f"amqp://user:word@127.0.0.1:{port}/") as queue,
        ):
            for _ in range(4):
                await calls.acquire()
            with pytest.raises(QueueUnavailableError):
                await queue.ping()


async def test_publishing_fails_at_once_while_the_broker_is_known_to_be_away(
    gateway: Gateway, awake: AwakeClock
) -> None:
    async with opened(gateway.url) as queue:
        await publish(queue, an_envelope())
        await gateway.close()
        with pytest.raises(PublishError):
            await publish(queue, an_envelope())

        started = awake.monotonic_s()
        for _ in range(100):
            with pytest.raises(PublishError):
                await publish(queue, an_envelope())

        # Not one waited.
        assert awake.monotonic_s() - started < 10


async def test_publishing_ends_in_time_when_nothing_answers_and_recovers(
    gateway: Gateway, awake: AwakeClock
) -> None:
    async with opened(gateway.url, publish_timeout_s=0.3) as queue:
        await publish_until_confirmed(queue, an_envelope())
        gateway.freeze()
        started = awake.monotonic_s()
        failures = await asyncio.gather(
            *(publish(queue, an_envelope()) for _ in range(50)), return_exceptions=True
        )
        assert {type(failure) for failure in failures} == {PublishError}
        with pytest.raises(PublishError):
            await publish(queue, an_envelope())
        # They waited together.
        assert awake.monotonic_s() - started < 51 * 0.3

        gateway.thaw()

        await publish_until_confirmed(queue, an_envelope())


async def test_a_missed_heartbeat_never_reaches_a_publisher_as_a_cancellation(
    gateway: Gateway,
) -> None:
    # aiormq notices after 3 x (1 s + 1 s), and cancels what waits.
    async with opened(gateway.url, publish_timeout_s=30, heartbeat_s=1) as queue:
        await publish(queue, an_envelope())
        gateway.freeze()

        failures = await asyncio.gather(
            *(publish(queue, an_envelope()) for _ in range(5)), return_exceptions=True
        )

        assert {type(failure) for failure in failures} == {PublishError}


class Grudge:
    """Makes refusals of all confirmations on the first channels that have any."""

    # Frames with basic.ack and channel.open-ok; basic.nack is number 120 and laid out as basic.ack.
    _HEAD = re.compile(
        rb"(?<=\x01)(..)(\x00{3}\x0d\x00\x3c\x00\x50|\x00{3}\x08\x00\x14\x00\x0b)", re.DOTALL
    )

    def __init__(self, *, channels: int) -> None:
        self.refused = 0
        self._channels = channels
        self._disliked: set[tuple[object, bytes]] = set()

    def __call__(self, said: bytes) -> bytes:
        return self._HEAD.sub(self._altered, said)

    def _altered(self, head: re.Match[bytes]) -> bytes:
        number, method = head[1], head[2]
        channel = (asyncio.current_task(), number)  # a connection has a task of its own
        if method.endswith(b"\x0b"):
            self._disliked.discard(channel)
            return head[0]
        if channel not in self._disliked and self.refused < self._channels:
            self._disliked.add(channel)
            self.refused += 1
        return number + method[:-1] + (b"\x78" if channel in self._disliked else b"\x50")


async def test_a_channel_on_which_messages_are_refused_is_replaced(amqp_url: str) -> None:
    grudge = Grudge(channels=1)
    async with gateway_to(amqp_url, grudge) as gateway, opened(gateway.url) as queue:
        with pytest.raises(PublishError, match="refused the message: its queue is full, or"):
            await publish(queue, an_envelope())

        await publish_until_confirmed(queue, an_envelope())


async def test_a_refusal_says_that_the_queue_is_full_where_its_depth_says_so(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topology, "MAX_LENGTH", 3)
    async with opened(amqp_url) as queue:
        for _ in range(2):
            await publish(queue, an_envelope())
    async with gateway_to(amqp_url, Grudge(channels=2)) as gateway, opened(gateway.url) as queue:
        answers = await queue.publish([an_envelope(), an_envelope(Lane.BULK)])

    assert [str(answer) for answer in answers] == [
        "the broker refused the message: its queue is full",
        "the broker refused the message: its queue is full, or has lost its leader",
    ]


async def test_a_broker_that_refuses_everything_is_asked_for_one_channel_a_second(
    amqp_url: str,
) -> None:
    grudge = Grudge(channels=3)
    async with gateway_to(amqp_url, grudge) as gateway, opened(gateway.url) as queue:
        started_s = time.monotonic()
        await publish_until_confirmed(queue, an_envelope())
        elapsed_s = time.monotonic() - started_s

    assert grudge.refused == 3
    assert elapsed_s >= 3


async def test_a_cut_connection_fails_what_waits_on_it(gateway: Gateway) -> None:
    async with opened(gateway.url) as queue:
        await publish(queue, an_envelope())
        gateway.freeze()
        publishes = [asyncio.create_task(publish(queue, an_envelope())) for _ in range(20)]
        await asyncio.sleep(0)
        gateway.cut()
        failures = await asyncio.gather(*publishes, return_exceptions=True)
        gateway.thaw()

        assert {type(failure) for failure in failures} == {PublishError}


async def test_a_lost_connection_does_not_cancel_a_handler(gateway: Gateway) -> None:
    async with opened(gateway.url) as queue:
        handler, sent = Recorder(is_open=False), an_envelope()
        subscription = await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=1)
        await publish(queue, sent)
        await handler.count(1)

        gateway.cut()
        await publish_until_confirmed(queue, an_envelope(Lane.BULK))
        handler.gate.set()

        assert await handler.count(2) == [sent, sent]
        assert handler.cancelled == 0
        await until(lambda: subscription.problem() is None)


async def test_consumers_come_back_after_a_lost_connection(gateway: Gateway, amqp_url: str) -> None:
    with witness_of(amqp_url) as witness:
        async with opened(gateway.url) as queue:
            handler = Recorder()
            await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=8)
            await until(lambda: witness.consumers(EMAIL) == 8)

            gateway.cut()
            await until(lambda: witness.consumers(EMAIL) < 8)

            await until(lambda: witness.consumers(EMAIL) == 8)


@pytest.mark.parametrize("slow", range(3))
async def test_a_consumer_with_a_message_in_hand_keeps_no_other_from_coming_back(
    gateway: Gateway, amqp_url: str, slow: int
) -> None:
    sent = [an_envelope() for _ in range(3)]
    slow_ends, quick_end = asyncio.Event(), asyncio.Event()
    seen: list[Envelope] = []

    async def handle(envelope: Envelope) -> Settlement:
        seen.append(envelope)
        await (slow_ends if envelope == sent[slow] else quick_end).wait()
        return Settlement.ACK

    with witness_of(amqp_url) as witness:
        async with opened(gateway.url) as queue:
            found = await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handle, consumers=3)
            await until(lambda: witness.consumers(EMAIL) == 3)
            for envelope in sent:
                await publish(queue, envelope)
            await until(lambda: len(seen) == 3)

            lost = found.attachment
            gateway.cut()
            await until(lambda: found.attachment not in (None, lost))
            quick_end.set()

            await until(lambda: witness.consumers(EMAIL) == 2)
            slow_ends.set()
            await until(lambda: witness.consumers(EMAIL) == 3)


async def test_a_deleted_queue_is_made_again_and_consumed(amqp_url: str) -> None:
    with witness_of(amqp_url) as witness:
        async with opened(amqp_url) as queue:
            handler, sent = Recorder(), an_envelope()
            await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=2)
            await until(lambda: witness.consumers(EMAIL) == 2)

            witness.delete(EMAIL)
            await publish_until_confirmed(queue, sent)

            assert await handler.count(1) == [sent]
            await until(lambda: witness.consumers(EMAIL) == 2)


async def test_a_deleted_queue_is_made_again_by_its_consumer(amqp_url: str) -> None:
    with witness_of(amqp_url) as witness:
        async with opened(amqp_url) as queue:
            subscription = await queue.subscribe(
                Channel.EMAIL, Lane.NORMAL, Recorder(), consumers=2
            )
            await until(lambda: witness.consumers(EMAIL) == 2)

            witness.delete(EMAIL)

            await until(lambda: EMAIL in witness.queues([EMAIL]))
            await until(lambda: witness.consumers(EMAIL) == 2)
            await until(lambda: subscription.problem() is None)


async def test_depths_are_asked_for_on_one_channel_until_something_ends_it(
    gateway: Gateway, amqp_url: str
) -> None:
    with witness_of(amqp_url) as witness:
        async with opened(gateway.url) as queue:
            first = await channel_of_a_look(queue)
            assert await channel_of_a_look(queue) is first

            witness.delete(EMAIL)
            assert await queue.depth(Channel.EMAIL, Lane.NORMAL) is None
            assert await queue.depth(Channel.EMAIL, Lane.HIGH) is not None
            second = await channel_of_a_look(queue)
            assert second is not first

            gateway.cut()
            await until_away(queue)
            await until_found(queue)
            assert await channel_of_a_look(queue) is not second


async def test_what_is_asked_again_and_again_opens_no_channels(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    real = AbortableConnection.channel

    def channel(connection: AbortableConnection, **options: Any) -> object:
        made.append(real(connection, **options))
        return made[-1]

    with witness_of(amqp_url) as witness:
        async with opened(amqp_url) as queue:
            subscription = await queue.subscribe(
                Channel.EMAIL, Lane.NORMAL, Recorder(), consumers=1
            )
            await until(lambda: witness.consumers(EMAIL) == 1)
            await channel_of_a_look(queue)
            monkeypatch.setattr(AbortableConnection, "channel", channel)

            await queue.ping()
            await queue.depths()
            assert await subscription._look(queue._consuming.current) is None  # noqa: SLF001

    assert not made


async def channel_of_a_look(queue: RabbitQueue) -> object:
    assert await queue.depth(Channel.EMAIL, Lane.BULK) is not None
    return queue._gauge._channel  # noqa: SLF001


async def test_a_look_that_nobody_answers_takes_its_channel_with_it(gateway: Gateway) -> None:
    async with opened(gateway.url, call_timeout_s=5) as queue:
        first = await channel_of_a_look(queue)

        gateway.freeze()
        with pytest.raises(QueueUnavailableError):
            await queue.depth(Channel.EMAIL, Lane.BULK)
        gateway.thaw()

        await until_found(queue)
        assert await channel_of_a_look(queue) is not first


async def until_found(queue: RabbitQueue) -> None:
    async with asyncio.timeout(AT_ALL_S):
        while True:
            try:
                await queue.depth(Channel.EMAIL, Lane.HIGH)
            except QueueUnavailableError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_channel_of_a_closed_connection_is_refused_as_unavailable(amqp_url: str) -> None:
    connection = await aio_pika.connect(amqp_url)
    await connection.close()

    with pytest.raises(QueueUnavailableError):
        async with open_channel(connection, 1):
            pass


async def test_a_queue_that_is_missing_is_made_before_the_next_publish(amqp_url: str) -> None:
    with witness_of(amqp_url) as witness:
        async with opened(amqp_url) as queue:
            await publish(queue, an_envelope())
            witness.delete(EMAIL)

            with pytest.raises(PublishError, match="no queue is bound"):
                await publish(queue, an_envelope())

            await publish(queue, an_envelope())
            assert witness.ready(EMAIL) == 1


async def test_an_exchange_that_is_missing_is_made_before_the_next_publish(amqp_url: str) -> None:
    with witness_of(amqp_url) as witness:
        async with opened(amqp_url) as queue:
            await publish(queue, an_envelope())
            witness.delete_exchange("notifications")

            with pytest.raises(PublishError):
                await publish(queue, an_envelope())

            await publish(queue, an_envelope())
            await queue.ping()


async def test_nothing_is_made_where_that_is_the_operators_business(amqp_url: str) -> None:
    with witness_of(amqp_url) as witness:
        apply_topology(amqp_url, "http://127.0.0.1:9")
        witness.delete(EMAIL)
        async with opened(amqp_url, declare=False) as queue:
            for _ in range(2):
                with pytest.raises(PublishError, match="no queue is bound"):
                    await publish(queue, an_envelope())
            names = {depth.name for depth in await queue.depths()}
            assert len(names) == 11
            assert EMAIL not in names
            subscription = await queue.subscribe(
                Channel.EMAIL, Lane.NORMAL, Recorder(), consumers=1
            )
            await until(lambda: subscription.problem() is not None)
            assert "email_notifications" in (subscription.problem() or "")

            apply_topology(amqp_url, "http://127.0.0.1:9")

            await until(lambda: subscription.problem() is None)


async def test_a_missing_exchange_is_no_answer_to_a_ping(amqp_url: str) -> None:
    async with opened(amqp_url, declare=False) as queue:
        with pytest.raises(QueueUnavailableError, match="topology apply"):
            await queue.ping()


async def test_a_queue_with_other_arguments_is_used_as_it_is(amqp_url: str) -> None:
    with witness_of(amqp_url) as witness:
        witness.declare(EMAIL)
        async with opened(amqp_url) as queue:
            handler = Recorder()
            await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=1)
            await queue.subscribe(Channel.EMAIL, Lane.HIGH, handler, consumers=1)
            sent, body = an_envelope(Lane.HIGH), an_envelope()

            await publish(queue, sent)
            assert await handler.count(1) == [sent]
            witness.put(EMAIL, encode(body))

            assert [found.id for found in await handler.count(2)] == [sent.id, body.id]


async def test_a_consumer_that_died_in_silence_is_noticed(amqp_url: str) -> None:
    with witness_of(amqp_url) as witness:
        async with opened(amqp_url) as queue:
            subscription = await queue.subscribe(
                Channel.EMAIL, Lane.NORMAL, Recorder(), consumers=2
            )
            await until(lambda: witness.consumers(EMAIL) == 2)
            assert subscription.problem() is None

            await cancel_in_silence(subscription)

            await until(lambda: subscription.problem() is not None)
            assert "1 consumers on the broker, not 2" in (subscription.problem() or "")


async def cancel_in_silence(subscription: RabbitSubscription) -> None:
    """Cancel on the broker a consumer that the client goes on to believe in."""
    assert subscription.attachment is not None
    frame = Basic.Cancel(consumer_tag=subscription.consumers[0].tag, nowait=True)
    channel = subscription.attachment.wire
    await channel.write_queue.put(ChannelFrame.marshall(channel.number, [frame]))


async def test_a_connection_that_no_longer_answers_is_replaced_by_the_watch(
    gateway: Gateway, amqp_url: str
) -> None:
    with witness_of(amqp_url) as witness:
        async with opened(gateway.url, call_timeout_s=1) as queue:
            handler, sent = Recorder(), an_envelope()
            await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=1)
            await until(lambda: witness.consumers(EMAIL) == 1)

            gateway.freeze()
            await until_away(queue)
            gateway.thaw()
            await publish_until_confirmed(queue, sent)

            assert sent in await handler.count(1)


async def until_away(queue: RabbitQueue) -> None:
    """Wait until the connection was given up."""
    async with asyncio.timeout(AT_ALL_S):
        while True:
            try:
                await queue.ping()
            except QueueUnavailableError as error:
                if "away" in str(error):
                    return


@pytest.mark.parametrize("consumers", [0, 3])
async def test_a_queue_whose_broker_is_frozen_closes_in_time(
    gateway: Gateway, consumers: int, awake: AwakeClock
) -> None:
    async with opened(gateway.url, call_timeout_s=1, publish_timeout_s=1) as queue:
        await queue.subscribe(Channel.EMAIL, Lane.NORMAL, Recorder(), consumers=consumers)
        await publish_until_confirmed(queue, an_envelope())
        gateway.freeze()
        started = awake.monotonic_s()

    # A few calls, each given up in time.
    assert awake.monotonic_s() - started < 15
    await until(lambda: not clients_tasks())


def clients_tasks() -> list[asyncio.Task[object]]:
    """Tasks of the client library that are still there; they would hold up the process's end."""
    return [
        task for task in asyncio.all_tasks() if "aiormq" in repr(task) or "aio_pika" in repr(task)
    ]


async def test_an_alarm_refuses_publishes_at_once_and_leaves_consumers_alone(
    rabbitmq: RabbitMq, amqp_url: str, awake: AwakeClock
) -> None:
    async with opened(amqp_url, publish_timeout_s=0.5) as queue:
        waiting = [an_envelope() for _ in range(5)]
        async with opened(amqp_url) as patient:
            for envelope in waiting:
                await publish(patient, envelope)
        await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "0")
        try:
            first = await asyncio.gather(
                *(publish(queue, an_envelope(Lane.BULK)) for _ in range(8)), return_exceptions=True
            )
            assert {type(failure) for failure in first} == {PublishError}
            started = awake.monotonic_s()
            for _ in range(50):
                with pytest.raises(PublishError, match="alarm"):
                    await publish(queue, an_envelope(Lane.BULK))
            # Not one waited.
            assert awake.monotonic_s() - started < 10

            handler = Recorder()
            await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=1)
            assert await handler.count(5) == waiting
        finally:
            await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "0.6")

        await publish_until_confirmed(queue, an_envelope(Lane.HIGH))
    with witness_of(amqp_url) as witness:
        assert witness.ready(EMAIL) == 0


async def test_nothing_confirmed_is_lost_when_the_node_is_killed(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    confirmed: set[bytes] = set()
    is_over = asyncio.Event()

    async def publish_on(queue: RabbitQueue) -> None:
        while not is_over.is_set():
            envelope = an_envelope()
            try:
                await publish(queue, envelope)
                confirmed.add(encode(envelope))
            except PublishError:
                await asyncio.sleep(0.01)

    async with opened(amqp_url) as queue:
        publishers = [asyncio.create_task(publish_on(queue)) for _ in range(20)]
        await until(lambda: len(confirmed) > 500)
        await asyncio.to_thread(rabbitmq.kill)
        before = len(confirmed)
        await asyncio.to_thread(rabbitmq.start)
        await until(lambda: len(confirmed) > before + 200)
        is_over.set()
        await asyncio.gather(*publishers)

    with witness_of(amqp_url) as witness:
        found = {letter.body for letter in witness.take(EMAIL)}
    assert confirmed <= found


async def test_a_message_that_kills_its_consumers_ends_in_the_dead_queue(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    apply_topology(amqp_url, rabbitmq.management_url)
    with witness_of(amqp_url) as witness:
        async with opened(amqp_url) as queue:
            await publish(queue, an_envelope(Lane.BULK))

            for _ in range(21):
                await until(lambda: witness.refuse("email_notifications.bulk"))

            await until(lambda: witness.ready("email_notifications.dead") == 1)
            removed = await queue.sweep_dead(Channel.EMAIL, all_of)
            assert [envelope.lane for envelope in removed] == [Lane.BULK]


async def all_of(envelopes: Sequence[Envelope]) -> Collection[Envelope]:
    return envelopes


async def test_a_user_without_the_right_to_configure_can_publish_and_consume(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    apply_topology(amqp_url, rabbitmq.management_url)
    names = r"^(notifications|notifications\.dead|(email|sms|in_app)_notifications.*)$"
    rights = {"configure": "^$", "write": names, "read": names}
    with restricted_user(rabbitmq, amqp_url, rights) as url, capture_logs() as logs:
        async with opened(url) as queue:
            handler, sent = Recorder(), an_envelope()
            subscription = await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=1)
            await publish(queue, sent)
            await bury(queue, sent)

            assert await handler.count(1) == [sent]
            assert await queue.sweep_dead(Channel.EMAIL, all_of) == [sent]
            assert subscription.problem() is None

    # What is there is only looked at.
    assert {log["event"] for log in logs} == {"broker.connected"}


@contextmanager
def restricted_user(rabbitmq: RabbitMq, amqp_url: str, rights: dict[str, str]) -> Iterator[str]:
    name = f"user-{uuid4().hex}"
    body = {"password": "secret", "tags": ""}
    rabbitmq.management.call("PUT", "users", name, body=body)
    rabbitmq.management.call("PUT", "permissions", vhost_of(amqp_url), name, body=rights)
    at = urlsplit(amqp_url)
    host = at.netloc.rpartition("@")[2]
    try:
        yield at._replace(netloc=f"{name}:secret@{host}").geturl()
    finally:
        rabbitmq.management.call("DELETE", "users", name)


async def test_a_wrong_password_looks_like_a_broker_that_is_away(amqp_url: str) -> None:
    at = urlsplit(amqp_url)
    host = at.netloc.rpartition("@")[2]
    async with opened(at._replace(netloc=f"nobody:wrong@{host}").geturl()) as queue:
        with pytest.raises(QueueUnavailableError):
            await queue.ping()
        with pytest.raises(PublishError):
            await publish(queue, an_envelope())


async def test_closing_with_publishes_and_handlers_under_way_ends_in_time(
    amqp_url: str, awake: AwakeClock
) -> None:
    async with opened(amqp_url) as queue:
        handler = Recorder(is_open=False)
        await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=4)
        for _ in range(8):
            await publish(queue, an_envelope())
        await handler.count(4)
        publishes = [asyncio.create_task(publish(queue, an_envelope())) for _ in range(20)]
        await asyncio.sleep(0)
        started = awake.monotonic_s()
    await asyncio.gather(*publishes, return_exceptions=True)

    # Not one call timed out.
    assert awake.monotonic_s() - started < 10
    with witness_of(amqp_url) as witness:
        await until(lambda: witness.ready(EMAIL) >= 8)


async def test_a_stop_of_many_busy_consumers_gives_back_once_and_at_once(
    rabbitmq: RabbitMq, amqp_url: str, awake: AwakeClock
) -> None:
    apply_topology(amqp_url, rabbitmq.management_url)
    async with opened(amqp_url) as queue:
        await queue.publish([an_envelope() for _ in range(BACKLOG)])
        handler = Recorder(is_open=False)
        stopped = await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=CROWD)
        await handler.count(CROWD)
        # As soon as one ends its message, the broker sends it the next.
        handler.gate.set()

        started = awake.monotonic_s()
        await stopped.pause()
        took_s = awake.monotonic_s() - started

        with witness_of(amqp_url) as witness:
            await until(lambda: witness.ready(EMAIL) + len(handler.seen) == BACKLOG)
            left = witness.take(EMAIL)
            assert witness.ready(DEAD) == 0
    assert max(deliveries(letter) for letter in left) <= 2
    # It did not time out.
    assert took_s < 10


async def test_no_number_of_stops_takes_a_message_to_the_dead_queue(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    apply_topology(amqp_url, rabbitmq.management_url)
    worst = 0
    with witness_of(amqp_url) as witness:
        async with opened(amqp_url) as queue:
            sent = an_envelope()
            await publish(queue, sent)
            for _ in range(2 * DELIVERY_LIMIT):
                handler = Untouched()
                running = await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=2)
                await until(handler.is_reached)
                await running.pause()
                handler.let_go.set()
                await running.close()
                await until(lambda: witness.ready(EMAIL) == 1)
                worst = max(worst, witness.look(EMAIL))

            assert witness.ready(DEAD) == 0
    assert 1 < worst <= WORN_DELIVERIES + 1


class Untouched:
    """A handler that waits for its turn until it is let go, without having had it."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self._reached = False

    def is_reached(self) -> bool:
        return self._reached

    async def __call__(self, _envelope: Envelope) -> Settlement:
        self._reached = True
        await self.let_go.wait()
        return Settlement.REQUEUE


async def test_a_message_whose_handling_always_crashes_ends_in_the_dead_queue(
    rabbitmq: RabbitMq, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifier.queue.handling.LONGEST_PAUSE_S", 0.01)
    apply_topology(amqp_url, rabbitmq.management_url)

    async def crash(_envelope: Envelope) -> Settlement:
        raise RuntimeError

    with witness_of(amqp_url) as witness:
        async with opened(amqp_url) as queue:
            await queue.subscribe(Channel.EMAIL, Lane.NORMAL, crash, consumers=1)
            await publish(queue, an_envelope())

            await until(lambda: witness.ready(DEAD) == 1)


def deliveries(letter: Letter) -> int:
    """How often the broker handed it out in vain."""
    counted = (letter.properties.headers or {}).get("x-delivery-count", 0)
    assert isinstance(counted, int)
    return counted


async def test_a_stop_while_consumers_are_being_attached_leaves_none(amqp_url: str) -> None:
    async with opened(amqp_url) as queue:
        await queue.publish([an_envelope() for _ in range(CROWD)])
        handler = Recorder(is_open=False)
        stopped = await queue.subscribe(Channel.EMAIL, Lane.NORMAL, handler, consumers=CROWD)
        await handler.count(1)

        await stopped.pause()
        handler.gate.set()

        with witness_of(amqp_url) as witness:
            await until(lambda: witness.ready(EMAIL) + len(handler.seen) == CROWD)
            # Where the broker was slow to answer, the connection was dropped with all of them.
            await until(lambda: witness.consumers(EMAIL) == 0)


async def test_what_comes_during_a_stop_does_not_wait_for_what_is_in_flight(amqp_url: str) -> None:
    async with opened(amqp_url) as queue:
        busy, free = Recorder(is_open=False), Recorder()
        stopped = await queue.subscribe(Channel.EMAIL, Lane.HIGH, busy, consumers=2)
        await queue.publish([an_envelope(Lane.HIGH) for _ in range(3)])
        await busy.count(2)

        await stopped.pause()
        await queue.subscribe(Channel.EMAIL, Lane.HIGH, free, consumers=1)

        await free.count(1)
        assert len(busy.seen) == 2
        busy.gate.set()


async def test_many_consumers_make_their_queue_again_when_it_was_deleted(amqp_url: str) -> None:
    """The broker refuses the first of them while the others are still asking."""
    async with opened(amqp_url) as queue:
        await queue.subscribe(Channel.EMAIL, Lane.NORMAL, Recorder(), consumers=CROWD)
        with witness_of(amqp_url) as witness:
            await until(lambda: witness.consumers(EMAIL) == CROWD)
            witness.delete(EMAIL)
            await until(lambda: witness.queues([EMAIL]) == {EMAIL})
            await until(lambda: witness.consumers(EMAIL) == CROWD)


async def test_letters_outlive_the_default_delivery_limit_where_no_policy_lifts_it(
    amqp_url: str,
) -> None:
    letter = an_envelope(Lane.BULK)
    with witness_of(amqp_url) as witness:
        async with opened(amqp_url) as queue:
            await bury(queue, letter)
            witness.put(DEAD, b"unparsable", {"kept": "yes"})

            for _ in range(25):
                await until(lambda: witness.ready(DEAD) == 2)
                assert await queue.sweep_dead(Channel.EMAIL, none_of) == []

            await until(lambda: witness.ready(DEAD) == 2)
            assert await queue.sweep_dead(Channel.EMAIL, all_of) == [letter]
            await until(lambda: witness.ready(DEAD) == 1)
            [kept] = witness.take(DEAD)
            assert kept.body == b"unparsable"
            assert kept.properties.headers["kept"] == "yes"


async def none_of(_: Sequence[Envelope]) -> Collection[Envelope]:
    return ()
