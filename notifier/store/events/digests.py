"""Digests, as they are looked at."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Row,
    ScalarSelect,
    case,
    func,
    literal,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.events.digest import DigestFilter, DigestState, DigestsUnderWay, StoredDigest
from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.store.events.tables import IS_FAILED, digests
from notifier.store.kit.database import Database
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.naming import is_named, named
from notifier.store.kit.paging import listed, matching, newest_first
from notifier.store.kit.sql import Now, SecondsUntil

_d = digests.c
_MOST_COUNTED = 1_000_000
_is_open = _d.closed_at.is_(None)
_is_closed = _d.closed_at.is_not(None) & _d.settled_at.is_(None)
_is_failed = literal_column(IS_FAILED, Boolean)
_IN: Mapping[DigestState, ColumnElement[bool]] = {
    DigestState.OPEN: _is_open,
    DigestState.CLOSED: _is_closed,
    DigestState.SENT: _d.notification_ids.is_not(None),
    DigestState.EMPTY: _d.settled_at.is_not(None) & (_d["count"] == 0),
    DigestState.FAILED: _is_failed,
}
_state = case(*((which, literal(state.value)) for state, which in _IN.items())).label("state")
_IS_NAMED = is_named(digests)
_GET = select(*_d, _state).where(_IS_NAMED)
_REPLAY = (
    update(digests)
    .where(_IS_NAMED, _is_failed)
    .values(settled_at=null(), reason=null(), count=null(), tries=0, look_at=Now())
)


def _many(which: ColumnElement[bool]) -> ScalarSelect[int]:
    some = select(literal(1)).select_from(digests).where(which).limit(_MOST_COUNTED).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def _since(column: ColumnElement[datetime], which: ColumnElement[bool]) -> ColumnElement[float]:
    oldest = select(func.min(column)).where(which).scalar_subquery()
    return func.coalesce(-SecondsUntil(oldest), 0.0)


_UNDER_WAY = select(
    _many(_is_open).label("open"),
    _many(_is_closed).label("closed"),
    _many(_is_failed).label("failed"),
    _since(_d.due_at, _is_open).label("open_s"),
    # One that is full is closed before it is due.
    _since(_d.closed_at, _is_closed).label("closed_s"),
)


class SqlDigestStore:
    """`DigestStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, filter: DigestFilter, *, limit: int, after: UUID | None
    ) -> Sequence[StoredDigest]:
        those = select(*_d, _state).where(
            *matching({_d.service: filter.service, _d.rule: filter.rule}),
            *([_IN[filter.state]] if filter.state else ()),
        )
        query = newest_first(those, _d.id, limit=limit, after=after)
        return await listed(self._database, query, _to_digest)

    async def get(self, id: UUID, *, service: str | None) -> StoredDigest | NotFound:
        async def work(connection: AsyncConnection) -> StoredDigest | NotFound:
            return await _get(connection, id, service)

        return await self._database.read(work)

    async def replay(
        self, id: UUID, *, service: str | None, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused | StoredDigest | NotFound:
        which = named(id, service)

        async def work(connection: AsyncConnection) -> Applied | StoredDigest | NotFound:
            if (await connection.execute(_REPLAY, which)).rowcount:
                return Applied()
            return await _get(connection, id, service)

        return await write_once(self._database, idempotency, work)

    async def under_way(self) -> DigestsUnderWay:
        return await self._database.search(_under_way)


async def _under_way(connection: AsyncConnection) -> DigestsUnderWay:
    row = (await connection.execute(_UNDER_WAY)).one()
    overdue_s = max(0.0, row.open_s, row.closed_s)
    return DigestsUnderWay(open=row.open, closed=row.closed, failed=row.failed, overdue_s=overdue_s)


async def _get(
    connection: AsyncConnection, id: UUID, service: str | None
) -> StoredDigest | NotFound:
    row = (await connection.execute(_GET, named(id, service))).one_or_none()
    return _to_digest(row) if row else NotFound()


def _to_digest(row: Row[*tuple[Any, ...]]) -> StoredDigest:
    # A row has a method `count`.
    found = row._mapping  # noqa: SLF001  its public name
    return StoredDigest(
        id=row.id,
        service=row.service,
        rule=row.rule,
        version_id=row.version_id,
        person=row.person,
        is_user=row.is_user,
        key=row.key,
        state=DigestState(row.state),
        reason=row.reason,
        count=found["count"],
        opened_at=row.opened_at,
        due_at=row.due_at,
        closed_at=row.closed_at,
        settled_at=row.settled_at,
        notification_ids=[UUID(each) for each in orjson.loads(row.notification_ids or "[]")],
    )
