"""What events need on the broker, as data; nothing of it is there unless events are bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from notifier.queue.topology import DELIVERY_LIMIT, MAX_LENGTH, UNLIMITED_DELIVERIES, Policy

EXCHANGE: Final = "events"
EXCHANGE_TYPE: Final = "topic"
QUEUE: Final = "notifier.events"
DEAD_QUEUE: Final = "notifier.events.dead"
REASON_HEADER: Final = "x-notifier-reason"
USER_HEADER: Final = "x-notifier-user"
"""Who published what was refused: only believed of messages that went by the default exchange."""
DEFAULT_EXCHANGE: Final = ""
_SPREAD: Mapping[str, str | int] = MappingProxyType({"queue-leader-locator": "balanced"})


@dataclass(frozen=True, slots=True)
class EventQueueSpec:
    """A queue and what binds it to its exchange."""

    name: str
    exchange: str
    routing_keys: Sequence[str]


def queue_specs(bindings: Sequence[str]) -> Sequence[EventQueueSpec]:
    """Return the queues, the first of which gets what is published with these patterns."""
    return (
        EventQueueSpec(QUEUE, EXCHANGE, bindings),
        EventQueueSpec(DEAD_QUEUE, DEFAULT_EXCHANGE, ()),
    )


POLICIES = (
    Policy(
        name="notifier-events",
        pattern=r"^notifier\.events$",
        definition=MappingProxyType(
            {
                "dead-letter-exchange": DEFAULT_EXCHANGE,
                "dead-letter-routing-key": DEAD_QUEUE,
                "dead-letter-strategy": "at-least-once",
                "overflow": "reject-publish",
                "max-length": MAX_LENGTH,
                "delivery-limit": DELIVERY_LIMIT,
            }
        ),
        preferences=_SPREAD,
    ),
    Policy(
        name="notifier-events-dead",
        pattern=r"^notifier\.events\.dead$",
        definition=MappingProxyType(
            {
                "overflow": "reject-publish",
                "max-length": MAX_LENGTH,
                "delivery-limit": UNLIMITED_DELIVERIES,
            }
        ),
        preferences=_SPREAD,
    ),
)
