"""Events that were refused: looking at them, and putting them back.

Synchronous, for commands.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from notifier.queue.rabbitmq import event_entities as entities
from notifier.queue.rabbitmq.topology import connected

_BY_THE_BROKER = "delivered too often: whoever took it ended each time"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLetter:
    """An event that was refused: who published it, as far as is known, and why it was refused."""

    user: str | None
    reason: str
    bytes: int


def refused_events(amqp_url: str, *, limit: int) -> Sequence[EventLetter]:
    """Return the first of those that were refused; they stay where they are.

    Raises:
        QueueUnavailableError: the broker does not answer, or has no such queue.
    """
    with connected(amqp_url) as connection:
        channel = connection.channel()
        # What was looked at goes back when the channel closes.
        return [_letter(properties, body) for _, properties, body in _first(channel, limit)]


def replay_events(amqp_url: str, *, limit: int) -> int:
    """Put the first of those that were refused back into the queue; returns how many.

    One whose return is not confirmed stays refused; killed in between, it may be in both places,
    and is taken once all the same.

    Raises as `refused_events`.
    """
    with connected(amqp_url) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        replayed = 0
        for tag, properties, body in _first(channel, limit):
            channel.basic_publish(
                entities.DEFAULT_EXCHANGE, entities.QUEUE, body, _again(properties), mandatory=True
            )
            channel.basic_ack(tag)
            replayed += 1
        return replayed


def _first(channel: BlockingChannel, limit: int) -> Iterator[tuple[int, Any, bytes]]:
    """Yield those that are there now, at most so many."""
    there = channel.queue_declare(entities.DEAD_QUEUE, passive=True).method.message_count
    for _ in range(min(there, limit)):
        method, properties, body = channel.basic_get(entities.DEAD_QUEUE)
        if method is None:
            return
        yield method.delivery_tag, properties, body


def _letter(properties: Any, body: bytes) -> EventLetter:
    headers: Mapping[str, Any] = properties.headers or {}
    user = headers.get(entities.USER_HEADER) or properties.user_id
    reason = headers.get(entities.REASON_HEADER)
    return EventLetter(user=user, reason=str(reason or _BY_THE_BROKER), bytes=len(body))


def _again(properties: Any) -> pika.BasicProperties:
    headers = dict(properties.headers or {})
    user = headers.get(entities.USER_HEADER) or properties.user_id
    kept = {
        name: value
        for name, value in headers.items()
        if name != entities.REASON_HEADER and not name.startswith("x-death")
    }
    named = {entities.USER_HEADER: user} if user else {}
    return pika.BasicProperties(
        content_type=properties.content_type,
        headers={**kept, **named},
        delivery_mode=2,
        message_id=properties.message_id,
    )
