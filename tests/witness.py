"""An independent witness of what a broker holds: pika, which the service does not speak with."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pika

from tests.patience import AT_ALL_S


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it lies in a queue."""

    body: bytes
    routing_key: str
    properties: Any


class Witness:
    """Looks into a broker's queues, and does there what anybody may do."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._channel = connection.channel()
        self._channel.confirm_delivery()

    def put(self, queue: str, body: bytes, headers: dict[str, object] | None = None) -> None:
        """Publish raw bytes to `queue`."""
        properties = pika.BasicProperties(delivery_mode=2, headers=headers)
        self._channel.basic_publish("", queue, body, properties, mandatory=True)

    def ready(self, queue: str) -> int:
        """How many messages of `queue` are ready."""
        return int(self._declared(queue).message_count)

    def consumers(self, queue: str) -> int:
        """How many consumers `queue` has."""
        return int(self._declared(queue).consumer_count)

    def queues(self, names: list[str]) -> set[str]:
        """Those of `names` that exist."""
        found = set()
        for name in names:
            channel = self._connection.channel()
            with contextlib.suppress(pika.exceptions.ChannelClosedByBroker):
                channel.queue_declare(name, passive=True)
                found.add(name)
                channel.close()
        return found

    def take(self, queue: str) -> list[Letter]:
        """Take all messages out of `queue`, in order."""
        taken: list[Letter] = []
        while True:
            method, properties, body = self._channel.basic_get(queue, auto_ack=True)
            if method is None:
                return taken
            taken.append(Letter(body, method.routing_key, properties))

    def look(self, queue: str) -> int:
        """Look at the first message of `queue`: how often it was delivered in vain before.

        That is one time more.
        """
        method, properties, _ = self._channel.basic_get(queue)
        self._channel.basic_nack(method.delivery_tag, requeue=True)
        return int((properties.headers or {}).get("x-delivery-count", 0))

    def refuse(self, queue: str) -> bool:
        """Take a message of `queue` and put it back as a failed delivery; False without one."""
        method, _, _ = self._channel.basic_get(queue)
        if method is None:
            return False
        self._channel.basic_reject(method.delivery_tag, requeue=True)
        return True

    def declare(self, queue: str, **arguments: object) -> None:
        """Make a durable queue with these arguments, with - for _."""
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        self._channel.queue_declare(queue, durable=True, arguments=named)

    def delete(self, queue: str) -> None:
        """Delete `queue`."""
        self._channel.queue_delete(queue)

    def delete_exchange(self, exchange: str) -> None:
        """Delete `exchange`."""
        self._channel.exchange_delete(exchange)

    def _declared(self, queue: str) -> Any:
        return self._channel.queue_declare(queue, passive=True).method


@contextlib.contextmanager
def witness_of(amqp_url: str) -> Iterator[Witness]:
    """A witness of the virtual host at `amqp_url`."""
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    try:
        yield Witness(connection)
    finally:
        if connection.is_open:
            connection.close()


async def until(holds: Callable[[], bool], *, timeout_s: float = AT_ALL_S) -> None:
    """Wait until `holds`: brokers settle things in their own time."""
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110 - the broker sends no event
            await asyncio.sleep(0.02)
