"""The notification: its channels, states, transitions and the outcomes of handing it over.

Everything here is a value. A status changes only through a `Transition`; the store refuses any
change whose current status is not one of the transition's sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

JsonScalar: TypeAlias = str | int | float | bool | None
JsonValue: TypeAlias = "JsonScalar | list[JsonValue] | dict[str, JsonValue]"


class Channel(StrEnum):
    """The kind of medium a notification travels over; `type` on the wire."""

    EMAIL = "email"
    SMS = "sms"
    IN_APP = "in_app"


class Lane(StrEnum):
    """How urgent a notification is; each lane is a queue of its own."""

    HIGH = "high"
    NORMAL = "normal"
    BULK = "bulk"


class OnUnknown(StrEnum):
    """What to do when a provider may or may not have taken a notification."""

    RESEND = "resend"
    HOLD = "hold"


class Status(StrEnum):
    """Where a notification stands."""

    PENDING = "pending"
    """Accepted; waits for a worker, or for its `due_at`."""
    PROCESSING = "processing"
    """A worker holds its lease and is handing it to a provider."""
    SENT = "sent"
    """A provider took it."""
    DELIVERED = "delivered"
    """The provider's receipt says that it arrived."""
    BOUNCED = "bounced"
    """The provider's receipt says that it did not arrive."""
    FAILED = "failed"
    """It will not be tried again unless an operator replays it."""
    EXPIRED = "expired"
    """Its `expires_at` passed before it could be handed over."""
    CANCELLED = "cancelled"
    """Its service took it back before it was handed over."""
    SUPPRESSED = "suppressed"
    """Its recipient is on the suppression list."""

    @property
    def is_final(self) -> bool:
        """Whether notifier is done with it, but for a receipt or a replay."""
        return self not in (Status.PENDING, Status.PROCESSING)


@dataclass(frozen=True, slots=True)
class Transition:
    """A named change of status.

    `counts_attempt` is what it adds to the attempts that count against the limit: CLAIM spends
    one, and the transitions of which the notification is not to blame give it back.
    """

    name: str
    sources: frozenset[Status]
    target: Status
    counts_attempt: int = 0


def _transition(
    name: str, sources: Status | tuple[Status, ...], target: Status, counts_attempt: int = 0
) -> Transition:
    froms = frozenset({sources} if isinstance(sources, Status) else sources)
    return Transition(name, froms, target, counts_attempt)


CLAIM = _transition("claim", Status.PENDING, Status.PROCESSING, +1)
SUCCEED = _transition("succeed", Status.PROCESSING, Status.SENT)
RETRY = _transition("retry", Status.PROCESSING, Status.PENDING)
FAIL = _transition("fail", Status.PROCESSING, Status.FAILED)
INTERRUPT = _transition("interrupt", Status.PROCESSING, Status.PENDING, -1)
SNOOZE = _transition("snooze", Status.PROCESSING, Status.PENDING, -1)
RESCUE = _transition("rescue", Status.PROCESSING, Status.PENDING)
RECALL = _transition("recall", Status.PENDING, Status.PENDING)
"""The broker gave its message up, after more deliveries than its delivery limit allows."""
REPLAY = _transition("replay", Status.FAILED, Status.PENDING)
CANCEL = _transition("cancel", Status.PENDING, Status.CANCELLED)
EXPIRE = _transition("expire", (Status.PENDING, Status.PROCESSING), Status.EXPIRED)
SUPPRESS = _transition("suppress", (Status.PENDING, Status.PROCESSING), Status.SUPPRESSED)
DELIVER = _transition("deliver", Status.SENT, Status.DELIVERED)
SETTLE = _transition("settle", (Status.PENDING, Status.FAILED), Status.SENT)
"""Its provider's callback said that an attempt of unknown outcome was taken after all."""
BOUNCE = _transition("bounce", (Status.SENT, Status.DELIVERED), Status.BOUNCED)

