"""Why the broker refuses a message, as far as its queue's depth tells."""

from collections.abc import Sequence

from aio_pika.exceptions import AMQPChannelError

from notifier.errors import QueueUnavailableError
from notifier.notification.queueing import QueueDepth
from notifier.queue import topology
from notifier.queue.rabbitmq.connection import Connection
from notifier.queue.rabbitmq.frames import Publish
from notifier.queue.rabbitmq.gauge import Gauge
from notifier.queue.topology import QueueSpec

_REFUSED = "the broker refused the message"
_TIMEOUT_S = 1.0


class Refusals:
    """Asks on `connection`, on which the broker reads although it blocks those that publish."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._gauge = Gauge(_TIMEOUT_S)

    async def reasons(self, refused: Sequence[Publish]) -> dict[Publish, str]:
        """Say of each message why it was refused; each queue is asked once."""
        told = {spec: why_refused(await self._depth(spec)) for spec in {*map(_queue_of, refused)}}
        return {message: told[_queue_of(message)] for message in refused}

    async def _depth(self, spec: QueueSpec | None) -> QueueDepth | None:
        connection = self._connection.current
        if spec is None or connection is None:
            return None
        try:
            return await self._gauge.read(connection, spec)
        except (QueueUnavailableError, AMQPChannelError):
            return None


def why_refused(depth: QueueDepth | None) -> str:
    """Say why a queue with this depth, None if it is not known, takes no message.

    A queue without a leader counts as empty. Where it is full otherwise is the policy's to say:
    an operator's may have a lower limit than ours.
    """
    if depth is not None and depth.ready >= topology.MAX_LENGTH:
        return f"{_REFUSED}: its queue is full"
    if depth is not None and not depth.ready:
        return f"{_REFUSED}: its queue has lost its leader"
    return f"{_REFUSED}: its queue is full, or has lost its leader"


def _queue_of(message: Publish) -> QueueSpec | None:
    return next(
        (
            spec
            for spec in topology.QUEUES.values()
            if spec.exchange == message.exchange and message.routing_key in spec.routing_keys
        ),
        None,
    )
