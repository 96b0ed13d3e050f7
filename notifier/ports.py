"""The interfaces between the core and the outside: the only documentation of the adapters.

Methods that talk to the database raise `StoreUnavailableError` within a bounded time when it
does not answer, those that talk to the broker `QueueUnavailableError` or `PublishError`.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import Final, Literal, Protocol, TypeAlias
from uuid import UUID

from notifier.errors import PublishError
from notifier.notification.model import (
    Channel,
    Claimed,
    Envelope,
    Finish,
    Lane,
    Message,
    Notification,
    OnUnknown,
    Outcome,
    Receipt,
    Settlement,
    Snoozes,
    Status,
    Submission,
    Suppression,
    SuppressionReason,
    TimelineEntry,
    Transition,
)

# --- the database ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """A client's Idempotency-Key, and the answer to keep with the effect of its request.

    `fingerprint` tells one request from another; `answer` is opaque to the store.
    """

    service: str
    key: str
    fingerprint: str
    answer: str


@dataclass(frozen=True, slots=True)
class Applied:
    """The change was made, and its answer is kept.

    `suppressed` are those of inserted notifications that will not be sent.
    """

    suppressed: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Remembered:
    """This key was used for the same request before: this was the answer."""

    answer: str


@dataclass(frozen=True, slots=True)
class KeyReused:
    """This key was used before, for another request. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The notification's status does not allow the change. Nothing was changed."""

    status: Status


@dataclass(frozen=True, slots=True)
class Unfinished:
    """It was a lot: a part of it is done, and asking again goes on with the rest."""

    left: int


@dataclass(frozen=True, slots=True)
class NotFound:
    """There is no such thing, or not of this service. Nothing was changed."""


InsertResult: TypeAlias = Applied | Remembered | KeyReused
MoveResult: TypeAlias = Applied | Remembered | KeyReused | Refused | NotFound


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RescuePolicy:
    """What a channel wants for a notification whose lease ended.

    The first time it is due at once. After that it waits up to `spread_s` at random for each
    earlier attempt, so that one that kills its worker does not meet the same others again.
    """

    max_attempts: int
    on_unknown: OnUnknown
    spread_s: float = 10


