"""An event: something that happened in a service, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias
from uuid import UUID

from notifier.broadcasts.broadcast import Broadcast
from notifier.intake.ports import Submission
from notifier.notification.model import JsonValue


@dataclass(frozen=True, slots=True, order=True)
class EventKey:
    """What tells one event from all others: CloudEvents' `source` and `id`, of one service."""

    service: str
    source: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A CloudEvent as a service published it: checked, not yet stored. Times are aware UTC."""

    service: str
    """Whose it is, by an API key or the broker's word; never by its own."""
    source: str
    id: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    """When it happened, by its publisher's clock."""
    data: JsonValue = None
    traceparent: str | None = None
    content_checksum: str
    """Of everything that it says: the same key with another is not the same event."""

    @property
    def key(self) -> EventKey:
        """What it is known by."""
        return EventKey(self.service, self.source, self.id)


class Outcome(StrEnum):
    """What a rule made of an event, for one person."""

    MATCHED = "matched"
    """It is carried out."""
    UNMATCHED = "unmatched"
    """It is not for this event: `when` is not true, or what it reads is not there."""
    THROTTLED = "throttled"
    """The person has had as many as the rule allows: nothing, or not all of it, is carried out."""
    REPEATED = "repeated"
    """The rule was carried out for the same key before."""
    FAILED = "failed"
    """It cannot be carried out: the template cannot be filled, there is no such person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """At most `count` in `per_s` seconds, for the match's rule and person and this key.

    Counted when a match is recorded. Above it the match is `THROTTLED`: its submissions, but for
    the first `spared` of them, and its digest item are left out.
    """

    count: int
    per_s: int
    key: str = ""
    spared: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestItem:
    """What an event adds to the open digest of its match's rule and person and this key.

    Where none is open it opens one: that is due at `due_at`, holds at most `max_items`, and is
    finished by the match's version of the rule, whatever is published meanwhile.
    """

    key: str = ""
    data: JsonValue
    """What the digest's template gets of this event."""
    due_at: datetime
    max_items: int | None = None
    sends_first: bool = False
    """What opens it is sent at once as the match's submissions, and not part of it.

    Where one is open, the match's submissions are left out. Without this a match with an item has
    no submissions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What one rule makes of an event, for one person."""

    rule: str
    version_id: UUID
    person: str | None = None
    """Their user id, or the recipient that was given; None if it did not come to that."""
    is_user: bool = True
    """Whether `person` is a user id."""
    key: str | None = None
    """What the rule is carried out once for, and cancelled by."""
    outcome: Outcome
    reason: str | None = None
    """Why it is not `MATCHED`; repeats nothing of anybody's."""
    submissions: Sequence[Submission] = ()
    digest_item: DigestItem | None = None
    throttle: Throttle | None = None
    broadcast: Broadcast | None = None
    """Where the rule is for a topic."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take back what is pending of a rule, for everybody, by the key that it was matched with."""

    rule: str
    key: str
    unless_event: str | None = None
    """If set, only notifications that this type of event keeps back (`Origin.unless_event`)."""


@dataclass(frozen=True, slots=True)
class Effects:
    """All that comes of one event, to be recorded with it."""

    matches: Sequence[Match] = ()
    cancels: Sequence[Cancel] = ()
    """Carried out before the event's own matches."""


class Reacting(Protocol):
    """Knows the rules."""

    async def react(self, event: Event) -> Effects:
        """Return what comes of an event; changes nothing.

        What is wrong with a rule or with what it reads is a `FAILED` match.

        Raises:
            StoreUnavailableError: rules, templates or people could not be looked up.
        """


@dataclass(frozen=True, slots=True)
class Taken:
    """It is stored, with its effects. Of those `matched` are carried out."""

    id: UUID
    matched: int
    submissions: Sequence[Submission] = ()
    """What was accepted with it now, and is not suppressed."""
    outcomes: Sequence[Outcome] = ()
    """Of its matches, in their order."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """It was stored before, and nothing was changed."""

    id: UUID
    matched: int


@dataclass(frozen=True, slots=True)
class Differs:
    """Another event with the same key was stored before; nothing was changed."""

    id: UUID


Answer: TypeAlias = Taken | Repeated | Differs


@dataclass(frozen=True, slots=True)
class Reaction:
    """An event, the id that it gets here, and what comes of it."""

    id: UUID
    """A UUIDv7."""
    event: Event
    effects: Effects


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event as it is kept for some days."""

    id: UUID
    event: Event
    received_at: datetime
    matched: int
    """How many matches were carried out."""
    cancelled: int
    """How many notifications it took back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMatch:
    """What a rule made of a stored event."""

    rule: str
    version_id: UUID
    person: str | None
    is_user: bool
    key: str | None
    outcome: Outcome
    reason: str | None
    notification_ids: Sequence[UUID]
    digest_id: UUID | None
    broadcast_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are asked for."""

    service: str | None = None
    type: str | None = None
    source: str | None = None
    event_id: str | None = None
    is_matched: bool | None = None


class EventStore(Protocol):
    """Events, and what came of them."""

    async def known(self, events: Sequence[Event]) -> Sequence[Repeated | Differs | None]:
        """Say of each, in their order, whether it was stored before."""

    async def record(self, reactions: Sequence[Reaction]) -> Sequence[Answer]:
        """Store each event with all its effects, or nothing of it if it was stored before.

        Returns when it is committed, with the answers in their order.
        """

    async def get(self, id: UUID, *, service: str | None) -> StoredEvent | None:
        """Return one of the service's, or of any; None if there is none."""

    async def list(
        self, filter: EventFilter, *, limit: int, after: UUID | None
    ) -> Sequence[StoredEvent]:
        """The newest first; `after` is the last one seen."""

    async def matches_of(self, event: StoredEvent) -> Sequence[StoredMatch]:
        """Return what came of it, in the order of its matches."""

    async def purge(self) -> int:
        """Forget what is older than it is kept; returns how many."""
