"""Consuming from RabbitMQ: prefetch-1 consumers that come back by themselves, and their watch."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias, assert_never, cast

import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPChannelError, ChannelNotFoundEntity
from aiormq import Channel as WireChannel
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from notifier.errors import QueueUnavailableError
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane
from notifier.notification.queueing import Handler
from notifier.queue import message as codec
from notifier.queue import topology
from notifier.queue.handling import HANDLER_END_S, Backoff, handle
from notifier.queue.message import Malformed
from notifier.queue.rabbitmq.connection import Connection, RabbitSettings, bounded, open_channel
from notifier.queue.rabbitmq.declaring import declare_queue
from notifier.queue.rabbitmq.gauge import Gauge
from notifier.queue.rabbitmq.publisher import RabbitPublisher
from notifier.queue.rabbitmq.renewing import is_worn, renewed

log = structlog.get_logger(__name__)

Process: TypeAlias = Callable[[DeliveredMessage], Coroutine[Any, Any, None]]

RETRY_S = 0.5
ATTACH_AT_ONCE = 50
DOUBTS = 2
"""How often in a row the watch must find the same trouble: attaching takes a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The queue that a subscription reads, and what to do with its messages."""

    channel: Channel
    lane: Lane
    handler: Handler
    backoff: Backoff
    publisher: RabbitPublisher

    @property
    def queue(self) -> str:
        """The queue's name."""
        return topology.work_queue(self.channel, self.lane)


