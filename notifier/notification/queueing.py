"""The queue: the message broker, as the core sees it."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Protocol, TypeAlias

from notifier.errors import PublishError
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane

WorkQueue: TypeAlias = tuple[Channel, Lane]
"""Which work queue."""

WORK_QUEUES: Final[Sequence[WorkQueue]] = tuple(product(Channel, Lane))
"""All work queues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """Messages ready in one queue; `lane` is None for a channel's dead queue.

    Each of `consumers` may hold one message more, which is not ready.
    """

    name: str
    channel: Channel
    lane: Lane | None
    ready: int
    consumers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMembers:
    """The nodes that hold one queue, those of them that run, and the one that leads it, if any."""

    name: str
    leader: str | None
    members: Sequence[str]
    online: Sequence[str]


Handler: TypeAlias = Callable[[Envelope], Awaitable[Settlement]]


class Subscription(Protocol):
    """Consumers of one queue."""

    async def pause(self) -> None:
        """Take no more messages; those being handled go on."""

    async def resume(self) -> None:
        """Take messages again after a pause."""

    async def close(self) -> None:
        """End. Messages still being handled go back to the queue."""

    def problem(self) -> str | None:
        """Why it no longer consumes although it should, or None."""


class Queue(Protocol):
    """The message broker. Messages are hints: the database knows the truth."""

    async def publish(self, envelopes: Sequence[Envelope]) -> Sequence[PublishError | None]:
        """Put them into their work queues.

        For each, in their order: None once it is confirmed, or why it may not be there.
        """

    async def bury(self, envelopes: Sequence[Envelope]) -> Sequence[PublishError | None]:
        """Put them into the dead queues of their channels; answers as `publish` does."""

    async def subscribe(
        self, channel: Channel, lane: Lane, handler: Handler, *, consumers: int
    ) -> Subscription:
        """Start `consumers` prefetch-1 consumers, each handling one message at a time.

        An unparsable message goes to the dead queue and never reaches `handler`. A handler
        that raises or is cancelled requeues its message.
        """

    async def depths(self) -> Sequence[QueueDepth]:
        """How many messages each queue holds; a queue that does not exist is left out."""

    async def depth(self, channel: Channel, lane: Lane) -> QueueDepth | None:
        """How many messages a work queue holds; None if it does not exist."""

    async def sweep_dead(
        self,
        channel: Channel,
        stale: Callable[[Sequence[Envelope]], Awaitable[Collection[Envelope]]],
    ) -> Sequence[Envelope]:
        """Remove from the channel's dead queue the letters that `stale` picks; returns them.

        Of letters that are for the same notification and attempt all but one are removed, too.
        Letters of another channel are moved to its dead queue.
        Every other message, unparsable ones too, stays.
        """

    async def ping(self) -> None:
        """Return if the broker answers; raises QueueUnavailableError."""

    async def prove(self) -> None:
        """Return if the broker takes messages.

        What became of the last ones is believed; where that was bad or long ago, one that goes
        nowhere is tried. Raises QueueUnavailableError with the broker's words for it, which hold
        no value of ours.
        """
