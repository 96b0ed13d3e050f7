"""Pages of notifications: each costs no more than a bound, however many there are.

An index leads to those of a service, a recipient or a final status, newest first. Whatever else
is asked for is looked for among so many of these; a page may then end before it is full, and says
where to go on. What is rare, and has an index of its own, is found at once nevertheless.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Select,
    Tuple,
    and_,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.recipient import compared_forms
from notifier.notification.model import Status
from notifier.notification.reading import NotificationFilter, Page
from notifier.store.kit.distinct import values_of
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import (
    ID,
    Explained,
    HasMember,
    ToldToSqlite,
    given_rows,
    is_key,
    literal_text,
)
from notifier.store.notification.changes import status_in
from notifier.store.notification.matching import (
    Conditions,
    Span,
    has,
    matching,
    of_service,
    span_of,
)
from notifier.store.notification.rows import to_notification
from notifier.store.notification.tables import notifications as n

_LOOKED_AT = 10_000
_FEW = 1_000
_FAR_OFF = 50
"""How many times too large an estimate may be, and is looked after nevertheless."""
_MOST_SERVICES = 50
_MOST_LINES = 50
"""Of statuses: so many services and statuses of each."""

IN_WORDS_OF_INDEXES: Mapping[Status, Conditions] = {
    **{status: (status_in(status),) for status in Status},
    Status.PENDING: (
        and_(status_in(Status.PENDING), n.c.published_at.is_(None)),
        and_(status_in(Status.PENDING), n.c.published_at.is_not(None)),
    ),
}
"""Conditions of which each has a partial index, and one holds for what has the status."""


_ANYTHING = NotificationFilter()


@dataclass(frozen=True, slots=True)
class Line:
    """Notifications that an index has in order of id, behind columns with these values.

    `rest` is what they have to match besides; `words` are those of a partial index.
    """

    lead: tuple[tuple[Column[str], str], ...] = ()
    words: Conditions = ()
    rest: NotificationFilter = _ANYTHING

    @property
    def is_exact(self) -> bool:
        """Whether all of them match."""
        return not matching(self.rest)

    def newest(self, span: Span, *columns: Any) -> Select[Any]:
        """Return these columns, or all, newest first.

        Neither the conditions nor the order are to be had from any other index: PostgreSQL would
        take the one of all services, and go through another's hundred thousand newest ones. Of
        what is compared as a row it only sees where the first column ends: the others are equal.
        """
        row = self._row()
        return self._within(span, *columns).order_by(*(column.desc() for column in row))

    def oldest(self, span: Span, *columns: Any) -> Select[Any]:
        """Return these columns, or all, oldest first; otherwise as `newest`."""
        return self._within(span, *columns).order_by(*self._row())

    def _row(self) -> tuple[Column[Any], ...]:
        return (*(column for column, _ in self.lead[-1:]), n.c.id)

    def _within(self, span: Span, *columns: Any) -> Select[Any]:
        is_of_line = [column == value for column, value in self.lead]
        row = tuple_(*self._row())
        return select(*(columns or (n,))).where(
            *self.words,
            *is_of_line[:-1],
            ToldToSqlite(and_(*is_of_line[-1:], n.c.id >= span.first, n.c.id < span.end)),
            row >= self._place(span.first),
            row < self._place(span.end),
        )

    def _place(self, id: UUID) -> Tuple:
        values = [literal(value, column.type) for column, value in self.lead[-1:]]
        return tuple_(*values, literal(id, n.c.id.type))


async def search(
    connection: AsyncConnection,
    filter: NotificationFilter,
    *,
    service: str | None,
    limit: int,
    after: UUID | None,
) -> Page:
    """Return the newest that match, of those older than `after`."""
    span = await span_of(connection, filter, after)
    along, few = await _parted(connection, filter)
    named = [] if few is None else [_named_of(few, filter, service, span)]
    if along is None:
        return _page(await _newest(connection, named, limit + 1), limit)
    lines = await _lines(connection, along, service)
    if len(lines) > 1 and not _is_of_one(along):
        # What is common fills a page from the newest of all services; many lines are read apart.
        common = _looking(Line(rest=along), span, _LOOKED_AT)
        found = await _newest(connection, [*named, common], limit + 1)
        if len(found) > limit:
            return _page(found, limit)
    most = _LOOKED_AT // len(lines)
    looking = [_looking(line, span, most) for line in lines]
    found = await _newest(connection, [*named, *looking], limit + 1)
    # Where one line has filled a page, how far back it was looked at matters to nobody.
    is_full = len(lines) == 1 and not named and len(found) > limit
    cut = None if is_full else await _cut(connection, lines, span, most)
    if cut is None:
        return _page(found, limit)
    found = [row for row in found if row.id >= cut]
    if len(found) > limit:
        return _page(found, limit)
    return Page([to_notification(row) for row in found], goes_on_after=cut)


def _looking(line: Line, span: Span, most: int) -> Select[Any]:
    if line.is_exact:
        return line.newest(span)
    # A backward scan knows where to stop by the number of rows only; in the very order of the
    # index it stops as soon as there are enough.
    rows = line.newest(span).limit(most + 1).subquery("looked_at")
    order = (*(rows.c[column.name] for column, _ in line.lead[-1:]), rows.c.id)
    return (
        select(rows)
        .where(*matching(line.rest, rows))
        .order_by(*(column.desc() for column in order))
    )


def _page(found: Sequence[Row[Any]], limit: int) -> Page:
    items = [to_notification(row) for row in found[:limit]]
    return Page(items, goes_on_after=items[-1].id if len(found) > limit else None)


async def _newest(
    connection: AsyncConnection, queries: Sequence[Select[tuple[object, ...]]], limit: int
) -> Sequence[Row[Any]]:
    rows = [row for query in queries for row in await connection.execute(query.limit(limit))]
    return sorted(rows, key=lambda row: row.id, reverse=True)[:limit]


# --- along an index ---------------------------------------------------------------------------


async def _lines(
    connection: AsyncConnection, filter: NotificationFilter, service: str | None
) -> Sequence[Line]:
    if service is not None:
        return _lines_of(service, filter)
    if set(filter.statuses) == {Status.FAILED} and not _is_of_one(filter):
        # An index of its own has these of all services.
        return [failed_line(None, replace(filter, statuses=()))]
    services = await _services(connection)
    if not 0 < len(services) <= _MOST_SERVICES or not _has_lead(filter):
        return [Line(rest=filter)]
    lines = [line for each in services for line in _lines_of(each, filter)]
    # Each is a statement: so many take longer than to go through the newest of all services.
    return lines if _is_of_one(filter) or len(lines) <= _MOST_LINES else [Line(rest=filter)]


# True of all: the index is only there for those who name a service as more than part of a row.
_is_named = n.c.service >= literal_text("")
_has_user = n.c.user_id.is_not(None)
_is_final = n.c.status.not_in([literal_text(status) for status in Status if not status.is_final])


def _has_lead(filter: NotificationFilter) -> bool:
    return _is_of_one(filter) or _are_final(filter.statuses)


def _is_of_one(filter: NotificationFilter) -> bool:
    return filter.recipient is not None or filter.user_id is not None


def _are_final(statuses: Collection[Status]) -> bool:
    return bool(statuses) and all(status.is_final for status in statuses)


def _lines_of(service: str, filter: NotificationFilter) -> Sequence[Line]:
    of_it = (n.c.service, service)
    if filter.user_id is not None:
        rest = replace(filter, user_id=None)
        return [Line((of_it, (n.c.user_id, filter.user_id)), (_has_user,), rest)]
    if filter.recipient is not None:
        # One statement for all forms would read everything that they match before the newest.
        rest = replace(filter, recipient=None)
        forms = sorted(compared_forms(filter.recipient))
        return [Line((of_it, (n.c.recipient, form)), rest=rest) for form in forms]
    if _are_final(filter.statuses):
        rest = replace(filter, statuses=())
        return [
            Line((of_it, (n.c.status, status.value)), (_is_final,), rest)
            for status in sorted(filter.statuses)
        ]
    return [line_of(service, filter)]


def line_of(service: str, rest: NotificationFilter = _ANYTHING) -> Line:
    """Return the line of a service's notifications; they match `rest` besides."""
    return Line(((n.c.service, service),), (_is_named,), rest)


