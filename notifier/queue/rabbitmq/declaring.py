"""Making or looking for exchanges and queues over an open connection of the service."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPChannelError
from pamqp.common import FieldTable

from notifier.queue import topology
from notifier.queue.rabbitmq import reasons
from notifier.queue.rabbitmq.connection import bounded, open_channel
from notifier.queue.topology import QueueSpec

log = structlog.get_logger(__name__)

Step: TypeAlias = Callable[[AbstractChannel, float], Awaitable[None]]


async def declare_missing(timeout_s: float, connection: AbstractConnection) -> None:
    """Make everything if anything is missing.

    A look first: it asks the node that it is connected to, while a binding, even one that is there,
    waits for all nodes of a cluster, and so for one that hangs.

    Raises:
        QueueUnavailableError: the broker does not answer.
    """
    if await _missing(timeout_s, connection):
        await declare_all(timeout_s, connection)


async def declare_all(timeout_s: float, connection: AbstractConnection) -> None:
    """Make everything, bindings too. What exists otherwise than declared is logged and left alone.

    Raises as `declare_missing` does.
    """
    steps: dict[str, Step] = {name: partial(_declare_exchange, name) for name in topology.EXCHANGES}
    steps |= {spec.name: partial(declare_queue, spec) for spec in topology.QUEUES.values()}
    for name, reason in await _failed(steps, timeout_s, connection):
        log.warning("topology.not_declared", name=name, reason=reason)


async def report_missing(timeout_s: float, connection: AbstractConnection) -> None:
    """Log what is missing. Raises as `declare_missing` does."""
    for name in await _missing(timeout_s, connection):
        log.error("topology.missing", name=name, remedy="notifier topology apply")


async def declare_queue(spec: QueueSpec, channel: AbstractChannel, timeout_s: float) -> None:
    """Make a queue and its bindings; idempotent. Raises as `bounded` does."""
    arguments: FieldTable = {**topology.QUEUE_ARGUMENTS}
    call = channel.declare_queue(spec.name, durable=True, arguments=arguments)
    queue = await bounded(call, timeout_s)
    for key in spec.routing_keys:
        await bounded(queue.bind(spec.exchange, key), timeout_s)


async def _missing(timeout_s: float, connection: AbstractConnection) -> Sequence[str]:
    steps: dict[str, Step] = {name: partial(_find_exchange, name) for name in topology.EXCHANGES}
    steps |= {name: partial(_find_queue, name) for name in topology.QUEUES}
    return [name for name, _ in await _failed(steps, timeout_s, connection)]


async def _failed(
    steps: dict[str, Step], timeout_s: float, connection: AbstractConnection
) -> Sequence[tuple[str, str]]:
    """Take all steps, a new channel after each refusal; the names of those refused, and why."""
    waiting, failed = list(steps), []
    while waiting:
        async with open_channel(connection, timeout_s) as channel:
            try:
                while waiting:
                    await steps[waiting[0]](channel, timeout_s)
                    waiting.pop(0)
            except AMQPChannelError as error:
                failed.append((waiting.pop(0), reasons.of_refusal(error)))
    return failed


async def _declare_exchange(name: str, channel: AbstractChannel, timeout_s: float) -> None:
    call = channel.declare_exchange(name, topology.EXCHANGE_TYPE, durable=True)
    await bounded(call, timeout_s)


async def _find_exchange(name: str, channel: AbstractChannel, timeout_s: float) -> None:
    await bounded(channel.declare_exchange(name, passive=True), timeout_s)


async def _find_queue(name: str, channel: AbstractChannel, timeout_s: float) -> None:
    await bounded(channel.declare_queue(name, passive=True), timeout_s)