@dataclass(frozen=True, slots=True)
class Attachment:
    """The channel on which the consumers of a subscription consume, and those that do so far."""

    connection: AbstractConnection
    wire: WireChannel
    consumers: set["Consumer"] = field(default_factory=set)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while consumers are attached or cancelled."""

    def has(self, consumer: "Consumer") -> bool:
        """Whether this consumer still consumes, as far as this side knows."""
        return not self.wire.is_closed and consumer.tag in self.wire.consumers


class Consumer:
    """One prefetch-1 consumer: `process` has at most one of its messages in hand."""

    def __init__(self, tag: str, process: Process) -> None:
        self.tag = tag
        self._process = process
        self.in_hand: asyncio.Task[None] | None = None
        """The handling of its last message, done with or not."""

    @property
    def is_busy(self) -> bool:
        """Whether a message is being handled."""
        return self.in_hand is not None and not self.in_hand.done()

    async def take(self, message: DeliveredMessage) -> None:
        """Start handling `message`, in a task that no lost connection ends."""
        self.in_hand = asyncio.create_task(self._process(message))

    async def abandon(self) -> None:
        """End the handling of the message in hand; it goes back to the queue."""
        if self.in_hand is not None:
            self.in_hand.cancel()
            await asyncio.wait({self.in_hand}, timeout=HANDLER_END_S)


async def _first_free(consumers: Collection[Consumer]) -> None:
    """Wait until one of these has no message in hand."""
    in_hand = [consumer.in_hand for consumer in consumers]
    if None not in in_hand:
        await asyncio.wait(filter(None, in_hand), return_when=asyncio.FIRST_COMPLETED)


class RabbitSubscription:
    """Consumers of one queue, and a watch that compares them with what the broker knows.

    They share a channel, on which the broker counts the prefetch of each by itself: a channel
    each would cost more memory than all the rest of a slot. What ends that channel does not end
    a handler; a consumer attaches again once the message in hand is done with.
    """

    def __init__(
        self,
        connection: Connection,
        source: Source,
        settings: RabbitSettings,
        gauge: Gauge,
        count: int,
    ) -> None:
        self._connection = connection
        self._gauge = gauge
        self._source = source
        self._settings = settings
        tag = f"{settings.connection_name} {source.queue}"
        self.consumers: Sequence[Consumer] = [
            Consumer(f"{tag} {number}", self._process) for number in range(count)
        ]
        self.attachment: Attachment | None = None
        self._is_wanted = asyncio.Event()
        self._is_wanted.set()
        self._is_detached = asyncio.Event()
        self._problem: str | None = None
        self._running = asyncio.create_task(self._run())
        self._watching = asyncio.create_task(self._watch())

    async def pause(self) -> None:
        """Cancel the consumers; what still comes meanwhile goes back once all are cancelled.

        Given back at once it would come straight back to those that are left, again and again,
        and the broker counts each time.
        """
        self._is_wanted.clear()
        try:
            if self.attachment is not None:
                await self._detach(self.attachment)
        finally:
            self._is_detached.set()
            self._source.backoff.end()

    async def resume(self) -> None:
        """Attach the consumers again, each once the message in hand is done with."""
        self._source.backoff.begin()
        self._is_detached.clear()
        self._is_wanted.set()

    async def close(self) -> None:
        await self.pause()
        self._watching.cancel()
        await asyncio.gather(*(consumer.abandon() for consumer in self.consumers))
        self._running.cancel()
        await asyncio.wait({self._running, self._watching})

    def problem(self) -> str | None:
        if not self._is_wanted.is_set():
            return None
        return "its watch ended" if self._watching.done() else self._problem

    async def _run(self) -> None:
        while await self._is_wanted.wait():
            connection = await self._connection.up()
            try:
                await self._consume(connection)
            except ChannelNotFoundEntity:
                log.warning("consumer.queue_missing", queue=self._source.queue)
                await self._declare(connection)
            except AMQPChannelError as error:
                reason = type(error).__name__
                log.warning("consumer.refused", queue=self._source.queue, reason=reason)
            except QueueUnavailableError:
                log.warning("consumer.not_attached", queue=self._source.queue)
            await asyncio.sleep(RETRY_S)

    async def _declare(self, connection: AbstractConnection) -> None:
        if self._settings.declare:
            timeout_s = self._settings.call_timeout_s
            with suppress(AMQPChannelError, QueueUnavailableError):
                async with open_channel(connection, timeout_s) as channel:
                    spec = topology.QUEUES[self._source.queue]
                    await declare_queue(spec, channel, timeout_s)

    async def _consume(self, connection: AbstractConnection) -> None:
        timeout_s = self._settings.call_timeout_s
        async with open_channel(connection, timeout_s) as channel:
            lost = asyncio.Event()
            wire = cast(WireChannel, await channel.get_underlay_channel())
            channel.close_callbacks.add(lambda *_: lost.set())
            wire.on_consumer_cancel_callbacks.add(lambda _: lost.set())
            self.attachment = attachment = Attachment(connection, wire)
            attaching = asyncio.create_task(self._keep_attached(attachment))
            losing = asyncio.create_task(lost.wait())
            try:
                await asyncio.wait({attaching, losing}, return_when=asyncio.FIRST_COMPLETED)
                if attaching.done():
                    attaching.result()
            finally:
                self.attachment = None
                attaching.cancel()
                losing.cancel()

    async def _keep_attached(self, attachment: Attachment) -> None:
        """Attach the consumers, and again after each pause."""
        await bounded(attachment.wire.basic_qos(prefetch_count=1), self._settings.call_timeout_s)
        while await self._is_wanted.wait():
            detached = [each for each in self.consumers if each not in attachment.consumers]
            if detached:
                await self._attach(attachment, detached)
            else:
                await self._is_detached.wait()

    async def _attach(self, attachment: Attachment, detached: Sequence[Consumer]) -> None:
        """Attach these consumers: those that are free at once, the others when they are."""
        left = list(detached)
        while left:
            await _first_free(left)
            free = [consumer for consumer in left if not consumer.is_busy][:ATTACH_AT_ONCE]
            async with attachment.changing:
                if not self._is_wanted.is_set():
                    return
                attaching = self._consume_with(attachment.wire, free)
                await bounded(attaching, self._settings.call_timeout_s)
                attachment.consumers.update(free)
            left = [consumer for consumer in left if consumer not in attachment.consumers]

    async def _consume_with(self, wire: WireChannel, consumers: Sequence[Consumer]) -> None:
        """Let these consume. The broker is asked to answer for the first and the last alone.

        The first before the others ask: that the queue is missing ends the channel, and whoever
        is asking then learns only that.
        """
        queue = self._source.queue
        await wire.basic_consume(queue, consumers[0].take, consumer_tag=consumers[0].tag)
        for consumer in consumers[1:-1]:
            wire.consumers[consumer.tag] = consumer.take
            await wire.rpc(Basic.Consume(queue=queue, consumer_tag=consumer.tag, nowait=True))
        for consumer in consumers[1:][-1:]:
            await wire.basic_consume(queue, consumer.take, consumer_tag=consumer.tag)

    async def _detach(self, attachment: Attachment) -> None:
        try:
            await bounded(self._cancel(attachment), self._settings.call_timeout_s)
        except AMQPChannelError as error:
            log.info("consumer.already_gone", reason=type(error).__name__)
        except QueueUnavailableError:
            self._connection.drop(attachment.connection)

    async def _cancel(self, attachment: Attachment) -> None:
        """Cancel all consumers. The broker is asked to answer for the last alone.

        What it sends before that answer still finds its consumer.
        """
        wire = attachment.wire
        async with attachment.changing:
            tags = [consumer.tag for consumer in self.consumers if attachment.has(consumer)]
            for tag in tags[:-1]:
                await wire.rpc(Basic.Cancel(consumer_tag=tag, nowait=True))
            for tag in tags[-1:]:
                await wire.basic_cancel(tag)
            for tag in tags:
                wire.consumers.pop(tag, None)
            attachment.consumers.clear()

    async def _process(self, message: DeliveredMessage) -> None:
        source = self._source
        envelope = codec.decode(
            message.body,
            channel=source.channel,
            lane=source.lane,
            headers=message.header.properties.headers,
        )
        if isinstance(envelope, Malformed):
            log.error("queue.unparsable", queue=source.queue, reason=envelope.reason)
            await _settle(message, Settlement.BURY)
            return
        settlement = await self._handle(envelope)
        if settlement is Settlement.REQUEUE and is_worn(message.header.properties.headers):
            settlement = await self._renew(message)
        await _settle(message, settlement)

    async def _renew(self, message: DeliveredMessage) -> Settlement:
        """Publish a copy that no delivery counts against; says what becomes of this one."""
        copy = renewed(
            message.header.properties,
            message.body,
            exchange=topology.WORK_EXCHANGE,
            routing_key=topology.routing_key(self._source.channel, self._source.lane),
        )
        sending = asyncio.create_task(self._source.publisher.send([copy]))
        while not sending.done():
            # Cut off, it would leave two of them.
            with suppress(asyncio.CancelledError):
                await asyncio.wait({sending})
        return Settlement.ACK if sending.result() == [None] else Settlement.REQUEUE

    async def _handle(self, envelope: Envelope) -> Settlement:
        """Handle it, or hold it while paused; a cancellation only ends the wait."""
        if not self._is_wanted.is_set():
            with suppress(asyncio.CancelledError):
                await self._is_detached.wait()
            return Settlement.REQUEUE
        settlement = await handle(self._source.handler, envelope)
        with suppress(asyncio.CancelledError):
            await self._source.backoff.hold(envelope, settlement)
        return settlement

    async def _watch(self) -> None:
        in_a_row = 0
        while True:
            await asyncio.sleep(self._settings.watch_s)
            found = await self._look(self._connection.current)
            in_a_row = in_a_row + 1 if found else 0
            self._problem = found if in_a_row >= DOUBTS else None

    async def _look(self, connection: AbstractConnection | None) -> str | None:
        """What is wrong now. A broker that is away is no problem of a consumer."""
        if connection is None:
            return None
        queue, attachment = self._source.queue, self.attachment
        # Attaching many takes a while; those whose turn has not come are no trouble.
        due = attachment.consumers if attachment else set(self.consumers)
        attached = {each for each in due if attachment and attachment.has(each)}
        silent = sum(1 for each in due - attached if not each.is_busy)
        if silent:
            return f"{silent} of {len(self.consumers)} consumers of {queue} do not consume"
        known = await self._count_known(connection)
        if known is not None and known < len(attached):
            return f"{queue} has {known} consumers on the broker, not {len(attached)}"
        return None

    async def _count_known(self, connection: AbstractConnection) -> int | None:
        """How many consumers the broker knows, from anywhere; None if it does not answer."""
        try:
            depth = await self._gauge.read(connection, topology.QUEUES[self._source.queue])
        except AMQPChannelError:
            return 0
        except QueueUnavailableError:
            self._connection.drop(connection)
            return None
        return depth.consumers if depth is not None else 0


async def _settle(message: DeliveredMessage, settlement: Settlement) -> None:
    """Ack, give back or dead-letter `message`, if its channel is still there."""
    wire, tag = message.channel, message.delivery_tag
    assert tag is not None  # noqa: S101  it was delivered, not returned
    try:
        match settlement:
            case Settlement.ACK:
                await wire.basic_ack(tag, wait=False)
            case Settlement.REQUEUE:
                await wire.basic_nack(tag, requeue=True, wait=False)
            case Settlement.CRASHED:
                # RabbitMQ 4.3 counts a reject, and no nack.
                await wire.basic_reject(tag, requeue=True, wait=False)
            case Settlement.BURY:
                await wire.basic_reject(tag, requeue=False, wait=False)
            case _:
                assert_never(settlement)
    # The channel went, with whatever error or cancellation ended it: the broker delivers again.
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
        log.info("queue.settlement_lost", error=type(error).__name__)
