"""Digests, as they are looked at."""

from datetime import datetime

from sqlalchemy import ColumnElement, ScalarSelect, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.events.digest import DigestsUnderWay
from notifier.store.events.tables import digests
from notifier.store.kit.database import Database
from notifier.store.kit.sql import SecondsUntil

_d = digests.c
_MOST_COUNTED = 1_000_000
_is_open = _d.closed_at.is_(None)
_is_closed = _d.closed_at.is_not(None) & _d.settled_at.is_(None)


def _many(which: ColumnElement[bool]) -> ScalarSelect[int]:
    some = select(literal(1)).select_from(digests).where(which).limit(_MOST_COUNTED).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def _since(column: ColumnElement[datetime], which: ColumnElement[bool]) -> ColumnElement[float]:
    oldest = select(func.min(column)).where(which).scalar_subquery()
    return func.coalesce(-SecondsUntil(oldest), 0.0)


_UNDER_WAY = select(
    _many(_is_open).label("open"),
    _many(_is_closed).label("closed"),
    _since(_d.due_at, _is_open).label("open_s"),
    # One that is full is closed before it is due.
    _since(_d.closed_at, _is_closed).label("closed_s"),
)


class SqlDigestStore:
    """`DigestStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def under_way(self) -> DigestsUnderWay:
        return await self._database.search(_under_way)


async def _under_way(connection: AsyncConnection) -> DigestsUnderWay:
    row = (await connection.execute(_UNDER_WAY)).one()
    overdue_s = max(0.0, row.open_s, row.closed_s)
    return DigestsUnderWay(open=row.open, closed=row.closed, overdue_s=overdue_s)
