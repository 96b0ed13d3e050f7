"""What delivering asks of the database and of providers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias
from uuid import UUID

from notifier.idempotency import NotFound
from notifier.notification.envelope import Envelope
from notifier.notification.mail import MailDetails
from notifier.notification.model import (
    Addressee,
    Channel,
    JsonValue,
    Lane,
    Message,
    OnUnknown,
    Pin,
)
from notifier.notification.orders import Erased
from notifier.notification.origin import Unless
from notifier.notification.outcomes import Fault, Outcome, SuppressionReason
from notifier.notification.queueing import WORK_QUEUES, QueueDepth, WorkQueue
from notifier.notification.transitions import Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A notification under lease, with what a worker needs to hand it over.

    `attempt` is the number of this attempt (it fences); `attempts_spent` how many count against
    the limit, this one included; `expires_in_s` the time left at the claim, by the database's
    clock, None for no limit.
    """

    id: UUID
    service: str
    channel: Channel
    lane: Lane
    recipient: str
    content: str | None
    subject: str | None
    html: str | None
    variables: Mapping[str, JsonValue] | None
    sensitive: bool
    attempt: int
    attempts_spent: int
    lease_token: UUID
    expires_in_s: float | None
    metadata: Mapping[str, str] | None = None
    on_unknown: OnUnknown | None = None
    traceparent: str | None = None
    template: Pin | None = None
    """What holds its content, where it has none of its own."""
    is_finished: bool = False
    """Whether braces in its own are just braces."""
    mail: MailDetails | None = None
    action_url: str | None = None
    addressee: Addressee | None = None
    unless: Unless | None = None
    """What keeps it from being sent."""
    is_sealed: bool = False
    """Whether its content is there, under a key that is not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snoozes:
    """How often, and for how long, a notification was put off for a systemic reason.

    `in_all_s` counts from the first time that it was put off for whatever reason, but that an
    operator paused its provider.
    """

    count: int = 0
    for_s: float = 0.0
    """Since the first of them; 0 where there was none."""
    in_all_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A provider that was tried, or not even asked, before another one in the same attempt."""

    provider: str
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The end of one attempt, as it is to be recorded.

    `delay_s` is set for transitions back to pending: how long until the next attempt is due.
    `misses` go to the timeline as `failover`, in their order; `suppress_as` puts the recipient on
    its service's suppression list.
    """

    id: UUID
    lease_token: UUID
    attempt: int
    transition: Transition
    provider: str
    provider_id: str | None = None
    fault: Fault | None = None
    delay_s: float | None = None
    outcome_unknown: bool = False
    misses: tuple[Miss, ...] = ()
    suppress_as: "SuppressionReason | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RescuePolicy:
    """What a channel wants for a notification whose lease ended.

    The first time it is due at once. After that it waits up to `spread_s` at random for each
    earlier attempt, so that one that kills its worker does not meet the same others again.
    """

    max_attempts: int
    on_unknown: OnUnknown
    spread_s: float = 10


Unclaimed: TypeAlias = NotFound | Erased
"""Why nothing will ever be claimed for an envelope."""


class Leases(Protocol):
    """Attempts, each under a lease. All times are the database's own."""

    async def claim(
        self, envelope: Envelope, *, lease_token: UUID, lease_s: float, leased_by: str
    ) -> Claimed | Unclaimed | None:
        """CLAIM what `envelope` names, after a REPLAY where it is failed.

        An overdue one becomes expired instead, and one whose recipient came onto the suppression
        list meanwhile suppressed. None: nothing to do for this envelope. NotFound: there is no
        such notification, and its id is kept among the unknown ones. Erased: it is the dead
        letter of what cannot be sent again.
        """

    async def finish(self, finish: Finish) -> bool:
        """Record the end of an attempt, guarded by its lease token.

        Erases the content of a sensitive notification at its final state. False: the lease was
        no longer ours, and only a `late_completion` was added to the timeline.
        """

    async def redirect(self, claimed: Claimed, recipient: str) -> bool:
        """Let a claimed notification go to another address, in its channel's normal form.

        False: nothing is to be sent there, for that is on the suppression list, or the lease is
        no longer ours.
        """

    async def snoozes(self, id: UUID) -> Snoozes:
        """How often it was put off for a systemic reason, since its acceptance or last replay."""


