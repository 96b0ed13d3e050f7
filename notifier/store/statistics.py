"""Tallies of what happened, counted from the feed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Float,
    Integer,
    Row,
    Select,
    Table,
    Text,
    and_,
    case,
    delete,
    func,
    literal,
    null,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.feed import START, Cursor
from notifier.notification.model import Channel, Lane
from notifier.notification.statistics import (
    BOUNDS_S,
    Durations,
    StatisticsFilter,
    Step,
    Tally,
)
from notifier.notification.transitions import SETTLE, SUCCEED
from notifier.store.kit.database import Database
from notifier.store.kit.elapsed import SecondsBetween, UnixSeconds
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import (
    Now,
    given_rows,
    is_key,
    literal_text,
    parameter,
)
from notifier.store.kit.tables import metadata
from notifier.store.notification import feed
from notifier.store.notification.feed import SqlFeed
from notifier.store.notification.tables import notification_events, notifications

READER: Final = "statistics"
_AT_ONCE = 10_000
_NONE = ""
_UNTIMED = -1

statistics = Table(
    "statistics",
    metadata,
    # How long the tally is of, and when that began, in seconds (since 1970).
    Column("step_s", Integer, primary_key=True),
    Column("start_s", BigInteger, primary_key=True),
    Column("service", Text, primary_key=True),
    # Empty, as the lane: of a notification of which only the timeline was left.
    Column("channel", Text, primary_key=True),
    Column("lane", Text, primary_key=True),
    Column("event", Text, primary_key=True),
    # Of a hand-over: which bucket its time is in; -1 of all else.
    Column("bucket", Integer, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
)

Counts: TypeAlias = Mapping[str, Any]
"""How often something happened, with a value for each column of the key but the step's."""

_KEY = ("step_s", "start_s", "service", "channel", "lane", "event", "bucket")
_s = statistics.c


def _timed() -> Select[Any]:
    """Return what happened in a part of the feed, and how long each hand-over took."""
    n = notifications.c
    found = _found.c
    is_handed_over = found.event.in_([literal_text(SUCCEED.name), literal_text(SETTLE.name)])
    went_when_due = and_(found.attempt == 1, n.due_at > n.created_at, n.due_at <= found.at)
    began = case((went_when_due, n.due_at), else_=n.created_at)
    at_s = UnixSeconds(found.at)
    return (
        select(
            (at_s - at_s % Step.MINUTE.length_s).label("start_s"),
            found.service,
            func.coalesce(n.channel, literal_text(_NONE)).label("channel"),
            func.coalesce(n.lane, literal_text(_NONE)).label("lane"),
            found.event,
            case((is_handed_over, SecondsBetween(began, found.at)), else_=null()).label("took_s"),
        )
        .select_from(_found)
        .outerjoin(notifications, is_key(n.id, found.notification_id))
    )


def _bucket(took_s: ColumnElement[float]) -> ColumnElement[int]:
    bounds = ((took_s <= bound, literal(place)) for place, bound in enumerate(BOUNDS_S))
    return case((took_s.is_(None), literal(_UNTIMED)), *bounds, else_=literal(len(BOUNDS_S)))


_e = notification_events.c
_found = (
    select(_e.service, _e.at, _e.event, _e.attempt, _e.notification_id)
    .where(_e.id > parameter("cursor", BigInteger), _e.id <= parameter("through", BigInteger))
    .subquery("found")
)
_timed_ones = _timed().subquery("timed")
_each = select(_timed_ones, _bucket(_timed_ones.c.took_s).label("bucket")).subquery("each")
_GROUPS = [_each.c[name] for name in _KEY if name != "step_s"]
_COUNTED = select(
    *_GROUPS,
    func.count().label("count"),
    func.coalesce(func.sum(_each.c.took_s), literal(0.0)).label("seconds"),
).group_by(*_GROUPS)

_given = given_rows(**{name: _s[name].type for name in (*_KEY, "count", "seconds")})
# SQLite needs the WHERE to tell ON CONFLICT from a join's ON.
_new = insert(statistics).from_select(
    [column.name for column in _given.c], select(*_given.c).where(text("true"))
)
_ADD = _new.on_conflict_do_update(
    index_elements=[_s[name] for name in _KEY],
    set_={
        "count": _s["count"] + _new.excluded["count"],
        "seconds": _s.seconds + _new.excluded.seconds,
    },
)
_PURGE = delete(statistics).where(
    _s.step_s == parameter("of_step_s", Integer),
    _s.start_s < UnixSeconds(Now()) - parameter("kept_s", BigInteger),
)


