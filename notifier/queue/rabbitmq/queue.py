"""The queue on RabbitMQ, 3.10 or later.

Two connections: one that publishes, and one that consumes and asks. An alarm blocks a connection
that publishes, and an ack on it would not be heard.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from uuid import UUID, uuid4

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPChannelError, ChannelNotFoundEntity

from notifier.clock import Clock
from notifier.errors import PublishError, QueueUnavailableError
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane
from notifier.notification.queueing import Handler, QueueDepth
from notifier.queue import message as codec
from notifier.queue import topology
from notifier.queue.handling import Backoff
from notifier.queue.rabbitmq import reasons
from notifier.queue.rabbitmq.connection import (
    Connection,
    RabbitSettings,
    Search,
)
from notifier.queue.rabbitmq.consumer import RabbitSubscription, Source
from notifier.queue.rabbitmq.dead_letters import Sweep
from notifier.queue.rabbitmq.declaring import declare_all, declare_missing, report_missing
from notifier.queue.rabbitmq.frames import Publish
from notifier.queue.rabbitmq.gauge import Gauge
from notifier.queue.rabbitmq.publisher import RabbitPublisher
from notifier.queue.rabbitmq.refusing import Refusals


@asynccontextmanager
async def open_rabbit_queue(
    url: str,
    settings: RabbitSettings,
    clock: Clock,
    *,
    search: Search = Search(),  # noqa: B008 - frozen
) -> AsyncIterator["RabbitQueue"]:
    """Open the queue on the broker or brokers at `url`.

    Its subscriptions and connections are closed at the end.

    A broker that is away is no error: it is looked for in the background.
    """
    prepare = partial(
        declare_missing if settings.declare else report_missing, settings.call_timeout_s
    )
    connection = partial(Connection, url, settings=settings, prepare=prepare, search=search)
    publishing, consuming = connection(purpose="publish"), connection(purpose="consume")
    running = {asyncio.create_task(each.run()) for each in (publishing, consuming)}
    publisher = RabbitPublisher(
        publishing,
        timeout_s=settings.publish_timeout_s,
        declare=partial(declare_all, settings.call_timeout_s) if settings.declare else None,
        refusals=Refusals(consuming),
    )
    queue = RabbitQueue(publisher, consuming, settings, clock)
    try:
        await asyncio.gather(publishing.tried(), consuming.tried())
        yield queue
    finally:
        await queue.close()
        for task in running:
            task.cancel()
        await asyncio.wait(running)


class RabbitQueue:
    """The message broker. Made by `open_rabbit_queue`."""

    def __init__(
        self,
        publisher: RabbitPublisher,
        consuming: Connection,
        settings: RabbitSettings,
        clock: Clock,
    ) -> None:
        self._publisher = publisher
        self._consuming = consuming
        self._gauge = Gauge(settings.call_timeout_s)
        self._settings = settings
        self._clock = clock
        self._name = uuid4().hex
        self._numbers = count(1)
        self._subscriptions: list[RabbitSubscription] = []

    async def publish(self, envelopes: Sequence[Envelope]) -> Sequence[PublishError | None]:
        return await self._send(topology.WORK_EXCHANGE, envelopes)

    async def bury(self, envelopes: Sequence[Envelope]) -> Sequence[PublishError | None]:
        return await self._send(topology.DEAD_EXCHANGE, envelopes)

    async def subscribe(
        self, channel: Channel, lane: Lane, handler: Handler, *, consumers: int
    ) -> RabbitSubscription:
        source = Source(
            channel=channel,
            lane=lane,
            handler=handler,
            backoff=Backoff(),
            publisher=self._publisher,
        )
        subscription = RabbitSubscription(
            self._consuming, source, self._settings, self._gauge, consumers
        )
        self._subscriptions.append(subscription)
        return subscription

    async def depths(self) -> Sequence[QueueDepth]:
        with _no_refusals():
            specs = topology.QUEUES.values()
            found = [await self._gauge.read(self._connection(), spec) for spec in specs]
        return [depth for depth in found if depth is not None]

    async def depth(self, channel: Channel, lane: Lane) -> QueueDepth | None:
        with _no_refusals():
            spec = topology.QUEUES[topology.work_queue(channel, lane)]
            return await self._gauge.read(self._connection(), spec)

    async def sweep_dead(
        self,
        channel: Channel,
        stale: Callable[[Sequence[Envelope]], Awaitable[Collection[Envelope]]],
    ) -> Sequence[Envelope]:
        timeout_s = self._settings.call_timeout_s
        with _no_refusals():
            sweep = Sweep(self._connection(), channel, self._publisher, timeout_s)
            return await sweep.remove(stale)

    async def ping(self) -> None:
        with _no_refusals():
            try:
                await self._gauge.ask(self._connection(), _look_for_exchange)
            except ChannelNotFoundEntity as error:
                raise QueueUnavailableError(
                    f"there is no exchange {topology.WORK_EXCHANGE}; run: notifier topology apply"
                ) from error

    async def prove(self) -> None:
        nowhere = Envelope(id=UUID(int=0), channel=Channel.EMAIL, lane=Lane.BULK, attempt=0)
        probe = self._message(topology.WORK_EXCHANGE, nowhere, int(self._clock.now().timestamp()))
        probe = replace(probe, routing_key=topology.NOWHERE)
        if problem := await self._publisher.prove(probe, self._lacking):
            raise QueueUnavailableError(problem)

    async def close(self) -> None:
        """End all subscriptions and publishing."""
        closing = [subscription.close() for subscription in self._subscriptions]
        await asyncio.gather(*closing, self._publisher.close())

    async def _lacking(self) -> str | None:
        """Say which queues are missing."""
        try:
            found = {each.name for each in await self.depths()}
        except QueueUnavailableError as error:
            return str(error)
        missing = ", ".join(name for name in topology.QUEUES if name not in found)
        return f"there is no queue {missing}; run: notifier topology apply" if missing else None

    async def _send(
        self, exchange: str, envelopes: Sequence[Envelope]
    ) -> Sequence[PublishError | None]:
        sent_at_s = int(self._clock.now().timestamp())
        messages = [self._message(exchange, each, sent_at_s) for each in envelopes]
        return await self._publisher.send(messages)

    def _message(self, exchange: str, envelope: Envelope, sent_at_s: int) -> Publish:
        message_id = f"{self._name}-{next(self._numbers)}"
        return Publish(
            id=message_id,
            exchange=exchange,
            routing_key=topology.routing_key(envelope.channel, envelope.lane),
            properties=codec.properties(envelope, message_id=message_id, sent_at_s=sent_at_s),
            body=codec.encode(envelope),
        )

    def _connection(self) -> AbstractConnection:
        connection = self._consuming.current
        if connection is None:
            raise QueueUnavailableError(f"the broker is away: {self._consuming.problem}")
        return connection


async def _look_for_exchange(channel: AbstractChannel) -> AbstractExchange:
    return await channel.declare_exchange(topology.WORK_EXCHANGE, passive=True)


@contextmanager
def _no_refusals() -> Iterator[None]:
    try:
        yield
    except AMQPChannelError as error:
        raise QueueUnavailableError(f"the broker refused: {reasons.of_refusal(error)}") from error