class Fates(Protocol):
    """What has become of notifications that others wait for."""

    async def has_come(self, unless: Unless) -> bool:
        """Whether that has become of the notification by now; False if it is gone."""


class Upkeep(Protocol):
    """What is due, lost, abandoned or overdue. All times are the database's own."""

    async def due_queues(self, lanes: Collection[Lane] = tuple(Lane)) -> Sequence[WorkQueue]:
        """Work queues of these lanes that something is due for, high lanes first."""

    async def take_due(
        self, limit: int, *, hold_s: float, queues: Collection[WorkQueue] = WORK_QUEUES
    ) -> Sequence[Envelope]:
        """Pending notifications that are due and not in the broker, each given to one relay.

        High lanes come first, and of each queue services get equal shares: with less than
        `limit` there may be more. Those whose recipient came onto the suppression list meanwhile
        are suppressed instead. They come up again after `hold_s` unless they were marked as
        published.
        """

    async def take_lost(
        self, limit: int, *, hold_s: float, empty: Collection[tuple[Channel, Lane]]
    ) -> Sequence[Envelope]:
        """Published a while ago, never claimed, and their queue (in `empty`) holds none.

        A consumer may hold them all the same: each comes up ever more rarely, as often as it is
        published again.
        """

    async def unpublish_missing(self, limit: int, *, queue: QueueDepth) -> int:
        """Forget that those of a work queue are in the broker, where more were than are there.

        More than `queue` and its consumers can hold, published a while before it was looked at:
        some are lost. Which ones nobody knows, so up to `limit` come up for publishing again,
        and at most as many of them as are held are doubled. Returns how many.
        """

    async def rescue(self, limit: int, policies: Mapping[Channel, RescuePolicy]) -> int:
        """RESCUE, or FAIL, notifications whose lease ended; returns how many.

        They are marked as of unknown outcome. Those out of attempts, or of a channel whose
        policy is to hold, fail.
        """

    async def end_leases(self, leased_by: str) -> int:
        """End at once the leases of a worker that died; returns how many."""

    async def expire(self, limit: int) -> int:
        """EXPIRE pending notifications whose time has passed; returns how many."""

    async def unpublish(self, limit: int) -> int:
        """Forget that these are in the broker, which lost it all; returns how many it were.

        Whatever is pending and due is up for publishing again.
        """


class DeadLetters(Protocol):
    """Failed notifications, and the letters in dead queues that stand for them."""

    async def take_unburied(self, limit: int, *, hold_s: float) -> Sequence[Envelope]:
        """Failed notifications that have no dead letter yet, each given to one relay.

        One that was to be buried before may get a second letter: its channel is to be swept.
        """

    async def channels_with_stale_dead_letters(self) -> Collection[Channel]:
        """Channels whose dead queue may hold a letter too many.

        That is one of a notification that is failed no more, or a second one of the same failure.
        """

    async def recall(self, letters: Sequence[Envelope]) -> int:
        """Bring back what is pending although these, its messages, lie in a dead queue.

        Returns how many it were. RECALL makes it due for publishing, as another attempt, so that
        its letter becomes stale, however often the broker gives it up: nobody took it, or it
        would have been claimed.
        """

    async def stale_dead_letters(self, envelopes: Sequence[Envelope]) -> Collection[Envelope]:
        """Those of `envelopes`, found in a dead queue, whose notification is not failed.

        That of no notification at all is the only trace of what the database lost, and is not
        stale: its id is kept among the unknown ones.
        """

    async def mark_unburied(self, channel: Channel, envelopes: Sequence[Envelope]) -> None:
        """Record a whole sweep of the channel's dead queue, which removed these letters.

        Letters that were stale long before and were not found are looked for no more.
        """


class ChannelAdapter(Protocol):
    """Hands messages to one provider. Knows neither the database nor the queue."""

    @property
    def provider(self) -> str:
        """The provider's name, such as smtp or twilio."""

    async def send(self, message: Message) -> Outcome:
        """Hand over one message and say what came of it; a value, never an exception.

        Ends within the adapter's own time-out. Sending the same message again is recognisable
        to the receiver wherever the provider's protocol allows it.
        """

    async def close(self) -> None:
        """Give back connections."""