class SqlStatistics:
    """`Statistics` over SQL."""

    def __init__(self, database: Database, feed: SqlFeed, at_once: int = _AT_ONCE) -> None:
        """`at_once` is of how many events one transaction is."""
        self._database = database
        self._feed = feed
        self._at_once = at_once

    async def tally(self) -> bool:
        before = await self._stored()
        cursor = START if before is None else before
        settled = await self._feed.settled(cursor)
        through = min(settled, cursor + self._at_once)
        if through == before:
            return False
        rows = await self._database.follow(partial(_counts, cursor, through))
        moved = await self._database.write(partial(_add, rows, before, through))
        return moved and through < settled

    async def list(self, filter: StatisticsFilter) -> Sequence[Tally]:
        found = await self._database.search(partial(_listed, filter))
        return list(_tallies(found))

    async def behind_s(self) -> float:
        cursor = await self._stored()
        return await self._feed.behind_s(START if cursor is None else cursor)

    async def purge(self) -> int:
        return await self._database.write(_purge)

    async def _stored(self) -> Cursor | None:
        return await self._database.read(partial(feed.stored, reader=READER))


async def _counts(cursor: Cursor, through: Cursor, connection: AsyncConnection) -> Sequence[Counts]:
    given = {"cursor": cursor, "through": through}
    return [dict(row) for row in (await connection.execute(_COUNTED, given)).mappings()]


async def _add(
    rows: Sequence[Counts],
    before: Cursor | None,
    through: Cursor,
    connection: AsyncConnection,
) -> bool:
    """Add what was counted, unless somebody else did; whoever moves the cursor has."""
    if not await feed.move(connection, READER, before, through):
        return False
    if rows:
        await connection.execute(_ADD, {"rows": joined(map(encode, _by_step(rows)))})
    return True


def _by_step(rows: Sequence[Counts]) -> Iterator[Mapping[str, object]]:
    """Return one row for each tally of each step."""
    for step in Step:
        counts: dict[tuple[object, ...], list[Any]] = defaultdict(lambda: [0, 0.0])
        for row in rows:
            start_s = row["start_s"] - row["start_s"] % step.length_s
            total = counts[(step.length_s, start_s, *(row[name] for name in _KEY[2:]))]
            total[0] += row["count"]
            total[1] += row["seconds"]
        for key, (count, seconds) in counts.items():
            yield {**dict(zip(_KEY, key, strict=True)), "count": count, "seconds": seconds}


async def _purge(connection: AsyncConnection) -> int:
    gone = 0
    for step in Step:
        given = {"of_step_s": step.length_s, "kept_s": step.kept_s}
        gone += (await connection.execute(_PURGE, given)).rowcount
    return gone


async def _listed(filter: StatisticsFilter, connection: AsyncConnection) -> Sequence[Row[Any]]:
    rows: Sequence[Row[Any]] = (await connection.execute(_asked(filter))).all()
    return rows


def _asked(filter: StatisticsFilter) -> Select[Any]:
    parts = [_s.channel, _s.lane] if filter.apart else []
    keys = [_s.start_s, *parts, _s.event, _s.bucket]
    count, seconds = func.sum(_s["count"]), func.sum(_s.seconds)
    return (
        select(*keys, count.label("count_"), seconds.label("seconds"))
        .where(*_matching(filter))
        .group_by(*keys)
        .order_by(_s.start_s, *parts)
    )


def _matching(filter: StatisticsFilter) -> Iterator[ColumnElement[bool]]:
    yield _s.step_s == filter.step.length_s
    yield _s.start_s >= int(filter.since.timestamp())
    yield _s.start_s < int(filter.before.timestamp())
    asked = {_s.service: filter.service, _s.channel: filter.channel, _s.lane: filter.lane}
    yield from (column == value for column, value in asked.items() if value is not None)


def _tallies(rows: Sequence[Row[Any]]) -> Iterator[Tally]:
    for _, found in groupby(rows, _place):
        yield _tally(list(found))


def _place(row: Row[Any]) -> tuple[int, str, str]:
    return row.start_s, getattr(row, "channel", _NONE), getattr(row, "lane", _NONE)


def _tally(rows: Sequence[Row[Any]]) -> Tally:
    start_s, channel, lane = _place(rows[0])
    events: dict[str, int] = defaultdict(int)
    buckets: dict[int, int] = defaultdict(int)
    for row in rows:
        events[row.event] += int(row.count_)
        if row.bucket != _UNTIMED:
            buckets[row.bucket] += int(row.count_)
    return Tally(
        at=datetime.fromtimestamp(start_s, UTC),
        channel=Channel(channel) if channel else None,
        lane=Lane(lane) if lane else None,
        events=dict(events),
        delivery=Durations(dict(buckets), sum(row.seconds for row in rows)),
    )
