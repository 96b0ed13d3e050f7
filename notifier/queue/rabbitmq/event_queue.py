"""Taking events from RabbitMQ: a hundred at once, each acknowledged when it is stored.

What arrives while some are being stored gathers, and is stored together. While the database is
away nothing is given back: the same messages are tried again, until that works or this process
ends, for the broker counts what comes back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeAlias

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import (
    AbstractChannel,
    AbstractConnection,
    AbstractIncomingMessage,
    HeadersType,
)
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from pamqp.common import FieldTable

from notifier.errors import NotifierError
from notifier.events.arriving import Delivery, Fate, Refused
from notifier.queue import topology
from notifier.queue.rabbitmq import event_entities as entities
from notifier.queue.rabbitmq.connection import (
    Connection,
    RabbitSettings,
    Search,
    bounded,
    close_quietly,
    new_channel,
    open_channel,
)

log = structlog.get_logger(__name__)

Take: TypeAlias = Callable[[Sequence[Delivery]], Awaitable[Sequence[Fate]]]

PREFETCH = 100
RETRY_S = 1.0


class EventQueue:
    """Consumes events, whenever there is a broker, until it is cancelled."""

    def __init__(
        self,
        url: str,
        settings: RabbitSettings,
        bindings: Sequence[str],
        take: Take,
        *,
        search: Search = Search(),  # noqa: B008 - frozen
        retry_s: float = RETRY_S,
    ) -> None:
        declare = partial(declare_events, bindings, settings.call_timeout_s)
        self._connection = Connection(
            url,
            purpose="events",
            settings=settings,
            prepare=declare if settings.declare else _as_it_is,
            search=search,
        )
        self._timeout_s = settings.call_timeout_s
        self._take = take
        self._retry_s = retry_s
        self._at_once = PREFETCH

    async def run(self) -> None:
        """Consume until cancelled; what is in hand then goes back to the queue."""
        connecting = asyncio.create_task(self._connection.run())
        try:
            while True:
                connection = await self._connection.up()
                try:
                    await self._consume(connection)
                except (AMQPError, ChannelInvalidStateError, NotifierError) as error:
                    log.warning("events.not_consuming", reason=type(error).__name__)
                await asyncio.sleep(self._retry_s)
        finally:
            connecting.cancel()
            await asyncio.wait({connecting})

    async def _consume(self, connection: AbstractConnection) -> None:
        channel = new_channel(connection, confirms=True)
        await bounded(channel.initialize(), self._timeout_s)
        lost = asyncio.Event()
        channel.close_callbacks.add(lambda *_: lost.set())
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        losing = asyncio.create_task(lost.wait())
        try:
            await bounded(channel.set_qos(prefetch_count=PREFETCH), self._timeout_s)
            queue = await channel.get_queue(entities.QUEUE, ensure=False)
            await bounded(queue.consume(arrived.put), self._timeout_s)
            while not losing.done():
                if messages := await _gathered(arrived, losing):
                    await self._settle(channel, messages)
        finally:
            losing.cancel()
            await close_quietly(channel, self._timeout_s)

    async def _settle(
        self, channel: AbstractChannel, messages: Sequence[AbstractIncomingMessage]
    ) -> None:
        fates = await self._fates([_delivery(each) for each in messages])
        for message, fate in zip(messages, fates, strict=True):
            if isinstance(fate, Refused):
                log.warning("event.refused", reason=fate.reason)
                await self._bury(channel, message, fate.reason)
            await message.ack()

    async def _fates(self, deliveries: Sequence[Delivery]) -> Sequence[Fate]:
        """Take all of them, fewer at once where that took too long."""
        fates: list[Fate] = []
        while left := deliveries[len(fates) :]:
            some = left[: self._at_once]
            try:
                fates += await self._take(some)
                self._at_once = min(PREFETCH, self._at_once * 2)
            except NotifierError as error:
                log.warning("events.delayed", count=len(left), reason=str(error))
                self._at_once = max(1, len(some) // 2)
                await asyncio.sleep(self._retry_s)
        return fates

    async def _bury(
        self, channel: AbstractChannel, message: AbstractIncomingMessage, reason: str
    ) -> None:
        letter = Message(
            message.body,
            headers=_headers(message, reason),
            content_type=message.content_type,
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=message.message_id,
        )
        publishing = channel.default_exchange.publish(letter, routing_key=entities.DEAD_QUEUE)
        await bounded(publishing, self._timeout_s)


async def declare_events(
    bindings: Sequence[str], timeout_s: float, connection: AbstractConnection
) -> None:
    """Make the exchange, the queues and the bindings of events; idempotent.

    Raises:
        QueueUnavailableError: the broker does not answer.
        AMQPChannelError: it refuses.
    """
    async with open_channel(connection, timeout_s) as channel:
        arguments: FieldTable = {**topology.QUEUE_ARGUMENTS}
        exchange = channel.declare_exchange(entities.EXCHANGE, entities.EXCHANGE_TYPE, durable=True)
        await bounded(exchange, timeout_s)
        dead = channel.declare_queue(entities.DEAD_QUEUE, durable=True, arguments=arguments)
        await bounded(dead, timeout_s)
        declaring = channel.declare_queue(entities.QUEUE, durable=True, arguments=arguments)
        queue = await bounded(declaring, timeout_s)
        for pattern in bindings:
            await bounded(queue.bind(entities.EXCHANGE, pattern), timeout_s)


async def _as_it_is(connection: AbstractConnection) -> None:
    del connection


async def _gathered(
    arrived: asyncio.Queue[AbstractIncomingMessage], losing: asyncio.Task[bool]
) -> list[AbstractIncomingMessage]:
    """Wait for a message, and return it with all that is there by then; none once it is lost."""
    getting = asyncio.create_task(arrived.get())
    try:
        await asyncio.wait({getting, losing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not getting.done():
            getting.cancel()
    if losing.done() or not getting.done():
        return []
    messages = [getting.result()]
    with suppress(asyncio.QueueEmpty):
        while len(messages) < PREFETCH:
            messages.append(arrived.get_nowait())
    return messages


def _delivery(message: AbstractIncomingMessage) -> Delivery:
    return Delivery(body=message.body, content_type=message.content_type, user=_user(message))


def _user(message: AbstractIncomingMessage) -> str | None:
    """Return who published it first: what was replayed comes from an operator."""
    if message.exchange == entities.DEFAULT_EXCHANGE:
        user = message.headers.get(entities.USER_HEADER)
        return str(user) if user else message.user_id
    return message.user_id


def _headers(message: AbstractIncomingMessage, reason: str) -> HeadersType:
    # The broker takes nobody else's user_id from us.
    user = _user(message)
    named = {entities.USER_HEADER: user} if user else {}
    return {**message.headers, **named, entities.REASON_HEADER: reason}
