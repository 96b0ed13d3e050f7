"""What travels through the queue, and what becomes of it."""

from enum import StrEnum
from uuid import UUID

from notifier.notification.model import Channel, Lane
from notifier.value import value


@value
class Envelope:
    """What travels through the queue: enough to claim a notification, nothing to read in it.

    `attempt` is the record's attempt number at the time of publishing; a claim succeeds only
    while they agree, so an old or doubled envelope does nothing.
    """

    id: UUID
    channel: Channel
    lane: Lane
    attempt: int
    traceparent: str | None = None


class Settlement(StrEnum):
    """What becomes of a message in the queue once its envelope was handled."""

    ACK = "ack"
    """Done with: remove it."""
    REQUEUE = "requeue"
    """Not touched: give it back."""
    CRASHED = "crashed"
    """Its handling came to grief: give it back, and count that."""
    BURY = "bury"
    """Nobody can do anything with it: into the dead queue."""
