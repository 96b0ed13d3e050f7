"""What notifier needs on the broker, as data: exchanges, queues, bindings and policies.

Every entity is durable and every queue a quorum queue. That is a queue's only argument, because
arguments cannot be changed later; everything else is a policy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from notifier.notification.model import Channel, Lane
from notifier.notification.queueing import QueueDepth

WORK_EXCHANGE = "notifications"
DEAD_EXCHANGE = "notifications.dead"
EXCHANGES = (WORK_EXCHANGE, DEAD_EXCHANGE)
EXCHANGE_TYPE = "direct"
NOWHERE = "nowhere"
"""The routing key of the probe: no queue is bound with it."""

QUEUE_ARGUMENTS: Mapping[str, str] = MappingProxyType({"x-queue-type": "quorum"})

MAX_LENGTH = 1_000_000
DELIVERY_LIMIT = 20
"""Deliveries of one message that fail before it is dead-lettered, and the relay makes it anew.

They are no attempts, which are counted in the database: most fail as their consumers are lost.
"""
UNLIMITED_DELIVERIES = 1_000_000_000
"""RabbitMQ 4 drops a message after 20 deliveries by default; -1 (no limit) is refused by 3.10."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSpec:
    """A queue and the keys that bind it to its exchange; a dead queue has no one lane."""

    name: str
    channel: Channel
    lane: Lane | None
    exchange: str
    routing_keys: tuple[str, ...]

    def depth(self, ready: int, consumers: int) -> QueueDepth:
        """The depth of this queue when it holds `ready` messages and has so many consumers."""
        return QueueDepth(
            name=self.name,
            channel=self.channel,
            lane=self.lane,
            ready=ready,
            consumers=consumers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy for the queues whose names match `pattern`; valid on RabbitMQ 3.10 and 4.

    Nothing goes wrong without its `preferences`, as an older version's policy has none.
    """

    name: str
    pattern: str
    definition: Mapping[str, str | int]
    preferences: Mapping[str, str | int]
    priority: int = 10
    apply_to: str = "queues"


def routing_key(channel: Channel, lane: Lane) -> str:
    """The key of `channel` and `lane`, on either exchange."""
    return f"{channel.value}.{lane.value}"


def work_queue(channel: Channel, lane: Lane) -> str:
    """The name of the queue that consumers of `channel` and `lane` read."""
    suffix = "" if lane is Lane.NORMAL else f".{lane.value}"
    return f"{channel.value}_notifications{suffix}"


def dead_queue(channel: Channel) -> str:
    """The name of the queue that holds the dead letters of all lanes of `channel`."""
    return f"{channel.value}_notifications.dead"


def lane_of(key: str) -> Lane:
    """The lane that a routing key, or the name of a work queue, stands for; else normal."""
    return _LANES.get(key, Lane.NORMAL)


def _work_spec(channel: Channel, lane: Lane) -> QueueSpec:
    return QueueSpec(
        name=work_queue(channel, lane),
        channel=channel,
        lane=lane,
        exchange=WORK_EXCHANGE,
        routing_keys=(routing_key(channel, lane),),
    )


def _dead_spec(channel: Channel) -> QueueSpec:
    """The keys are also the work queues' names.

    What an operator moves into a queue carries its name as key, and keeps it when dead-lettered;
    with no binding for it the message would be stuck in its queue, shown nowhere.
    """
    keys = [name(channel, lane) for name in (routing_key, work_queue) for lane in Lane]
    return QueueSpec(
        name=dead_queue(channel),
        channel=channel,
        lane=None,
        exchange=DEAD_EXCHANGE,
        routing_keys=tuple(keys),
    )


WORK_QUEUES = tuple(_work_spec(channel, lane) for channel in Channel for lane in Lane)
DEAD_QUEUES = tuple(_dead_spec(channel) for channel in Channel)
QUEUES: Mapping[str, QueueSpec] = MappingProxyType(
    {spec.name: spec for spec in (*WORK_QUEUES, *DEAD_QUEUES)}
)

_LANES: Mapping[str, Lane] = MappingProxyType(
    {
        name(channel, lane): lane
        for name in (routing_key, work_queue)
        for channel in Channel
        for lane in Lane
    }
)
_CHANNELS = "|".join(channel.value for channel in Channel)
QUEUE_PATTERN = rf"^({_CHANNELS})_notifications(\.high|\.bulk|\.dead)?$"
"""Matches all of the queues, and none of others."""
_SPREAD_LEADERS: Mapping[str, str | int] = MappingProxyType({"queue-leader-locator": "balanced"})
"""A queue is led by the node with the fewest leaders, and not by the one that declares them all."""

POLICIES = (
    Policy(
        name="notifier-work",
        pattern=rf"^({_CHANNELS})_notifications(\.high|\.bulk)?$",
        definition=MappingProxyType(
            {
                "dead-letter-exchange": DEAD_EXCHANGE,
                "dead-letter-strategy": "at-least-once",
                "overflow": "reject-publish",
                "max-length": MAX_LENGTH,
                "delivery-limit": DELIVERY_LIMIT,
            }
        ),
        preferences=_SPREAD_LEADERS,
    ),
    Policy(
        name="notifier-dead",
        pattern=rf"^({_CHANNELS})_notifications\.dead$",
        definition=MappingProxyType(
            {
                "overflow": "reject-publish",
                "max-length": MAX_LENGTH,
                "delivery-limit": UNLIMITED_DELIVERIES,
            }
        ),
        preferences=_SPREAD_LEADERS,
    ),
)
