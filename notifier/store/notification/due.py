"""What is due and not in the broker, and who is to publish it: services take turns.

Both statements ask for what no index but `ix_notifications_turns` has in its order. Where a
condition and an order could be had from another one just as well, PostgreSQL takes that while it
believes the table to be small, and keeps to it until the table is analysed. Other indexes begin
with a service as well: what is compared begins with the lane. Only a take has to end with what is
due of its service, and of columns that are compared as a row PostgreSQL only sees where the first
one ends. There, sorting is made to look dear.
"""

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    FromClause,
    Integer,
    Row,
    ScalarSelect,
    Text,
    and_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane, Status
from notifier.notification.queueing import WorkQueue
from notifier.notification.transitions import SUPPRESS
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import (
    Now,
    SecondsFromNow,
    ToldToSqlite,
    given_rows,
    is_key,
    literal_text,
    parameter,
)
from notifier.store.kit.transaction import SortingDearly
from notifier.store.notification import timeline
from notifier.store.notification.changes import erased, set_where
from notifier.store.notification.rows import event_row, to_envelope
from notifier.store.notification.suppressing import is_suppressed
from notifier.store.notification.tables import notifications as n

_c = n.alias("candidate")
_waits = and_(_c.c.status == literal_text(Status.PENDING), _c.c.published_at.is_(None))
_order = (_c.c.channel, _c.c.lane, _c.c.service, _c.c.relay_at)


def _is_due(*line: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a candidate of this channel, lane and service is due."""
    *queue, service = line
    return and_(
        _waits,
        *(column == value for column, value in zip(_order, queue, strict=False)),
        ToldToSqlite(and_(_c.c.service == service, _c.c.relay_at <= Now())),
        _c.c.service >= service,
        tuple_(*_order[2:]) <= tuple_(service, Now()),
    )


def _first_service(of: FromClause, after: ColumnElement[str] | None = None) -> ScalarSelect[str]:
    place = [_c.c.lane >= of.c.lane]
    if after is not None:
        place = [tuple_(_c.c.lane, _c.c.service) > tuple_(of.c.lane, after)]
        place.append(ToldToSqlite(_c.c.service > after))
    return (
        select(_c.c.service)
        .where(
            _waits,
            _c.c.channel == of.c.channel,
            ToldToSqlite(_c.c.lane == of.c.lane),
            *place,
            _c.c.lane <= of.c.lane,
        )
        .order_by(_c.c.lane, _c.c.service)
        .limit(1)
        .correlate(of)
        .scalar_subquery()
    )


# From one service to the next: how much each has waiting costs nothing.
_queues = given_rows("queues", channel=Text, lane=Text)
_first = select(_queues.c.channel, _queues.c.lane, _first_service(_queues).label("service"))
_seen = _first.cte("seen", recursive=True)
_next = _first_service(_seen, after=_seen.c.service)
_services = _seen.union_all(
    select(_seen.c.channel, _seen.c.lane, _next.label("service")).where(
        _seen.c.service.is_not(None)
    )
)
_since = (
    select(_c.c.relay_at)
    .where(
        _waits,
        _c.c.channel == _services.c.channel,
        ToldToSqlite(and_(_c.c.lane == _services.c.lane, _c.c.service == _services.c.service)),
        tuple_(_c.c.lane, _c.c.service) >= tuple_(_services.c.lane, _services.c.service),
        _c.c.lane <= _services.c.lane,
    )
    .order_by(*_order[1:])
    .limit(1)
    .correlate(_services)
    .scalar_subquery()
)
_lines = select(_services, _since.label("since")).where(_services.c.service.is_not(None)).subquery()
_DUE_LINES = select(_lines).where(_lines.c.since <= Now(), SortingDearly()).order_by(_lines.c.since)

_line = (parameter("of_channel"), parameter("of_lane"), parameter("of_service"))
_picked = (
    select(_c.c.id, is_suppressed(_c.c).label("is_suppressed"))
    .where(_is_due(*_line))
    .order_by(*_order[2:])
    .limit(parameter("limit", Integer))
    .with_for_update(of=_c, skip_locked=True)
    .cte("picked")
)
_TAKE = (
    update(n)
    .where(is_key(n.c.id, _picked.c.id))
    .values(
        status=set_where(n.c.status, literal_text(SUPPRESS.target), when=_picked.c.is_suppressed),
        relay_at=SecondsFromNow(parameter("hold_s", Float)),
        finished_at=set_where(n.c.finished_at, Now(), when=_picked.c.is_suppressed),
        updated_at=set_where(n.c.updated_at, Now(), when=_picked.c.is_suppressed),
        **erased(_picked.c.is_suppressed),
    )
    .returning(n.c.id, n.c.channel, n.c.lane, n.c.attempt, n.c.traceparent, n.c.status)
)

_LANES = tuple(Lane)
# A statement for each; the others' turn comes next.
_MOST_SERVICES = 50


async def due_queues(connection: AsyncConnection, *, lanes: Collection[Lane]) -> list[WorkQueue]:
    """Return the queues for which something is due, high lanes first."""
    queues = [(channel, lane) for channel in Channel for lane in lanes]
    lines = await _due_lines(connection, queues)
    return sorted({(Channel(line.channel), Lane(line.lane)) for line in lines}, key=_rank)


async def take_due(
    connection: AsyncConnection, *, limit: int, hold_s: float, queues: Collection[WorkQueue]
) -> Sequence[Envelope]:
    """Take what is due for these queues; SUPPRESS what nobody wants any more."""
    lines = sorted(await _due_lines(connection, queues), key=_queue_of)
    taken: list[Row[Any]] = []
    for _, of_queue in groupby(lines, key=_queue_of):
        left = limit - len(taken)
        services = list(of_queue)[: min(left, _MOST_SERVICES)]
        for line in services:
            taken += await _take(connection, line, left // len(services), hold_s)
    suppressed = [row for row in taken if row.status == SUPPRESS.target]
    await timeline.append(
        connection, [event_row(row.id, SUPPRESS.name, row.attempt) for row in suppressed]
    )
    return [to_envelope(row) for row in taken if row.status == Status.PENDING]


async def _take(
    connection: AsyncConnection, line: Row[Any], limit: int, hold_s: float
) -> Sequence[Row[Any]]:
    parameters = {
        "of_channel": line.channel,
        "of_lane": line.lane,
        "of_service": line.service,
        "limit": limit,
        "hold_s": hold_s,
    }
    return (await connection.execute(_TAKE, parameters)).all()


async def _due_lines(
    connection: AsyncConnection, queues: Collection[WorkQueue]
) -> Sequence[Row[Any]]:
    """Services that have something due for these queues, who waited longest first."""
    rows = joined(encode({"channel": channel, "lane": lane}) for channel, lane in queues)
    return (await connection.execute(_DUE_LINES, {"queues": rows})).all()


def _queue_of(line: Row[Any]) -> tuple[int, str]:
    return _rank((Channel(line.channel), Lane(line.lane)))


def _rank(queue: WorkQueue) -> tuple[int, str]:
    channel, lane = queue
    return (_LANES.index(lane), channel)
