"""Counting: the account of so many notifications, and what is under way."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Select,
    Text,
    cast,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.feed import ACCEPT
from notifier.notification.model import Status
from notifier.notification.reading import Account, Backlog
from notifier.store.kit.sql import literal_text
from notifier.store.notification import purged, timeline
from notifier.store.notification.changes import stands_at, status_in
from notifier.store.notification.matching import Conditions, Span
from notifier.store.notification.searching import (
    IN_WORDS_OF_INDEXES,
    Line,
    every_service,
    line_of,
)
from notifier.store.notification.tables import notification_events as events
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.tables import unknown_messages

ACCOUNTED = 100_000
"""How many notifications an account covers at most."""

_MOST_COUNTED = 1_000_000
_FEW = 10_000
_UNKNOWN = "outcome_unknown"
_NAMELESS = "unknown_messages"
_is_accept = events.c.event == literal_text(ACCEPT)
_is_late = events.c.event == literal_text(timeline.LATE_COMPLETION)


@dataclass(frozen=True, slots=True)
class _Part:
    """Which notifications: those of a service (None: of all) with these ids."""

    service: str | None
    ids: Span

    def of(self, service: ColumnElement[str], id: ColumnElement[UUID]) -> Conditions:
        """Return the conditions on a table's columns."""
        return (*([] if self.service is None else [service == self.service]), *self.is_in(id))

    def is_in(self, id: ColumnElement[UUID]) -> Conditions:
        """Return the conditions on an id."""
        # Everything is to be had from indexes that hold no ids.
        return () if self.ids == Span() else (id >= self.ids.first, id < self.ids.end)

    @property
    def notifications(self) -> Conditions:
        return self.of(n.c.service, n.c.id)

    @property
    def events(self) -> Conditions:
        return self.of(events.c.service, events.c.notification_id)


async def account(
    connection: AsyncConnection, *, service: str | None, after: UUID | None
) -> Account:
    """Count the newest of those older than `after`."""
    ids = Span() if after is None else Span(end=after)
    oldest = await _oldest(connection, service, ids)
    part = _Part(service, ids if oldest is None else replace(ids, first=oldest))
    few = await _few_are_pending(connection)
    counts: Counter[str] = Counter()
    # One statement, so that it sees one state.
    # What is gone was older than all that is there.
    gone = [] if oldest else [purged.counts(service)]
    for row in await connection.execute(union_all(*_counting(part, few_are_pending=few), *gone)):
        counts[row.name] += row.count_
    return Account(
        accepted=counts[ACCEPT] + counts[purged.PREFIX + ACCEPT],
        by_status={status: counts[status] for status in Status},
        purged={status: counts[purged.PREFIX + status] for status in Status if status.is_final},
        outcome_unknown=counts[_UNKNOWN],
        late_completions=counts[timeline.LATE_COMPLETION],
        unknown_messages=counts[_NAMELESS],
        goes_on_after=oldest,
    )


async def _oldest(connection: AsyncConnection, service: str | None, ids: Span) -> UUID | None:
    """Return the id of the oldest to count, where there are older ones."""
    older = _line_of(service).newest(ids, n.c.id).offset(ACCOUNTED - 1).limit(2)
    found = (await connection.scalars(older)).all()
    return found[0] if len(found) > 1 else None


def _line_of(service: str | None) -> Line:
    return Line() if service is None else line_of(service)


async def _few_are_pending(connection: AsyncConnection) -> bool:
    """Whether all that are can be looked at."""
    pending = (await connection.execute(_under_way(Status.PENDING, most=_FEW + 1))).one()
    return int(pending.count_) <= _FEW


def _counting(part: _Part, *, few_are_pending: bool) -> Sequence[Select[str, int]]:
    services = every_service if part.service is None else _only(part.service)
    is_in = part.is_in(n.c.id)
    is_pending = stands_at(Status.PENDING)
    return (
        _accepted(part, services),
        *(
            _by_service(status, services, status_in(status), *is_in)
            for status in Status
            if status.is_final
        ),
        _under_way(Status.PROCESSING, part.notifications),
        _under_way(Status.PENDING, part.notifications)
        if few_are_pending
        else _by_service(Status.PENDING, services, is_pending, *is_in),
        _count(_UNKNOWN, select(n.c.id).where(n.c.outcome_unknown, *part.notifications)),
        _count(timeline.LATE_COMPLETION, select(events.c.id).where(_is_late, *part.events)),
        _count(_NAMELESS, select(unknown_messages.c.id)),
    )


def _accepted(part: _Part, services: CTE) -> Select[str, int]:
    if part.ids == Span():
        return _count(ACCEPT, select(events.c.id).where(_is_accept, *part.events))
    # An index has the accepted of a service, but no part of them.
    return _by_service(ACCEPT, services, *part.is_in(n.c.id))


def _by_service(name: str, services: CTE, *conditions: ColumnElement[bool]) -> Select[str, int]:
    """Count in each service's part of an index.

    Where the service is a constant, PostgreSQL may read those of all that have such ids.
    """
    is_of_one = n.c.service == services.c.service
    these = select(func.count()).where(is_of_one, *conditions).correlate(services).scalar_subquery()
    total = cast(func.coalesce(func.sum(these), 0), BigInteger)
    return _named(name, total).select_from(services)


def _only(service: str) -> CTE:
    return select(literal(service, Text).label("service")).cte("named").prefix_with("MATERIALIZED")


def _under_way(status: Status, where: Conditions = (), most: int | None = None) -> Select[str, int]:
    parts = [
        select(n.c.id).where(condition, *where).limit(most)
        for condition in IN_WORDS_OF_INDEXES[status]
    ]
    counts = [select(func.count()).select_from(part.subquery()).scalar_subquery() for part in parts]
    return _named(status, sum(counts[1:], start=counts[0]))


def _count(name: str, rows: Select[tuple[object]]) -> Select[str, int]:
    return _named(name, func.count()).select_from(rows.subquery())


def _named(name: str, count: ColumnElement[int]) -> Select[str, int]:
    return select(literal_text(name).label("name"), count.label("count_"))


async def backlog(connection: AsyncConnection) -> Backlog:
    """Count what is under way or in doubt, up to a million of each."""
    counts: dict[str, int] = {row.name: row.count_ for row in await connection.execute(_BACKLOG)}
    return Backlog(
        pending=counts[Status.PENDING],
        processing=counts[Status.PROCESSING],
        outcome_unknown=counts[_UNKNOWN],
        late_completions=counts[timeline.LATE_COMPLETION],
        unknown_messages=counts[_NAMELESS],
        purged=await purged.by_channel(connection),
        purged_content=await purged.content_by_channel(connection),
    )


_BACKLOG = union_all(
    _under_way(Status.PENDING, most=_MOST_COUNTED),
    _under_way(Status.PROCESSING, most=_MOST_COUNTED),
    _count(_UNKNOWN, select(n.c.id).where(n.c.outcome_unknown).limit(_MOST_COUNTED)),
    _count(timeline.LATE_COMPLETION, select(events.c.id).where(_is_late).limit(_MOST_COUNTED)),
    _count(_NAMELESS, select(unknown_messages.c.id).limit(_MOST_COUNTED)),
)
