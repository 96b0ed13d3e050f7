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

from notifier.notification.mail import Attached, MailDetails
from notifier.notification.origin import Origin
from notifier.notification.outcomes import Fault
from notifier.notification.sms import SmsSize

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Whom a notification was accepted for, besides its address."""

    user_id: str | None = None
    """The person in its service's directory."""
    category: str | None = None
    """What people choose by."""
    is_required: bool = False
    """Whether its category cannot be switched off."""
    is_address_given: bool = False
    """Whether the address came with it, and the person's own is not looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A stored notification as its service and operators see it.

    Content is None once it was erased, and where a template holds it. Times are aware UTC.
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
    template: "Pin | None" = None
    is_finished: bool = False
    """Whether braces in its content, subject and html are just braces."""
    origin: "Origin | None" = None
    """The rule that made it, if one did."""
    broadcast_id: UUID | None = None
    forwarded_from: UUID | None = None
    """The one of which it was made, for another address."""
    size: SmsSize | None = None
    """Of an SMS, as it was accepted."""
    mail: MailDetails | None = None
    action_url: str | None = None
    addressee: Addressee | None = None


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
    note: str | None = None
    """Which replay it was, or why somebody discarded it."""


@dataclass(frozen=True, slots=True)
class Pin:
    """The version of a template that a notification was accepted with, and in which language."""

    version_id: UUID
    locale: str


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
    lane: Lane = Lane.NORMAL
    mail: MailDetails | None = None
    action_url: str | None = None
    """Where an in_app notification leads: an https address, or a path of the service's own app."""
    attached: tuple[Attached, ...] = ()
    """The files of `mail`, read."""
