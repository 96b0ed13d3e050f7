"""Consuming from RabbitMQ: prefetch-1 consumers that come back by themselves, and their watch."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never, cast

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPChannelError, ChannelNotFoundEntity
from aiormq import Channel as WireChannel

from notifier.errors import QueueUnavailableError
from notifier.notification import Channel, Lane, Settlement
from notifier.ports import Handler
from notifier.queue import message as codec
from notifier.queue import topology
from notifier.queue.declaring import declare_queue
from notifier.queue.handling import HANDLER_END_S, Backoff, handle
from notifier.queue.link import Link, RabbitSettings, bounded, open_channel
from notifier.queue.message import Malformed

log = structlog.get_logger(__name__)

RETRY_S = 0.5
DOUBTS = 2
"""How often in a row the watch must find the same trouble: attaching takes a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The queue that a subscription reads, and what to do with its messages."""

    channel: Channel
    lane: Lane
    handler: Handler
    backoff: Backoff

    @property
    def queue(self) -> str:
        """The queue's name."""
        return topology.work_queue(self.channel, self.lane)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A consumer as the broker knows it: its channel and tag."""

    connection: AbstractConnection
    wire: WireChannel
    tag: str

    @property
    def is_alive(self) -> bool:
        """Whether the channel is open and the tag on it."""
        return not self.wire.is_closed and self.tag in self.wire.consumers


class Consumer:
    """One consumer on a channel of its own.

    Messages are handled in tasks of our own: a lost connection ends the consumer, never a
    handler. It attaches again once the message in hand is done with.
    """

    def __init__(self, link: Link, source: Source, settings: RabbitSettings, tag: str) -> None:
        self._link = link
        self._source = source
        self._settings = settings
        self._tag = tag
        self.attachment: Attachment | None = None
        self._in_hand: set[asyncio.Task[None]] = set()
        self._is_paused = False
        self._running = asyncio.create_task(self._run())

    @property
    def is_attached(self) -> bool:
        """Whether it consumes, as far as this side knows."""
        return self.attachment is not None and self.attachment.is_alive

    @property
    def is_busy(self) -> bool:
        """Whether a message is being handled."""
        return bool(self._in_hand)

    async def pause(self) -> None:
        """Take no more messages. What the broker sent in the meantime goes back."""
        self._is_paused = True
        if self.attachment is None:
            self._running.cancel()
        else:
            await self._detach(self.attachment)

    async def close(self) -> None:
        """End; the message in hand goes back to the queue."""
        await self.pause()
        for task in self._in_hand:
            task.cancel()
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=HANDLER_END_S)
        self._running.cancel()
        await asyncio.wait({self._running})

    async def _run(self) -> None:
        while not self._is_paused:
            connection = await self._link.up()
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
            if self._in_hand:
                await asyncio.wait(self._in_hand)
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
            try:
                await self._attach(connection, channel, lost)
                await lost.wait()
                if self._in_hand:
                    await asyncio.wait(self._in_hand)
            finally:
                self.attachment = None

    async def _attach(
        self, connection: AbstractConnection, channel: AbstractChannel, lost: asyncio.Event
    ) -> None:
        timeout_s = self._settings.call_timeout_s
        wire = cast(WireChannel, await channel.get_underlay_channel())
        channel.close_callbacks.add(lambda *_: lost.set())
        wire.on_consumer_cancel_callbacks.add(lambda _: lost.set())
        await bounded(channel.set_qos(prefetch_count=1), timeout_s)
        self.attachment = attachment = Attachment(connection, wire, self._tag)
        queue = await channel.get_queue(self._source.queue, ensure=False)
        await bounded(queue.consume(self._take, consumer_tag=self._tag), timeout_s)
        if self._is_paused:
            await self._detach(attachment)

    async def _detach(self, attachment: Attachment) -> None:
        if not attachment.is_alive:
            return
        try:
            call = attachment.wire.basic_cancel(self._tag)
            await bounded(call, self._settings.call_timeout_s)
        except AMQPChannelError as error:
            log.info("consumer.already_gone", reason=type(error).__name__)
        except QueueUnavailableError:
            self._link.drop(attachment.connection)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        task = asyncio.create_task(self._process(message))
        self._in_hand.add(task)
        task.add_done_callback(self._in_hand.discard)

    async def _process(self, message: AbstractIncomingMessage) -> None:
        source = self._source
        envelope = codec.decode(
            message.body, channel=source.channel, lane=source.lane, headers=message.headers
        )
        if isinstance(envelope, Malformed):
            log.error("queue.unparsable", queue=source.queue, reason=envelope.reason)
            await _settle(message, None)
            return
        if self._is_paused:
            await _settle(message, Settlement.REQUEUE)
            return
        settlement = await handle(source.handler, envelope)
        if not self._is_paused:
            with suppress(asyncio.CancelledError):
                await source.backoff.hold(settlement)
        await _settle(message, settlement)


async def _settle(message: AbstractIncomingMessage, settlement: Settlement | None) -> None:
    """Ack, requeue or (None) dead-letter `message`, if its channel is still there."""
    try:
        match settlement:
            case Settlement.ACK:
                await message.ack()
            case Settlement.REQUEUE:
                await message.nack(requeue=True)
            case None:
                await message.reject(requeue=False)
            case _:
                assert_never(settlement)
    # The channel went, with whatever error or cancellation ended it: the broker delivers again.
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
        log.info("queue.settlement_lost", error=type(error).__name__)


class RabbitSubscription:
    """Consumers of one queue, and a watch that compares them with what the broker knows."""

    def __init__(self, link: Link, source: Source, settings: RabbitSettings, count: int) -> None:
        self._link = link
        self._queue = source.queue
        self._settings = settings
        tag = f"{settings.connection_name} {source.queue}"
        self.consumers: Sequence[Consumer] = [
            Consumer(link, source, settings, f"{tag} {number}") for number in range(count)
        ]
        self._is_paused = False
        self._problem: str | None = None
        self._watching = asyncio.create_task(self._watch())

    async def pause(self) -> None:
        self._is_paused = True
        await asyncio.gather(*(consumer.pause() for consumer in self.consumers))

    async def close(self) -> None:
        self._is_paused = True
        self._watching.cancel()
        await asyncio.gather(*(consumer.close() for consumer in self.consumers))
        await asyncio.wait({self._watching})

    def problem(self) -> str | None:
        if self._is_paused:
            return None
        return "its watch ended" if self._watching.done() else self._problem

    async def _watch(self) -> None:
        in_a_row = 0
        while True:
            await asyncio.sleep(self._settings.watch_s)
            found = await self._look(self._link.connection)
            in_a_row = in_a_row + 1 if found else 0
            self._problem = found if in_a_row >= DOUBTS else None

    async def _look(self, connection: AbstractConnection | None) -> str | None:
        """What is wrong now. A broker that is away is no problem of a consumer."""
        if connection is None:
            return None
        free = [consumer for consumer in self.consumers if not consumer.is_busy]
        attached = [consumer for consumer in self.consumers if consumer.is_attached]
        silent = sum(1 for consumer in free if not consumer.is_attached)
        if silent:
            return f"{silent} of {len(self.consumers)} consumers of {self._queue} do not consume"
        known = await self._count_known(connection)
        if known is not None and known < len(attached):
            return f"{self._queue} has {known} consumers on the broker, not {len(attached)}"
        return None

    async def _count_known(self, connection: AbstractConnection) -> int | None:
        """How many consumers the broker knows, from anywhere; None if it does not answer."""
        timeout_s = self._settings.call_timeout_s
        try:
            async with open_channel(connection, timeout_s) as channel:
                queue = await bounded(channel.declare_queue(self._queue, passive=True), timeout_s)
                return queue.declaration_result.consumer_count or 0
        except AMQPChannelError:
            return 0
        except QueueUnavailableError:
            self._link.drop(connection)
            return None