def failed_line(service: str | None, rest: NotificationFilter = _ANYTHING) -> Line:
    """Return the line of what is failed, of a service or of all; they match `rest` besides."""
    if service is None:
        return Line(words=(status_in(Status.FAILED),), rest=rest)
    of_it = ((n.c.service, service), (n.c.status, Status.FAILED.value))
    return Line(of_it, (_is_final,), rest)


every_service = values_of(n.c.service)
"""The services that have notifications, NULL at the end."""
_SERVICES = (
    select(every_service.c.service)
    .where(every_service.c.service.is_not(None))
    .limit(_MOST_SERVICES + 1)
)


async def _services(connection: AsyncConnection) -> Sequence[str]:
    return (await connection.scalars(_SERVICES)).all()


async def _cut(
    connection: AsyncConnection, lines: Sequence[Line], span: Span, most: int
) -> UUID | None:
    """Return the oldest id that was looked at in each of the lines, where that is not all."""
    cuts = [
        await connection.scalar(line.newest(span, n.c.id).offset(most).limit(1))
        for line in lines
        if not line.is_exact
    ]
    return max((cut for cut in cuts if cut is not None), default=None)


# --- what is rare -----------------------------------------------------------------------------


_WITHOUT_ERROR = frozenset({Status.SENT, Status.DELIVERED})


