"""Reading notifications: what can be asked for, and the port."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifier.notification.model import Channel, Lane, Notification, Status, TimelineEntry
from notifier.notification.retention import PurgeReason


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationFilter:
    """Which notifications to list; empty fields match everything.

    `recipient` is what somebody typed; addresses are compared without case and width.
    """

    id: UUID | None = None
    statuses: Collection[Status] = ()
    channels: Collection[Channel] = ()
    lanes: Collection[Lane] = ()
    recipient: str | None = None
    user_id: str | None = None
    category: str | None = None
    provider: str | None = None
    """The one that was asked last."""
    error_code: str | None = None
    """Of the last error, the provider's or ours."""
    template: str | None = None
    """The name of the template that it was accepted with, in whatever version."""
    broadcast_id: UUID | None = None
    rule: str | None = None
    """The name of the rule that made it."""
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
    purged: Mapping[Status, int] = field(default_factory=dict)
    """Those that retention removed, by the status that they had; among the oldest ones."""
    goes_on_after: UUID | None = None

    @property
    def is_balanced(self) -> bool:
        """Whether every accepted notification stands in exactly one state, or did at last."""
        return self.accepted == sum(self.by_status.values()) + sum(self.purged.values())


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
    purged: Mapping[tuple[Channel, str], int] = field(default_factory=dict)
    """How many retention removed, by channel and status, and by channel as `accept`."""
    purged_content: Mapping[tuple[Channel, PurgeReason], int] = field(default_factory=dict)
    """How many lost their content and stayed, at first at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The oldest of those of a channel and lane that are due, and wait for an attempt."""

    channel: Channel
    lane: Lane
    oldest_s: float
    """Since it was due."""


class QueryStore(Protocol):
    """Reading notifications. `service` None means: of every service."""

    async def get(self, id: UUID, *, service: str | None) -> Notification | None:
        """One notification."""

    async def timeline(self, id: UUID) -> Sequence[TimelineEntry]:
        """Its timeline, oldest first; where it is very long, the newest 250 entries."""

    async def forwards(self, id: UUID) -> Sequence[UUID]:
        """The first 50 that were made of one, for other addresses, in their order."""

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

    async def waiting(self) -> Sequence[Waiting]:
        """For how long the oldest of each channel and lane waits, where one does.

        Looks at the first thousand of each, in the order in which they are taken: cheap however
        much waits, and too short at worst where more does.
        """

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
