"""The suppression list: addresses that services must not send to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.notification.model import Channel
from notifier.notification.outcomes import SuppressionReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that a service's notifications are no longer sent to.

    `recipient` is as it was written, and `compared` what it is compared and sorted by.
    """

    service: str
    channel: Channel
    recipient: str
    compared: str
    category: str | None
    """Of whose notifications it is; None: of all."""
    reason: SuppressionReason
    notification_id: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SuppressionPlace:
    """Where a suppression stands in the list; `recipient` is as it is compared."""

    recipient: str
    service: str
    channel: Channel
    category: str = ""
    """Empty where it is for everything."""


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
        category: str | None = None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused:
        """Put an address on a service's list, of one category or of all; idempotent."""

    async def remove(
        self,
        *,
        service: str,
        channel: Channel,
        recipient: str,
        category: str | None = None,
        why: str | None = None,
    ) -> Lifted | Protected | NotFound:
        """Take one entry off, where the recipient did not ask for it or an operator says `why`.

        That comes into the timeline of the notification that brought it onto the list.
        """

    async def reason(
        self, service: str, channel: Channel, recipient: str, category: str | None
    ) -> SuppressionReason | None:
        """Why what is of this category is not sent there: first what recipients cannot undo."""

    async def list(
        self,
        *,
        service: str | None,
        channel: Channel | None,
        limit: int,
        after: SuppressionPlace | None,
        recipient: str | None = None,
        reason: SuppressionReason | None = None,
    ) -> Sequence[Suppression]:
        """In order of recipient, service, channel and category.

        `after` is the place of the last one seen. `recipient` is what somebody typed, in whichever
        writing; it does not find what is left of an erased one.
        """
