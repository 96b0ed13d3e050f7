"""Messages that went back so often that the broker's delivery limit is near, made anew.

Where a broker counts what is given back untouched (before RabbitMQ 4.3), a message that waits
through many deployments, or a letter through many sweeps, would go as if it killed its consumers.
"""

from collections.abc import Mapping
from uuid import uuid4

from pamqp.commands import Basic

from notifier.queue.rabbitmq.frames import Publish

WORN_DELIVERIES = 10
"""Half of the limit of work queues, and of RabbitMQ 4's own where a policy is missing."""
_BROKER_HEADERS = frozenset({"x-acquired-count", "x-death", "x-delivery-count"})


def is_worn(headers: Mapping[str, object] | None) -> bool:
    """Whether a message with these headers should not go back as it is."""
    counted = (headers or {}).get("x-delivery-count")
    return isinstance(counted, int) and counted >= WORN_DELIVERIES


def renewed(
    properties: Basic.Properties, body: bytes, *, exchange: str, routing_key: str
) -> Publish:
    """Return the same message, as one that was never delivered; `properties` is changed."""
    properties.headers = {
        name: value
        for name, value in (properties.headers or {}).items()
        if name not in _BROKER_HEADERS
    }
    properties.message_id = properties.message_id or uuid4().hex
    return Publish(
        id=properties.message_id,
        exchange=exchange,
        routing_key=routing_key,
        properties=properties.marshal(),
        body=body,
    )