async def _parted(
    connection: AsyncConnection, filter: NotificationFilter
) -> tuple[NotificationFilter | None, Sequence[UUID] | None]:
    """Return what is looked for along an index, and the ids of what is found directly besides.

    What is final is looked for by its status, and what is not can only be found directly.
    """
    if (few := await _few(connection, filter)) is not None:
        return None, few
    if filter.error_code is not None and not filter.statuses:
        filter = replace(filter, statuses=frozenset(Status) - _WITHOUT_ERROR)
    final = frozenset(status for status in filter.statuses if status.is_final)
    if not 0 < len(final) < len(filter.statuses) or _is_of_one(filter) or filter.metadata:
        return filter, None
    under_way = replace(filter, statuses=frozenset(filter.statuses) - final)
    few = await _few(connection, under_way)
    return (filter, None) if few is None else (replace(filter, statuses=final), few)


async def _few(connection: AsyncConnection, filter: NotificationFilter) -> Sequence[UUID] | None:
    """Return the ids that an index finds directly, if these are few.

    None: they are many, or there is no such index.
    """
    if filter.id is not None:
        return [filter.id]
    conditions = _direct(connection.dialect.name, filter)
    ids: list[UUID] = []
    for condition in conditions:
        if await _is_far_more(connection, condition):
            return None
        ids += await _some(connection, condition)
    return ids if conditions and len(ids) <= _FEW else None


async def _is_far_more(connection: AsyncConnection, condition: ColumnElement[bool]) -> bool:
    """Whether it holds for so many, by the planner's estimate, that they are not even looked for.

    PostgreSQL's index on metadata has all of them read before the first is known.
    """
    if connection.dialect.name != "postgresql":
        return False
    explained = Explained(select(n.c.id).where(condition))
    (plan,) = (await connection.execute(explained)).scalar_one()
    return bool(plan["Plan"]["Plan Rows"] > _FEW * _FAR_OFF)


async def _some(connection: AsyncConnection, condition: ColumnElement[bool]) -> Sequence[UUID]:
    """Return the ids of those for which it holds, or of one more than a few."""
    # Whatever order or limit there is inside, PostgreSQL might take another index for it.
    found = select(n.c.id).where(condition).cte("found").prefix_with("MATERIALIZED")
    return (await connection.scalars(select(found.c.id).limit(_FEW + 1))).all()


def _direct(dialect: str, filter: NotificationFilter) -> Sequence[ColumnElement[bool]]:
    if filter.metadata and dialect == "postgresql":
        return [and_(*has(n.c.metadata, filter.metadata, HasMember))]
    if filter.statuses and not any(status.is_final for status in filter.statuses):
        return [each for status in filter.statuses for each in IN_WORDS_OF_INDEXES[status]]
    return []


_given = given_rows("ids", id=ID)
_NAMED = select(n).join_from(_given, n, is_key(n.c.id, _given.c.id)).order_by(n.c.id.desc())


def _named(ids: Sequence[UUID]) -> Select[tuple[object, ...]]:
    return _NAMED.params(ids=joined(encode({"id": id.hex}) for id in ids))


def _named_of(
    ids: Sequence[UUID], filter: NotificationFilter, service: str | None, span: Span
) -> Select[Any]:
    is_within = (n.c.id >= span.first, n.c.id < span.end)
    return _named(ids).where(*of_service(service), *is_within, *matching(filter))


def counting(filter: NotificationFilter, service: str | None) -> Select[int]:
    """Return what counts all that match, by whatever index there is."""
    words = [each for status in filter.statuses for each in IN_WORDS_OF_INDEXES[status]]
    rest = matching(replace(filter, statuses=()))
    return select(func.count()).where(
        *of_service(service), *rest, *([or_(*words)] if words else [])
    )
