"""What happened to notifications, all of it in one order: for whoever follows it.

A reader asks for what came after its cursor, does what it does with that, and stores where to go
on. If it ends in between, it gets the same again: at least once, and none is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeAlias
from uuid import UUID

from notifier.notification.model import Channel, Status
from notifier.notification.transitions import TRANSITIONS

Cursor: TypeAlias = int
"""A place in the feed: after the event of this position."""

START: Final[Cursor] = 0
"""Before the first event."""

ACCEPT: Final = "accept"
"""What a notification's first event is called; most others have the name of a transition."""

_STATUS_AFTER = {ACCEPT: Status.PENDING, **{each.name: each.target for each in TRANSITIONS}}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEvent:
    """Something that happened to a notification; `at` is aware UTC."""

    position: Cursor
    """Of one notification, a later event has a greater one."""
    notification_id: UUID
    service: str
    channel: Channel | None
    """None: only the timeline is left of the notification."""
    at: datetime
    event: str
    attempt: int
    provider: str | None = None

    @property
    def status(self) -> Status | None:
        """Where the notification stood after it; None: the event changed no status."""
        return _STATUS_AFTER.get(self.event)


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Events in the feed's order, and where to go on.

    Fewer than were asked for: there are no more by now. `is_complete` is False where what came
    after the cursor was removed before it was read, be it in part, or where the database has lost
    what the cursor is of, after a failover say: it then goes on from the end.
    """

    events: Sequence[FeedEvent]
    goes_on_after: Cursor
    is_complete: bool


class Feed(Protocol):
    """The events of all notifications in an order that never changes."""

    async def after(self, cursor: Cursor, limit: int) -> FeedPage:
        """Up to `limit` events after a cursor.

        An event comes once nothing can come before it any more: it waits for transactions that
        write events and began before it was committed, this call for a tenth of a second at most.
        Whoever asks the same again gets the same, but for what was removed meanwhile, and after
        it what a page that was not full had no event for yet.
        """

    async def behind_s(self, cursor: Cursor) -> float:
        """How long ago the first event after a cursor happened, in seconds; 0 if there is none."""


class Cursors(Protocol):
    """Where readers go on, by their names, which are not empty."""

    async def stored(self, reader: str) -> Cursor | None:
        """What a reader stored last; None: it never did."""

    async def store(self, reader: str, cursor: Cursor) -> None:
        """Keep where a reader goes on, be it before what it stored last. Safe to repeat."""

    async def move(self, reader: str, before: Cursor | None, to: Cursor) -> bool:
        """Keep where a reader goes on if it stored `before` last; False: somebody moved it."""
