"""The feed: rows of all timelines in order of their ids, up to where no earlier one can come.

An id is drawn before its row is committed, so that rows become visible out of order. Whoever
writes them does nothing about it: a reader looks how far rows are visible and who is writing then,
and reads that far once all of these have ended. The order is that of ids because what happens to
one notification draws them under the lock of its row, one after the other.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    case,
    delete,
    func,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.feed import ACCEPT, START, Cursor, FeedEvent, FeedPage
from notifier.notification.model import Channel
from notifier.store.kit.database import Database
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import (
    ID,
    Now,
    SecondsFromNow,
    SecondsUntil,
    given_rows,
    literal_text,
    parameter,
)
from notifier.store.kit.writing import UNNAMED, WritersOf
from notifier.store.notification.tables import feed_cursors
from notifier.store.notification.tables import notification_events as events
from notifier.store.notification.tables import notifications as n

_PAUSES_S: Final = (0.005, 0.01, 0.02, 0.03, 0.035)
_NO_READER: Final = ""
"""Whose cursor is the last id that was removed."""

_removed = func.coalesce(
    select(feed_cursors.c.position)
    .where(feed_cursors.c.reader == literal_text(_NO_READER))
    .scalar_subquery(),
    literal(START),
)
# Not max(), and below no join with notifications: while a table is small or has just been emptied,
# any index that has the id anywhere seems as good for these as the key, and such plans are kept.
_newest = (
    select(events.c.id)
    .where(events.c.id > literal(START))
    .order_by(events.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_LOOK = select(
    func.coalesce(_newest, literal(START)).label("newest"),
    _removed.label("removed"),
    WritersOf(literal_text(events.name)).label("writers"),
)

_cursor = parameter("cursor", BigInteger)
_end = select(_removed.label("removed")).subquery("end")
_TOLD = ("id", "notification_id", "service", "at", "event", "attempt", "provider")
_asked = (
    select(*(events.c[name] for name in _TOLD))
    .where(events.c.id > _cursor, events.c.id <= parameter("through", BigInteger))
    .order_by(events.c.id)
    .limit(parameter("limit", BigInteger))
    .subquery("asked")
)
_channel = (
    select(case((n.c.id == _asked.c.notification_id, n.c.channel)))
    .where(n.c.id >= _asked.c.notification_id)
    .order_by(n.c.id)
    .limit(1)
    .scalar_subquery()
)
# In one statement, since only then what is there and what was removed are of one moment.
_AFTER = (
    select(_end.c.removed, _asked, _channel.label("channel"))
    .select_from(_end)
    .outerjoin(_asked, true())
)
_BEHIND = (
    select(SecondsUntil(events.c.at)).where(events.c.id > _cursor).order_by(events.c.id).limit(1)
)

_reader = parameter("of_reader")
_STORED = select(feed_cursors.c.position).where(feed_cursors.c.reader == _reader)
_kept = insert(feed_cursors).values(
    reader=_reader, position=parameter("at_position", BigInteger), updated_at=Now()
)


def _replacing(*, when: ColumnElement[bool] | None = None) -> Insert:
    new = _kept.excluded
    return _kept.on_conflict_do_update(
        index_elements=[feed_cursors.c.reader],
        set_={"position": new.position, "updated_at": new.updated_at},
        where=when,
    )


_STORE = _replacing()
_BEGIN = _kept.on_conflict_do_nothing(index_elements=[feed_cursors.c.reader])
_MOVE = (
    update(feed_cursors)
    .where(feed_cursors.c.reader == _reader, feed_cursors.c.position == _cursor)
    .values(position=parameter("at_position", BigInteger), updated_at=Now())
)
_NOTE_REMOVAL = _replacing(when=feed_cursors.c.position < _kept.excluded.position)
_given = given_rows(id=ID)
_REMOVE = (
    delete(events)
    .where(events.c.notification_id.in_(select(_given.c.id)))
    .returning(events.c.id, events.c.notification_id, events.c.event)
)
_READERS_KEPT_S = 7 * 86_400.0
_SLOWEST = select(func.min(feed_cursors.c.position)).where(
    feed_cursors.c.reader != literal_text(_NO_READER),
    feed_cursors.c.updated_at > SecondsFromNow(literal(-_READERS_KEPT_S)),
)


@dataclass(frozen=True, slots=True)
class _Sight:
    """How far rows were visible, and who was writing then."""

    newest: Cursor = START
    writers: frozenset[str] = frozenset()

    def is_settled(self, writers: Collection[str]) -> bool:
        """Whether all who wrote then have ended, if these write by now."""
        return UNNAMED not in writers and self.writers.isdisjoint(writers)


class SqlFeed:
    """`Feed` over SQL. It keeps how far it knows that nothing more can come; many may ask it."""

    def __init__(self, database: Database, pauses_s: Sequence[float] = _PAUSES_S) -> None:
        """`pauses_s` are between its looks for the end of those who write."""
        self._database = database
        self._pauses_s = pauses_s
        self._settled = START
        self._open = _Sight()

    async def after(self, cursor: Cursor, limit: int) -> FeedPage:
        if cursor < self._settled:
            page = await self._page(cursor, limit)
            if len(page.events) == limit:
                return page
        visible = await self._settle()
        if visible < cursor:
            return FeedPage((), visible, is_complete=False)
        if self._settled <= cursor:
            return FeedPage((), cursor, is_complete=True)
        return await self._page(cursor, limit)

    async def behind_s(self, cursor: Cursor) -> float:
        async def work(connection: AsyncConnection) -> float:
            until_s: float | None = await connection.scalar(_BEHIND, {"cursor": cursor})
            return max(0.0, -(until_s or 0.0))

        return await self._database.follow(work)

    async def settled(self, cursor: Cursor) -> Cursor:
        """Return how far after a cursor nothing more can come.

        That is before it where the database has lost what it is of.
        """
        if cursor < self._settled:
            return self._settled
        return min(await self._settle(), max(self._settled, cursor))

    async def _page(self, cursor: Cursor, limit: int) -> FeedPage:
        through = self._settled
        asked = {"cursor": cursor, "through": through, "limit": limit}

        async def work(connection: AsyncConnection) -> Sequence[Row[Any]]:
            return (await connection.execute(_AFTER, asked)).all()

        rows = await self._database.follow(work)
        found = sorted((_to_event(row) for row in rows if row.id is not None), key=_position)
        goes_on_after = found[-1].position if len(found) == limit else through
        return FeedPage(found, goes_on_after, is_complete=rows[0].removed <= cursor)

    async def _settle(self) -> Cursor:
        """Come to know of all that is visible now, if those who write end soon; returns its end."""
        visible = await self._look()
        for pause_s in self._pauses_s:
            if self._settled >= visible:
                break
            await asyncio.sleep(pause_s)
            await self._look()
        return visible

    async def _look(self) -> Cursor:
        # Those whom the answer does not name have ended only if it was asked after they were seen.
        before, settled = self._open, self._settled
        row = await self._database.follow(_look)
        writers = frozenset(row.writers or ())
        now = _Sight(max(row.newest, row.removed), writers)
        if now.newest < settled:
            # The database has lost what it had, with a failover or for a backup.
            before, self._settled = _Sight(), START
        if before.is_settled(writers):
            self._settled = max(self._settled, before.newest)
            self._open = now
        if not writers:
            self._settled = max(self._settled, now.newest)
        return now.newest


async def _look(connection: AsyncConnection) -> Row[*tuple[Any, ...]]:
    return (await connection.execute(_LOOK)).one()


_position = attrgetter("position")


def _to_event(row: Row[Any]) -> FeedEvent:
    return FeedEvent(
        position=row.id,
        notification_id=row.notification_id,
        service=row.service,
        channel=Channel(row.channel) if row.channel else None,
        at=row.at,
        event=row.event,
        attempt=row.attempt,
        provider=row.provider,
    )


async def slowest(connection: AsyncConnection) -> Cursor | None:
    """Return how far the slowest reader is, of those that moved within a week; None: no reader."""
    position: Cursor | None = await connection.scalar(_SLOWEST)
    return position


async def remove(connection: AsyncConnection, notifications: Collection[UUID]) -> Collection[UUID]:
    """Remove the timelines of these; readers that were not there yet will be told.

    Returns those of which the beginning was among what was removed.
    """
    rows = joined(encode({"id": id.hex}) for id in notifications)
    removed = (await connection.execute(_REMOVE, {"rows": rows})).all()
    if removed:
        last = max(row.id for row in removed)
        await connection.execute(_NOTE_REMOVAL, {"of_reader": _NO_READER, "at_position": last})
    return [row.notification_id for row in removed if row.event == ACCEPT]


async def store(connection: AsyncConnection, reader: str, cursor: Cursor) -> None:
    """Keep where a reader goes on, with all else that its transaction does."""
    await connection.execute(_STORE, {"of_reader": reader, "at_position": cursor})


async def stored(connection: AsyncConnection, reader: str) -> Cursor | None:
    """Return what a reader stored last; None: it never did."""
    position: Cursor | None = await connection.scalar(_STORED, {"of_reader": reader})
    return position


async def move(connection: AsyncConnection, reader: str, before: Cursor | None, to: Cursor) -> bool:
    """Keep where a reader goes on if it stored `before` last, with all else that is done here."""
    given = {"of_reader": reader, "at_position": to}
    if before is None:
        return (await connection.execute(_BEGIN, given)).rowcount == 1
    return (await connection.execute(_MOVE, {**given, "cursor": before})).rowcount == 1


class SqlCursors:
    """`Cursors` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stored(self, reader: str) -> Cursor | None:
        return await self._database.read(partial(stored, reader=reader))

    async def store(self, reader: str, cursor: Cursor) -> None:
        await self._database.write(partial(store, reader=reader, cursor=cursor))

    async def move(self, reader: str, before: Cursor | None, to: Cursor) -> bool:
        return await self._database.write(partial(move, reader=reader, before=before, to=to))
