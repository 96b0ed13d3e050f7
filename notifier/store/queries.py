"""Reading notifications."""

import builtins
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    Table,
    Text,
    and_,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.errors import SchemaError, StoreUnavailableError
from notifier.notification import Notification, Status, TimelineEntry
from notifier.ports import Account, Backlog, NotificationFilter
from notifier.recipient import compared_forms
from notifier.store import timeline
from notifier.store.database import Database, Work
from notifier.store.migrations import problem_of
from notifier.store.moves import status_in
from notifier.store.rows import to_notification, to_timeline_entry
from notifier.store.sql import ID, HasMember, Now, literal_text, parameter
from notifier.store.tables import idempotency_keys, unknown_messages
from notifier.store.tables import notification_events as events
from notifier.store.tables import notifications as n

_TIMELINE = (
    select(events)
    .where(events.c.notification_id == parameter("id", ID))
    .order_by(events.c.notification_id, events.c.id)
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 2**48 - 1
_RANDOM_BITS = 80
_CLOCKS_DIFFER_MS = 86_400_000
"""More than the clock of an API process, which makes ids, is ever off the database's."""
_PING = select(literal(1))
# One row, which no client's key can be, as keys are not empty.
_PROOF = (
    insert(idempotency_keys)
    .values(service="", key="", fingerprint="", answer="", created_at=Now())
    .on_conflict_do_update(
        index_elements=[idempotency_keys.c.service, idempotency_keys.c.key],
        set_={"created_at": Now()},
    )
)


class SqlQueryStore:
    """`QueryStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, id: UUID, *, service: str | None) -> Notification | None:
        rows = await self._database.read(_reading([_of(service).where(n.c.id == id)]))
        return rows[0] if rows else None

    async def timeline(self, id: UUID) -> Sequence[TimelineEntry]:
        async def work(connection: AsyncConnection) -> Sequence[TimelineEntry]:
            result = await connection.execute(_TIMELINE, {"id": id})
            return [to_timeline_entry(row) for row in result]

        return await self._database.read(work)

    async def list(
        self, filter: NotificationFilter, *, service: str | None, limit: int, after: UUID | None
    ) -> Sequence[Notification]:
        query = _of(service)
        if after is not None:
            query = query.where(n.c.id < after)
        query = query.order_by(n.c.id.desc()).limit(limit)
        queries = [_filtered(query, each) for each in _by_form(filter)]
        found = await self._database.search(_reading(queries))
        return sorted(found, key=lambda each: each.id, reverse=True)[:limit]

    async def count(self, filter: NotificationFilter, *, service: str | None) -> int:
        counts = [
            _filtered(_of(service), each).with_only_columns(func.count())
            for each in _by_form(filter)
        ]

        async def work(connection: AsyncConnection) -> int:
            return sum([(await connection.execute(each)).scalar_one() for each in counts])

        return await self._database.search(work)

    async def account(self, *, service: str | None) -> Account:
        return await self._database.search(partial(_account, service=service))

    async def backlog(self) -> Backlog:
        return await self._database.search(_backlog)

    async def ping(self) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_PING)

        await self._database.read(work)

    async def prove(self) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_PROOF)

        if problem := await self._database.prove(work):
            raise StoreUnavailableError(problem)

    async def schema_problem(self) -> str | None:
        try:
            return await self._database.read(problem_of)
        except SchemaError as error:
            return str(error)


def _reading(
    queries: Sequence[Select[tuple[object, ...]]],
) -> Work[builtins.list[Notification]]:
    async def work(connection: AsyncConnection) -> builtins.list[Notification]:
        rows = [row for query in queries for row in await connection.execute(query)]
        return [to_notification(row) for row in rows]

    return work


def _of(service: str | None) -> Select[tuple[object, ...]]:
    query = select(n)
    return query if service is None else query.where(n.c.service == service)


# Conditions on a status in the words of the partial indexes.
_is_unpublished = and_(status_in(Status.PENDING), n.c.published_at.is_(None))
_is_published = and_(status_in(Status.PENDING), n.c.published_at.is_not(None))
_is_processing = status_in(Status.PROCESSING)
_is_final = n.c.status.not_in([literal_text(Status.PENDING), literal_text(Status.PROCESSING)])


def _has_one_of(statuses: Collection[Status]) -> ColumnElement[bool]:
    return or_(
        *(
            or_(_is_unpublished, _is_published) if status is Status.PENDING else status_in(status)
            for status in sorted(statuses)
        )
    )


def _by_form(filter: NotificationFilter) -> Sequence[NotificationFilter]:
    """Return a filter for each form in which its recipient may be stored.

    One statement for all would read everything that they match before the newest are known.
    """
    if filter.recipient is None:
        return [filter]
    return [replace(filter, recipient=each) for each in compared_forms(filter.recipient)]


def _filtered(
    query: Select[tuple[object, ...]], filter: NotificationFilter
) -> Select[tuple[object, ...]]:
    if filter.statuses:
        query = query.where(_has_one_of(filter.statuses))
    if filter.channels:
        query = query.where(n.c.channel.in_(sorted(filter.channels)))
    if filter.recipient is not None:
        query = query.where(n.c.recipient == filter.recipient)
    if filter.created_from is not None:
        query = query.where(
            n.c.created_at >= filter.created_from,
            n.c.id >= _first_id(filter.created_from, -_CLOCKS_DIFFER_MS),
        )
    if filter.created_before is not None:
        query = query.where(
            n.c.created_at < filter.created_before,
            n.c.id < _first_id(filter.created_before, +_CLOCKS_DIFFER_MS),
        )
    for name, value in filter.metadata.items():
        query = query.where(HasMember(n.c.metadata, literal(name, Text), literal(value, Text)))
    return query


def _first_id(at: datetime, offset_ms: int) -> UUID:
    """Return the least id made so long after this time: an index has ids, and none has times.

    RFC 9562, section 5.7: a UUIDv7 begins with the milliseconds since 1970.
    """
    made_ms = (at - _EPOCH) // timedelta(milliseconds=1) + offset_ms
    return UUID(int=min(max(made_ms, 0), _LATEST_MS) << _RANDOM_BITS)


async def _account(connection: AsyncConnection, *, service: str | None) -> Account:
    # One statement, so that it sees one state.
    counts: Counter[str] = Counter()
    for row in await connection.execute(_account_query(service)):
        counts[row.name] += row.count_
    return Account(
        accepted=counts.get(timeline.ACCEPT, 0),
        by_status={status: counts.get(status, 0) for status in Status},
        outcome_unknown=counts.get("outcome_unknown", 0),
        late_completions=counts.get(timeline.LATE_COMPLETION, 0),
        unknown_messages=counts["unknown_messages"],
    )


async def _backlog(connection: AsyncConnection) -> Backlog:
    counts: dict[str, int] = {row.name: row.count_ for row in await connection.execute(_BACKLOG)}
    return Backlog(
        pending=counts["unpublished"] + counts["published"],
        processing=counts["processing"],
        outcome_unknown=counts["outcome_unknown"],
        late_completions=counts[timeline.LATE_COMPLETION],
        unknown_messages=counts["unknown_messages"],
    )


def _account_query(service: str | None) -> CompoundSelect[str, int]:
    parts = [
        _count(literal(event), events).where(events.c.event == literal_text(event))
        for event in (timeline.ACCEPT, timeline.LATE_COMPLETION)
    ]
    parts += [
        _counted(Status.PENDING, _is_unpublished),
        _counted(Status.PENDING, _is_published),
        _counted(Status.PROCESSING, _is_processing),
    ]
    parts.append(_count(n.c.status, n).where(_is_final).group_by(n.c.status))
    parts.append(_count(literal("outcome_unknown"), n).where(n.c.outcome_unknown))
    if service is not None:
        tables = (events, events, n, n, n, n, n)
        parts = [
            part.where(table.c.service == service)
            for part, table in zip(parts, tables, strict=True)
        ]
    return union_all(*parts, _unknown_messages)


def _count(name: ColumnElement[str], table: Table) -> Select[str, int]:
    return select(name.label("name"), func.count().label("count_")).select_from(table)


def _counted(name: str, where: ColumnElement[bool]) -> Select[str, int]:
    table = events if name == timeline.LATE_COMPLETION else n
    return _count(literal(name), table).where(where)


_unknown_messages = _count(literal("unknown_messages"), unknown_messages)
_BACKLOG = union_all(
    _counted("unpublished", _is_unpublished),
    _counted("published", _is_published),
    _counted("processing", _is_processing),
    _counted("outcome_unknown", n.c.outcome_unknown),
    _counted(timeline.LATE_COMPLETION, events.c.event == literal_text(timeline.LATE_COMPLETION)),
    _unknown_messages,
)
