"""Removing stale letters from a dead queue without disturbing the others.

Letters are fetched page by page and held unacknowledged, so that none is met twice; the stale
ones are acknowledged, the others go back at the end, in their order. A sweep that dies gives
back all it holds; two at once see different letters. One page is in memory at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, suppress
from typing import TypeAlias, TypeGuard, cast
from uuid import UUID

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPChannelError
from aiormq import Channel as WireChannel

from notifier.errors import QueueUnavailableError
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel
from notifier.queue import message as codec
from notifier.queue import topology
from notifier.queue.message import Malformed
from notifier.queue.rabbitmq.connection import bounded, open_channel
from notifier.queue.rabbitmq.publisher import RabbitPublisher
from notifier.queue.rabbitmq.renewing import is_worn, renewed

Stale: TypeAlias = Callable[[Sequence[Envelope]], Awaitable[Collection[Envelope]]]

PAGE = 2_000
QUIET_S = 1.0
"""Without a letter for so long, a page is complete: somebody else took the rest."""


class Sweep:
    """One sweep of a channel's dead queue.

    It also removes second letters: the publish of a first one may have been given up and have
    arrived all the same. Letters of another channel, moved here by hand, go to its dead queue.

    A page is what a consumer with that prefetch is sent, on an AMQP channel that stays open, with
    it, until the end: getting letters one by one takes ten times as long.
    """

    def __init__(
        self,
        connection: AbstractConnection,
        channel: Channel,
        publisher: RabbitPublisher,
        timeout_s: float,
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._publisher = publisher
        self._timeout_s = timeout_s
        self._queue = topology.dead_queue(channel)
        self._kept: set[tuple[UUID, int]] = set()

    async def remove(self, stale: Stale) -> list[Envelope]:
        """Remove the letters that `stale` picks, of those there when it starts; returns them.

        Raises:
            QueueUnavailableError: the broker does not answer; what was picked until then is gone.
            AMQPChannelError: there is no such queue.
        """
        removed: list[Envelope] = []
        async with AsyncExitStack() as held:
            left = await self._depth(await self._open(held))
            while left > 0:
                amqp = await self._open(held)
                held.push_async_callback(self._give_back, amqp)
                page = await self._fetch(amqp, min(left, PAGE))
                removed += await self._sort(page, stale)
                left = left - len(page) if page else 0
        return removed

    async def _open(self, held: AsyncExitStack) -> AbstractChannel:
        return await held.enter_async_context(open_channel(self._connection, self._timeout_s))

    async def _depth(self, amqp: AbstractChannel) -> int:
        queue = await bounded(amqp.declare_queue(self._queue, passive=True), self._timeout_s)
        return queue.declaration_result.message_count or 0

    async def _fetch(self, amqp: AbstractChannel, count: int) -> list[AbstractIncomingMessage]:
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        queue = await amqp.get_queue(self._queue, ensure=False)
        await bounded(amqp.set_qos(prefetch_count=count), self._timeout_s)
        tag = await bounded(queue.consume(arrived.put), self._timeout_s)
        page: list[AbstractIncomingMessage] = []
        with suppress(TimeoutError):
            while len(page) < count:
                async with asyncio.timeout(QUIET_S):
                    page.append(await arrived.get())
        await bounded(queue.cancel(tag), self._timeout_s)
        return page

    async def _sort(self, page: list[AbstractIncomingMessage], stale: Stale) -> list[Envelope]:
        letters = [(letter, self._read(letter)) for letter in page]
        envelopes = [envelope for _, envelope in letters if self._is_at_home(envelope)]
        picked = frozenset(await stale(envelopes)) if envelopes else frozenset()
        for letter, envelope in letters:
            if envelope is not None and not self._is_at_home(envelope):
                await self._renew(letter, envelope.channel)
            elif envelope in picked or self._is_second(envelope):
                await letter.ack()
            elif is_worn(letter.headers):
                # Its copy may be met in this sweep, and is no second one.
                self._kept -= {(envelope.id, envelope.attempt)} if envelope else set()
                await self._renew(letter, self._channel)
        return [envelope for envelope in envelopes if envelope in picked]

    def _is_second(self, envelope: Envelope | None) -> bool:
        """Whether this sweep keeps a letter for the same failure; it does from now on."""
        if envelope is None:
            return False
        failure = (envelope.id, envelope.attempt)
        is_second = failure in self._kept
        self._kept.add(failure)
        return is_second

    def _is_at_home(self, envelope: Envelope | None) -> TypeGuard[Envelope]:
        return envelope is not None and envelope.channel is self._channel

    async def _renew(self, letter: AbstractIncomingMessage, channel: Channel) -> None:
        """Replace a letter by a copy that was never delivered; if that fails, it stays as is."""
        lane = topology.lane_of(letter.routing_key or "")
        copy = renewed(
            letter.properties,
            letter.body,
            exchange=topology.DEAD_EXCHANGE,
            routing_key=topology.routing_key(channel, lane),
        )
        if await self._publisher.send([copy]) == [None]:
            await letter.ack()

    async def _give_back(self, amqp: AbstractChannel) -> None:
        """Return what is still held. RabbitMQ 4.3 counts a closed channel as a failed delivery."""
        with suppress(QueueUnavailableError, AMQPChannelError):
            wire = cast(WireChannel, await amqp.get_underlay_channel())
            await bounded(wire.basic_nack(0, multiple=True, requeue=True), self._timeout_s)

    def _read(self, letter: AbstractIncomingMessage) -> Envelope | None:
        found = codec.decode_any(
            letter.body,
            lane=topology.lane_of(letter.routing_key or ""),
            headers=letter.headers,
        )
        return None if isinstance(found, Malformed) else found
