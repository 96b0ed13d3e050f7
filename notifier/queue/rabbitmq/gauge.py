"""What is asked of the broker again and again: on one channel, which is kept."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from notifier.notification.queueing import QueueDepth
from notifier.queue.rabbitmq.connection import bounded, close_quietly, new_channel
from notifier.queue.topology import QueueSpec

T = TypeVar("T")


class Gauge:
    """Asks one question at a time: one that is refused ends the channel it is asked on."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._asking = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None

    async def read(self, connection: AbstractConnection, spec: QueueSpec) -> QueueDepth | None:
        """Return a queue's depth, None if there is no such queue. Raises as `bounded` does."""
        try:
            queue = await self.ask(connection, partial(_look_for, spec))
        except ChannelNotFoundEntity:
            return None
        found = queue.declaration_result
        return spec.depth(found.message_count or 0, found.consumer_count or 0)

    async def ask(
        self,
        connection: AbstractConnection,
        question: Callable[[AbstractChannel], Awaitable[T]],
    ) -> T:
        """Put a question to the broker and return its answer. Raises as `bounded` does."""
        async with self._asking:
            channel = await self._usable(connection)
            self._channel = None
            try:
                answer = await bounded(question(channel), self._timeout_s)
            except BaseException:
                await close_quietly(channel, self._timeout_s)
                raise
            self._channel = channel
            return answer

    async def _usable(self, connection: AbstractConnection) -> AbstractChannel:
        kept = self._channel
        if kept is not None and not kept.is_closed and self._connection is connection:
            return kept
        channel = new_channel(connection, confirms=False)
        await bounded(channel.initialize(), self._timeout_s)
        self._connection = connection
        return channel


async def _look_for(spec: QueueSpec, channel: AbstractChannel) -> AbstractQueue:
    return await channel.declare_queue(spec.name, passive=True)