class DeliveryStore(Protocol):
    """The life of notifications. All times are the database's own."""

    async def insert(
        self, submissions: Sequence[Submission], idempotency: Idempotency | None = None
    ) -> InsertResult:
        """Store all of `submissions` as pending, or none of them, and the answer with them.

        Returns when it is committed. Those whose recipient is on the service's suppression list
        are suppressed at once. The others without `send_at` are left to the caller to publish;
        the relay takes up what was not.
        """

    async def mark_published(self, envelopes: Sequence[Envelope]) -> None:
        """Record that the broker confirmed them; a no-op for one that was claimed since."""

    async def claim(
        self, envelope: Envelope, *, lease_token: UUID, lease_s: float, leased_by: str
    ) -> Claimed | NotFound | None:
        """CLAIM what `envelope` names, after a REPLAY where it is failed.

        An overdue one becomes expired instead, and one whose recipient came onto the suppression
        list meanwhile suppressed. None: nothing to do for this envelope. NotFound: there is no
        such notification, and its id is kept among the unknown ones.
        """

    async def finish(self, finish: Finish) -> bool:
        """Record the end of an attempt, guarded by its lease token.

        Erases the content of a sensitive notification at its final state. False: the lease was
        no longer ours, and only a `late_completion` was added to the timeline.
        """

    async def snoozes(self, id: UUID) -> Snoozes:
        """How often it was put off for a systemic reason, since its acceptance or last replay."""

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

    async def take_unburied(self, limit: int, *, hold_s: float) -> Sequence[Envelope]:
        """Failed notifications that have no dead letter yet, each given to one relay.

        One that was to be buried before may get a second letter: its channel is to be swept.
        """

    async def mark_buried(self, envelopes: Sequence[Envelope]) -> None:
        """Record that dead letters of these failed notifications are in the dead queue."""

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

    async def move(
        self,
        transition: Transition,
        id: UUID,
        *,
        service: str | None,
        idempotency: Idempotency | None = None,
    ) -> MoveResult:
        """Apply CANCEL or REPLAY to one notification of `service` (None: of any)."""

    async def replay_failed(
        self, *, channel: Channel | None, limit: int, after: UUID | None = None
    ) -> Sequence[UUID]:
        """REPLAY up to `limit` failed notifications in order of id; returns theirs."""

    async def unpublish(self, limit: int) -> int:
        """Forget that these are in the broker, which lost it all; returns how many it were.

        Whatever is pending and due is up for publishing again.
        """

    async def remembered(
        self, *, service: str, key: str, fingerprint: str
    ) -> Remembered | KeyReused | None:
        """The answer kept for this Idempotency-Key; None if it was not used."""

    async def purge_idempotency_keys(self) -> int:
        """Forget Idempotency-Keys older than a day; returns how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationFilter:
    """Which notifications to list; empty fields match everything.

    `recipient` is what somebody typed; addresses are compared without case and width.
    """

    statuses: Collection[Status] = ()
    channels: Collection[Channel] = ()
    recipient: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    created_from: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Notifications, newest first; where it `goes_on_after` an id, there may be more.

    Such a page may hold fewer than were asked for, even none: what is rare is looked for among
    so many at a time.
    """

    items: Sequence[Notification]
    goes_on_after: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The equation, for so many notifications; older ones follow where it `goes_on_after` an id.

    The states are counted from the records; `accepted` from the timeline, or from the ids where
    it is of a part.
    """

    accepted: int
    by_status: Mapping[Status, int]
    outcome_unknown: int
    late_completions: int
    unknown_messages: int
    """Ids that messages named and no service's notification has."""
    goes_on_after: UUID | None = None

    @property
    def is_balanced(self) -> bool:
        """Whether every accepted notification stands in exactly one state."""
        return self.accepted == sum(self.by_status.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How much is not done with, over all services; of each about a million at most.

    Cheap however much is stored.
    """

    pending: int
    processing: int
    outcome_unknown: int
    late_completions: int
    unknown_messages: int


class QueryStore(Protocol):
    """Reading notifications. `service` None means: of every service."""

    async def get(self, id: UUID, *, service: str | None) -> Notification | None:
        """One notification."""

    async def timeline(self, id: UUID) -> Sequence[TimelineEntry]:
        """Its timeline, oldest first; where it is very long, the newest 250 entries."""

    async def list(
        self, filter: NotificationFilter, *, service: str | None, limit: int, after: UUID | None
    ) -> Page:
        """A page of those older than `after`; its cost has a bound, however many there are."""

    async def count(self, filter: NotificationFilter, *, service: str | None) -> int:
        """How many there are; it takes time in proportion."""

    async def account(self, *, service: str | None, after: UUID | None = None) -> Account:
        """The account of the newest of those older than `after`, consistent in itself."""

    async def backlog(self) -> Backlog:
        """What is under way or in doubt, counted from partial indexes."""

    async def ping(self) -> None:
        """Return if the database answers."""

    async def prove(self) -> None:
        """Return if the database takes writes.

        What became of the last ones is believed; where that was bad or long ago, a small one is
        tried. Raises StoreUnavailableError with the database's own words for it, which hold no
        value of ours.
        """

    async def schema_problem(self) -> str | None:
        """What is wrong with the schema and what to run, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A stored API key; the key itself is known to its holder alone."""

    id: str
    service: str
    scopes: frozenset[str]
    digest: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    is_usable: bool
    """Neither expired nor revoked, by the database's clock, when it was read."""


class KeyStore(Protocol):
    """API keys."""

    async def add(
        self,
        *,
        id: str,
        service: str,
        scopes: Collection[str],
        digest: str,
        expires_at: datetime | None,
    ) -> None:
        """Store a new key."""

    async def find(self, id: str) -> ApiKey | None:
        """The key with this id."""

    async def list(self) -> Sequence[ApiKey]:
        """All keys, oldest first."""

    async def revoke(self, id: str) -> bool:
        """Revoke for good; False if there is no such key. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """A notification in a recipient's inbox; `seq` counts up by one in each inbox."""

    seq: int
    notification_id: UUID
    subject: str | None
    text: str
    html: str | None
    metadata: Mapping[str, str]
    created_at: datetime
    read_at: datetime | None


class Inbox(Protocol):
    """Recipients' in-app inboxes, one for each service and recipient."""

    async def deliver(self, message: Message) -> None:
        """Put it into its recipient's inbox; idempotent by the notification's id."""

    async def page(
        self, service: str, recipient: str, *, limit: int, before: int | None, unread_only: bool
    ) -> Sequence[InboxItem]:
        """Newest first; `before` is the seq of the last one seen."""

    async def since(
        self, service: str, recipient: str, seq: int, *, limit: int
    ) -> Sequence[InboxItem]:
        """Oldest first, those after `seq`."""

    async def unread_count(self, service: str, recipient: str) -> int:
        """How many are unread."""

    async def mark_read(
        self,
        service: str,
        recipient: str,
        notification_id: UUID | None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | NotFound | Unfinished:
        """Mark one (None: all) as read; idempotent.

        The answer is kept once all is done.
        """

    async def heads(self, inboxes: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
        """The newest seq of each of these (service, recipient) that has any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What the sandbox provider was handed."""

    seq: int
    notification_id: UUID
    service: str
    channel: Channel
    recipient: str
    subject: str | None
    text: str | None
    html: str | None
    sensitive: bool
    attempt: int
    captured_at: datetime


class Captures(Protocol):
    """What the sandbox provider captured."""

    async def add(self, message: Message) -> None:
        """Keep it; of a sensitive one all but its content."""

    async def page(
        self, *, limit: int, before: int | None, channel: Channel | None
    ) -> Sequence[Capture]:
        """Newest first; `before` is the seq of the last one seen."""


ProviderWord: TypeAlias = Literal["closed", "open", "paused", "throttled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderState:
    """Whether a provider account may be asked, as all workers share it.

    `closed_for_s` is how long its breaker still keeps it from being asked, by the database's
    clock at the time of reading: 0 while it may be asked, and when a probe is due. `opened_at`
    is None while the breaker is closed (traffic flows).
    """

    name: str
    is_paused: bool
    """By an operator: until somebody resumes it."""
    opened_at: datetime | None
    closed_for_s: float
    reason: str | None
    trips: int
    """How often in a row its breaker opened without a success in between."""

    @property
    def word(self) -> ProviderWord:
        """What keeps it from being asked; closed (its breaker lets traffic through) if nothing."""
        if self.is_paused:
            return "paused"
        if self.opened_at is not None:
            return "open"
        return "throttled" if self.closed_for_s > 0 else "closed"

    @property
    def may_be_asked(self) -> bool:
        """Whether a worker may call it now, be it for a probe."""
        return not self.is_paused and self.closed_for_s <= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOff:
    """Notifications that wait since this provider refused us, or because its breaker is open."""

    provider: str
    count: int
    oldest_s: float
    """Since the oldest of them was accepted."""


class ProviderStore(Protocol):
    """The breakers and the pace of provider accounts. All times are the database's own."""

    async def states(self) -> Sequence[ProviderState]:
        """All accounts that ever were in trouble, paused or paced."""

    async def put_off(self) -> Sequence[PutOff]:
        """What waits for a systemic reason, for each provider that has any.

        Looks at the first ten thousand that wait for a time, and that are queued: cheap however
        much there is, and too low where there is more.
        """

    async def open(self, name: str, *, reason: str, for_s: float) -> None:
        """Open the breaker; counts a trip if it was closed or being probed."""

    async def throttle(self, name: str, *, for_s: float) -> None:
        """Let nobody ask for so long, as the provider wished; its breaker stays as it is."""

    async def probe(self, name: str, *, lease_s: float) -> bool:
        """Take the one right to try an open provider whose time has come."""

    async def release(self, name: str, *, for_s: float) -> None:
        """Give the right to probe back: the next may take it in `for_s`. Counts no trip."""

    async def close(self, name: str) -> None:
        """Close the breaker: it works again. An operator's pause stays."""

    async def pause(
        self, name: str, *, reason: str, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused:
        """Keep it from being asked until `resume`."""

    async def resume(
        self, name: str, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused:
        """End an operator's pause, and close the breaker."""

    async def reserve(self, name: str, *, rate_per_s: float, patience_s: float) -> float | None:
        """Take the account's next turn: seconds until it comes, or None if beyond `patience_s`.

        Turns are evenly spaced over all callers in all processes.
        """


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of receipts: `changed` is how many had an effect.

    `early` are those that came while an attempt was under way: they were not taken, and apply
    once they are given again after it.
    """

    changed: int
    early: Sequence[Receipt] = ()


class ReceiptStore(Protocol):
    """What providers report afterwards."""

    async def settle(self, receipts: Sequence[Receipt]) -> Settled:
        """Apply each receipt once, forward only.

        SETTLE applies to a record whose outcome is unknown; DELIVER and BOUNCE settle such a
        record on their way. A receipt for an unknown notification, one known already, or one
        that would go backwards changes nothing.
        """

    async def purge(self) -> int:
        """Forget receipts older than a week, which no provider repeats; returns how many."""


@dataclass(frozen=True, slots=True)
class SuppressionPlace:
    """Where a suppression stands in the list; `recipient` is as it is compared."""

    recipient: str
    service: str
    channel: Channel


@dataclass(frozen=True, slots=True)
class Lifted:
    """It is off the list; these were the reasons why it was on it."""

    reasons: frozenset[SuppressionReason]


@dataclass(frozen=True, slots=True)
class Protected:
    """It is on the list because the recipient asked for that. Nothing was changed."""

    reason: SuppressionReason


class SuppressionStore(Protocol):
    """The addresses that services must not send to. `service` None means: of any.

    Recipients are in normal form, kept as they are, and compared without case and width.
    """

    async def add(
        self,
        *,
        service: str,
        channel: Channel,
        recipient: str,
        reason: SuppressionReason,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused:
        """Put an address on a service's list; idempotent."""

    async def remove(
        self, *, service: str, channel: Channel, recipient: str, why: str | None = None
    ) -> Lifted | Protected | NotFound:
        """Take it off, where the recipient did not ask for it or an operator says `why`.

        That comes into the timeline of the notification that brought it onto the list.
        """

    async def list(
        self,
        *,
        service: str | None,
        channel: Channel | None,
        limit: int,
        after: SuppressionPlace | None,
    ) -> Sequence[Suppression]:
        """In order of recipient, service and channel; `after` is the place of the last one seen."""


# --- the broker -----------------------------------------------------------------------------

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


# --- providers ------------------------------------------------------------------------------


class ChannelAdapter(Protocol):
    """Hands messages to one provider. Knows neither the database nor the queue."""

    @property
    def provider(self) -> str:
        """The provider's name: smtp, sendgrid, twilio, in_app, sandbox."""

    async def send(self, message: Message) -> Outcome:
        """Hand over one message and say what came of it; a value, never an exception.

        Ends within the adapter's own time-out. Sending the same message again is recognisable
        to the receiver wherever the provider's protocol allows it.
        """

    async def close(self) -> None:
        """Give back connections."""


class Clock(Protocol):
    """Time for measuring and for judging what others say of it, never for leases or due times."""

    def now(self) -> datetime:
        """The current time, aware, UTC."""

    def monotonic_s(self) -> float:
        """Seconds that only ever grow."""
