"""What accepting and publishing notifications ask of the database."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID

from notifier.idempotency import Applied, Idempotency, KeyReused, Remembered
from notifier.notification.envelope import Envelope
from notifier.notification.mail import MailDetails
from notifier.notification.model import Addressee, Channel, JsonValue, Lane, OnUnknown, Pin
from notifier.notification.origin import Origin
from notifier.notification.outcomes import Fault
from notifier.notification.sms import SmsSize
from notifier.value import value


@value
class Submission:
    """A notification as its service asked for it: validated, not yet stored.

    `recipient` is in its channel's normal form; `send_at` and `expires_at` are aware UTC times;
    `content`, `subject`, `html` and `action_url` are templates that `variables` fill, unless it
    `is_finished`; where it is pinned to a `template`, that holds them, and they are None.
    """

    id: UUID
    service: str
    channel: Channel
    lane: Lane
    recipient: str
    content: str | None
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
    template: Pin | None = None
    is_finished: bool = False
    size: SmsSize | None = None
    """Of an SMS, as it was accepted."""
    mail: MailDetails | None = None
    action_url: str | None = None
    addressee: Addressee | None = None
    withheld: Fault | None = None
    """Why its recipient does not want it, which is suppressed at once, or not before `send_at`."""
    broadcast_id: UUID | None = None
    origin: Origin | None = None
    """The rule that it comes from."""
    forwarded_from: UUID | None = None
    """The notification of which it is made, for another address."""


InsertResult: TypeAlias = Applied | Remembered | KeyReused


class Intake(Protocol):
    """Accepting notifications."""

    async def insert(
        self, submissions: Sequence[Submission], idempotency: Idempotency | None = None
    ) -> InsertResult:
        """Store all of `submissions` as pending, or none of them, and the answer with them.

        Returns when it is committed. Those whose recipient is on the service's suppression list
        are suppressed at once. The others without `send_at` are left to the caller to publish;
        the relay takes up what was not.
        """


class Publications(Protocol):
    """What of them is in the broker."""

    async def mark_published(self, envelopes: Sequence[Envelope]) -> None:
        """Record that the broker confirmed them; a no-op for one that was claimed since."""

    async def mark_buried(self, envelopes: Sequence[Envelope]) -> None:
        """Record that dead letters of these failed notifications are in the dead queue."""
