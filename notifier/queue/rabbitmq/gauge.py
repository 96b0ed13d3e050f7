"""How much is in a queue, asked again and again: on one channel, which is kept."""

import asyncio

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from notifier.notification.queueing import QueueDepth
from notifier.queue.rabbitmq.connection import bounded, close_quietly, new_channel
from notifier.queue.topology import QueueSpec


class Gauge:
    """Asks one question at a time: a queue that is missing ends the channel it is asked on."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._asking = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None

    async def read(self, connection: AbstractConnection, spec: QueueSpec) -> QueueDepth | None:
        """Return a queue's depth, None if there is no such queue. Raises as `bounded` does."""
        async with self._asking:
            channel = await self._usable(connection)
            self._channel = None
            try:
                depth = await depth_of(spec, channel, self._timeout_s)
            except ChannelNotFoundEntity:
                return None
            except BaseException:
                await close_quietly(channel, self._timeout_s)
                raise
            self._channel = channel
            return depth

    async def _usable(self, connection: AbstractConnection) -> AbstractChannel:
        kept = self._channel
        if kept is not None and not kept.is_closed and self._connection is connection:
            return kept
        channel = new_channel(connection, confirms=False)
        await bounded(channel.initialize(), self._timeout_s)
        self._connection = connection
        return channel


async def depth_of(spec: QueueSpec, channel: AbstractChannel, timeout_s: float) -> QueueDepth:
    """Ask for a queue's depth. Raises as `bounded` does; a missing queue ends the channel."""
    queue = await bounded(channel.declare_queue(spec.name, passive=True), timeout_s)
    found = queue.declaration_result
    return spec.depth(found.message_count or 0, found.consumer_count or 0)