TRANSITIONS = (
    CLAIM, SUCCEED, RETRY, FAIL, INTERRUPT, SNOOZE, RESCUE, RECALL, REPLAY, CANCEL, EXPIRE,
    SUPPRESS, DELIVER, SETTLE, BOUNCE,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A notification as its service asked for it: validated, not yet stored.

    `recipient` is in its channel's normal form; `send_at` and `expires_at` are aware UTC times;
    `content`, `subject` and `html` are templates that `variables` fill.
    """

    id: UUID
    service: str
    channel: Channel
    lane: Lane
    recipient: str
    content: str
    subject: str | None = None
    html: str | None = None
    variables: Mapping[str, JsonValue] | None = None
    metadata: Mapping[str, str] | None = None
    send_at: datetime | None = None
    expires_at: datetime | None = None
    sensitive: bool = False
    on_unknown: OnUnknown | None = None
    """Its own wish; None leaves it to the channel's policy."""
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why an attempt did not succeed: a provider's code and words, free of personal data."""

    kind: str
    """The outcome's class: transient, permanent, systemic, unknown."""
    code: str
    message: str


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
    content: str
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


class SuppressionReason(StrEnum):
    """Why an address is not sent to."""

    HARD_BOUNCE = "hard_bounce"
    SPAM_REPORT = "spam_report"
    UNSUBSCRIBED = "unsubscribed"
    REFUSED = "refused"
    """A provider refused it for good when it was handed over."""
    MANUAL = "manual"

    @property
    def is_recipients_will(self) -> bool:
        """Whether the recipient asked for it: only an operator, with a reason, may undo that."""
        return self in (SuppressionReason.UNSUBSCRIBED, SuppressionReason.SPAM_REPORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a provider's callback says of a notification that it was handed.

    `id` is ours, as the provider gave it back; None where only `number` is known. `event_id`
    tells one callback from another. `transition` is SETTLE, DELIVER or BOUNCE, or None where the
    event only concerns the suppression list.
    """

    provider: str
    event_id: str
    id: UUID | None
    transition: Transition | None
    provider_id: str | None = None
    fault: Fault | None = None
    suppress_as: SuppressionReason | None = None
    """Puts the recipient on its service's suppression list, for this reason."""
    lift: SuppressionReason | None = None
    """Takes the recipient off that list, if it is there for this reason and not since later."""
    number: str | None = None
    """Whose number `lift` is about, for all services, where no notification is known."""
    at: datetime | None = None
    """When it happened, as the provider has it; None for now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that a service's notifications are no longer sent to.

    `recipient` is as it was written, and `compared` what it is compared and sorted by.
    """

    service: str
    channel: Channel
    recipient: str
    compared: str
    reason: SuppressionReason
    notification_id: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A stored notification as its service and operators see it.

    Content is None once it was erased. Times are aware UTC.
    """

    id: UUID
    service: str
    channel: Channel
    lane: Lane
    recipient: str
    subject: str | None
    content: str | None
    html: str | None
    variables: Mapping[str, JsonValue] | None
    metadata: Mapping[str, str]
    sensitive: bool
    status: Status
    attempts: int
    """Attempts that count against the limit."""
    created_at: datetime
    updated_at: datetime
    due_at: datetime
    expires_at: datetime | None
    sent_at: datetime | None
    finished_at: datetime | None
    provider: str | None
    provider_id: str | None
    fault: Fault | None
    outcome_unknown: bool
    on_unknown: OnUnknown | None
    """Its own wish; None leaves it to the channel's policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One row of a notification's timeline: a transition, its acceptance or a late completion."""

    at: datetime
    event: str
    attempt: int
    provider: str | None = None
    provider_id: str | None = None
    fault: Fault | None = None
    delay_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A rendered notification, ready for a provider."""

    id: UUID
    service: str
    channel: Channel
    recipient: str
    subject: str | None
    text: str
    html: str | None
    sensitive: bool
    attempt: int
    metadata: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it."""

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Transient:
    """Not taken, but a later attempt may succeed. `retry_after_s` is the provider's own wish.

    `throttled` says that the provider was asked too often: the attempt does not count.
    """

    code: str
    message: str
    retry_after_s: float | None = None
    throttled: bool = False
    concerns_recipient: bool = False
    """It says something about this recipient only, nothing about the provider's health."""
    about_one: bool = False
    """It was said in an exchange about one recipient: alone it is no evidence against the
    provider."""


@dataclass(frozen=True, slots=True)
class Permanent:
    """Never: this recipient or this content.

    `suppress` says that the address itself is bad, or that its owner wants nothing more;
    `suppress_as` which of them.
    """

    code: str
    message: str
    suppress: bool = False
    suppress_as: SuppressionReason = SuppressionReason.REFUSED


@dataclass(frozen=True, slots=True)
class Systemic:
    """Our credentials, sender or configuration: nothing would get through."""

    code: str
    message: str
    concerns_recipient: bool = False
    """It was said in an exchange about one recipient: alone it is no evidence against the
    provider."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The provider may have taken it: the link broke after the content was on its way."""

    code: str
    message: str


Outcome: TypeAlias = Sent | Transient | Permanent | Systemic | Unknown


PAUSED = "paused"
"""The code of a fault: an operator keeps the provider from being asked."""


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
