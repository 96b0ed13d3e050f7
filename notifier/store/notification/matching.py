"""What notifications a search is for: conditions on each, and which ids there can be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Text, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.recipient import compared_forms
from notifier.notification.reading import NotificationFilter
from notifier.store.kit.sql import HasMember, IsMember, literal_text
from notifier.store.notification.tables import beginnings, versions_by_name
from notifier.store.notification.tables import notifications as n

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 2**48 - 1
_RANDOM_BITS = 80
_MADE_BEFORE_MS = 86_400_000
"""More than an id is ever older than its notification: it may be made long before."""
_CLOCKS_DIFFER_MS = 600_000
"""More than the clock of an API process, which makes ids, is ever ahead of the database's."""

Conditions: TypeAlias = tuple[ColumnElement[bool], ...]

_NO_ID, _EVERY_ID = UUID(int=0), UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Span:
    """Ids from one on, and before another."""

    first: UUID = _NO_ID
    end: UUID = _EVERY_ID

    def before(self, id: UUID | None) -> "Span":
        """Return what it has before this id; None: all of it."""
        return self if id is None else Span(self.first, min(self.end, id))


def of_service(service: str | None) -> Conditions:
    """Return the condition that a notification is of a service; none for None."""
    return () if service is None else (n.c.service == service,)


def matching(filter: NotificationFilter, of: FromClause = n) -> Conditions:
    """Return the conditions on each of these notifications, for which no index is looked for."""
    conditions = [*has(of.c.metadata, filter.metadata, IsMember), *_equal(filter, of)]
    if filter.statuses:
        conditions.append((of.c.status + literal_text("")).in_(sorted(filter.statuses)))
    if filter.channels:
        conditions.append(of.c.channel.in_(sorted(filter.channels)))
    if filter.lanes:
        conditions.append(of.c.lane.in_(sorted(filter.lanes)))
    if filter.recipient is not None:
        conditions.append(of.c.recipient.in_(sorted(compared_forms(filter.recipient))))
    if filter.template is not None:
        of_name = select(versions_by_name.c.id).where(versions_by_name.c.name == filter.template)
        conditions.append(of.c.template_version_id.in_(of_name))
    if filter.created_from is not None:
        conditions.append(of.c.created_at >= filter.created_from)
    if filter.created_before is not None:
        conditions.append(of.c.created_at < filter.created_before)
    return tuple(conditions)


def _equal(filter: NotificationFilter, of: FromClause) -> Sequence[ColumnElement[bool]]:
    wanted = {
        of.c.id: filter.id,
        of.c.user_id: filter.user_id,
        of.c.category: filter.category,
        of.c.provider: filter.provider,
        of.c.fault_code: filter.error_code,
        of.c.broadcast_id: filter.broadcast_id,
        of.c.rule: filter.rule,
    }
    return [column == value for column, value in wanted.items() if value is not None]


def has(
    column: ColumnElement[Any], metadata: Mapping[str, str], how: type[HasMember | IsMember]
) -> Conditions:
    """Return the conditions that an object of a column has these members."""
    return tuple(
        how(column, literal(name, Text), literal(value, Text)) for name, value in metadata.items()
    )


async def span_of(
    connection: AsyncConnection, filter: NotificationFilter, after: UUID | None
) -> Span:
    """Return which ids there can be of what a search is for: no index has times."""
    if filter.broadcast_id is not None:
        return (await _span_of_broadcast(connection, filter.broadcast_id)).before(after)
    first, end = _NO_ID, _EVERY_ID
    if filter.created_from is not None:
        first = first_id(filter.created_from, -_MADE_BEFORE_MS)
    if filter.created_before is not None:
        end = first_id(filter.created_before, +_CLOCKS_DIFFER_MS)
    return Span(first, end).before(after)


async def _span_of_broadcast(connection: AsyncConnection, id: UUID) -> Span:
    """Return which ids the notifications of a broadcast have: they are made of its beginning."""
    began = func.coalesce(beginnings.c.started_at, beginnings.c.created_at)
    at = await connection.scalar(select(began).where(beginnings.c.id == id))
    if at is None:
        return Span(_NO_ID, _NO_ID)
    made_ms = round(at.timestamp() * 1_000)
    return Span(UUID(int=made_ms << _RANDOM_BITS), UUID(int=made_ms + 1 << _RANDOM_BITS))


def first_id(at: datetime, offset_ms: int = 0) -> UUID:
    """Return the least id made so long after this time.

    RFC 9562, section 5.7: a UUIDv7 begins with the milliseconds since 1970.
    """
    made_ms = (at - _EPOCH) // timedelta(milliseconds=1) + offset_ms
    return UUID(int=min(max(made_ms, 0), _LATEST_MS) << _RANDOM_BITS)
