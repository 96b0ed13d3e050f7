"""Firing schedules: whose turn it is, and what became of their slots."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Select,
    Uuid,
    and_,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy import Text as SqlText
from sqlalchemy import exists as exists_
from sqlalchemy.dialects.postgresql import insert as insert_new  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.pseudonym import Pseudonyms
from notifier.broadcasts.broadcast import Broadcast
from notifier.idempotency import Applied, Idempotency, KeyReused, Remembered
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, Lane
from notifier.schedules.due import Full, Line, Settled, Taken, Turn, Woken
from notifier.schedules.schedule import Run, RunKind, RunOutcome
from notifier.store.broadcasts.rows import values as broadcast_values
from notifier.store.broadcasts.tables import broadcasts
from notifier.store.kit.database import Database
from notifier.store.kit.distinct import values_of
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import (
    ID,
    Now,
    SqlType,
    UtcTime,
    given_rows,
    is_key,
    literal_text,
    parameter,
)
from notifier.store.notification.intake import insert_within, rows_of
from notifier.store.notification.line import LINE, of_line
from notifier.store.recipients.tables import recipients
from notifier.store.schedules.rows import progress_row, run_row, to_schedule
from notifier.store.schedules.tables import schedule_counts, schedule_runs, schedules

_s, _r, _c = schedules.c, schedule_runs.c, schedule_counts.c
_NOW: Select[datetime] = select(Now())
_as_of = parameter("as_of", UtcTime)

_every_service = values_of(_s.service)
_KINDS = [(channel, lane) for channel in Channel for lane in Lane]
_is_due = and_(_s.look_at <= _as_of, _s.look_at.is_not(None))


def _has_due(channel: Channel, lane: Lane) -> ColumnElement[bool]:
    return exists_().where(
        _s.service == _every_service.c.service,
        _s.channel == literal_text(channel),
        _s.lane == literal_text(lane),
        _is_due,
    )


_LINES = select(
    _every_service.c.service, *(_has_due(channel, lane) for channel, lane in _KINDS)
).where(_every_service.c.service.is_not(None))

_up = (
    select(_s.id)
    .where(
        _s.service == parameter("of_service"),
        _s.channel == parameter("of_channel"),
        _s.lane == parameter("of_lane"),
        _is_due,
    )
    .order_by(_s.look_at)
    .limit(parameter("limit", Integer))
    .with_for_update(skip_locked=True)
    .cte("up")
)
_TAKE = (
    update(schedules)
    .where(is_key(_s.id, _up.c.id))
    .values(look_at=parameter("until", UtcTime), turn=_s.turn + 1)
    .returning(schedules)
)

_given = given_rows(id=ID, turn=BigInteger, seen_at=UtcTime, next_at=UtcTime, clocks=SqlText)
_STANDING = (
    select(_s.id)
    .join_from(_given, schedules, is_key(_s.id, _given.c.id))
    .where(_s.turn == _given.c.turn)
    .order_by(_s.id)
    .with_for_update(of=schedules)
)
_GO_ON = (
    update(schedules)
    .where(is_key(_s.id, _given.c.id))
    .values(
        seen_at=_given.c.seen_at,
        next_at=_given.c.next_at,
        look_at=_given.c.next_at,
        clocks=_given.c.clocks,
        turn=_s.turn + 1,
    )
)
_RUN: Mapping[str, SqlType] = {
    "schedule_id": ID,
    "slot": UtcTime,
    "zone": SqlText,
    "kind": SqlText,
    "outcome": SqlText,
    "notification_id": Uuid,
    "broadcast_id": Uuid,
    "reason": SqlText,
}
_given_runs = given_rows(**_RUN)
_RECORD = (
    insert_new(schedule_runs)
    .from_select([*_RUN, "at"], select(*_given_runs.c, _as_of).where(true()))
    .on_conflict_do_nothing()
    .returning(_r.schedule_id, _r.slot, _r.zone)
)
_COUNT = (
    insert_new(schedule_counts)
    .values(
        outcome=parameter("counted"),
        runs=parameter("by_runs", BigInteger),
        late_s=parameter("by_s", Float),
    )
    .on_conflict_do_update(
        index_elements=[_c.outcome],
        set_={
            "runs": _c.runs + parameter("by_runs", BigInteger),
            "late_s": _c.late_s + parameter("by_s", Float),
        },
    )
)

_clocks_now = func.coalesce(recipients.c.time_zone, parameter("nobodys"))
_some = (
    select(_s.id)
    .where(_s.is_by_recipient, _s.look_at.is_not(None), _s.id > parameter("behind", ID))
    .order_by(_s.id)
    .limit(parameter("limit", Integer))
)
_given_ids = given_rows(id=ID)
_of_whom = and_(recipients.c.service == _s.service, recipients.c.user_id == _s.user_id)
_elsewhere = (
    select(_s.id)
    .join_from(_given_ids, schedules, is_key(_s.id, _given_ids.c.id))
    .outerjoin(recipients, _of_whom)
    .where(or_(_s.topic.is_not(None), _s.clocks != _clocks_now))
)
_WAKE = (
    update(schedules)
    .where(is_key(_s.id, _given_ids.c.id), _s.look_at > _as_of)
    .values(look_at=_as_of)
)
_NOWHERE = UUID(int=0)


class SqlFiring:
    """`Firing` over SQL."""

    def __init__(
        self,
        database: Database,
        pseudonyms: Pseudonyms | None = None,
        *,
        nobodys: str = "UTC",
        now: Select[datetime] = _NOW,
    ) -> None:
        """Make one.

        `pseudonyms` are those by which an address is known that was erased, `nobodys` is the zone
        of people of whom none is known, and `now` the clock to go by.
        """
        self._database = database
        self._pseudonyms = pseudonyms
        self._nobodys = nobodys
        self._now = now

    async def lines(self) -> Sequence[Line]:
        async def work(connection: AsyncConnection) -> Sequence[Line]:
            now = (await connection.scalars(self._now)).one()
            rows = (await connection.execute(_LINES, {"as_of": now})).all()
            return [
                Line(service, *kind)
                for service, *are_due in rows
                for kind, is_due in zip(_KINDS, are_due, strict=True)
                if is_due
            ]

        return await self._database.read(work)

    async def take(
        self, line: Line, *, limit: int, hold_s: float, most_waiting: int
    ) -> Taken | Full:
        which = of_line(line.service, line.channel, line.lane)

        async def work(connection: AsyncConnection) -> Taken | Full:
            waiting = (await connection.scalars(LINE, {**which, "most": most_waiting})).one()
            if waiting >= most_waiting:
                return Full()
            now = (await connection.scalars(self._now)).one()
            asked = {**which, "limit": min(limit, most_waiting - waiting), "as_of": now}
            until = {"until": now + timedelta(seconds=hold_s)}
            rows = (await connection.execute(_TAKE, {**asked, **until})).all()
            return Taken(now, [Turn(to_schedule(row), row.turn) for row in rows])

        return await self._database.write(work)

    async def record(self, settled: Sequence[Settled], *, now: datetime) -> Sequence[Run]:
        return await self._database.write(
            partial(_record, settled=settled, now=now, pseudonyms=self._pseudonyms)
        )

    async def record_manual(
        self,
        run: Run,
        made: Submission | Broadcast,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused:
        async def work(connection: AsyncConnection) -> Applied:
            now = (await connection.scalars(self._now)).one()
            if await _new_runs(connection, [run], now):
                await _make(connection, [made], self._pseudonyms)
            return Applied()

        return await write_once(self._database, idempotency, work)

    async def wake(self, after: UUID | None, *, limit: int) -> Woken:
        asked = {"behind": after or _NOWHERE, "limit": limit, "nobodys": self._nobodys}

        async def work(connection: AsyncConnection) -> Woken:
            some = (await connection.scalars(_some, asked)).all()
            compared = {**asked, "rows": _rows_of(some)}
            found = (await connection.scalars(_elsewhere, compared)).all()
            now = (await connection.scalars(self._now)).one()
            woken = await connection.execute(_WAKE, {"rows": _rows_of(found), "as_of": now})
            return Woken(woken.rowcount, some[-1] if len(some) == limit else None)

        return await self._database.write(work)


def _rows_of(ids: Iterable[UUID]) -> str:
    return joined(encode({"id": id.hex}) for id in ids)


async def _record(
    connection: AsyncConnection,
    *,
    settled: Sequence[Settled],
    now: datetime,
    pseudonyms: Pseudonyms | None,
) -> Sequence[Run]:
    """Record what became of slots, unless somebody else has the turn."""
    places = {
        each.turn.schedule.id: progress_row(each.turn.schedule, each.turn.number, each.progress)
        for each in settled
    }
    rows = {"rows": joined(places.values())}
    left = set((await connection.scalars(_STANDING, rows)).all())
    ours = [each for each in settled if each.turn.schedule.id in left]
    runs = await _new_runs(connection, [run for each in ours for run in each.runs], now)
    await _make(connection, _of_runs(ours, runs), pseudonyms)
    going_on = {"rows": joined(places[id] for id in left)}
    await connection.execute(_GO_ON, going_on)
    # Last, since everybody who records waits for whoever counts.
    await _count(connection, runs, now)
    return runs


def _of_runs(settled: Iterable[Settled], runs: Iterable[Run]) -> Sequence[Submission | Broadcast]:
    wanted = {id for run in runs for id in (run.notification_id, run.broadcast_id)}
    made: list[Submission | Broadcast] = []
    for each in settled:
        made += [*each.submissions, *each.broadcasts]
    return [each for each in made if each.id in wanted]


async def _new_runs(
    connection: AsyncConnection, runs: Sequence[Run], now: datetime
) -> Sequence[Run]:
    """Record these, but for those that are there; returns which were not."""
    if not runs:
        return ()
    rows = joined(map(run_row, runs))
    found = await connection.execute(_RECORD, {"rows": rows, "as_of": now})
    new = {(row.schedule_id, row.slot, row.zone) for row in found}
    return [each for each in runs if (each.schedule_id, each.slot, each.zone or "") in new]


async def _count(connection: AsyncConnection, runs: Sequence[Run], now: datetime) -> None:
    counted = Counter(run.outcome for run in runs if run.kind is RunKind.SCHEDULED)
    # In one order for everybody, so that two transactions never wait for one another.
    for outcome in filter(counted.get, RunOutcome):
        late = sum((now - run.slot).total_seconds() for run in runs if run.outcome is outcome)
        asked = {"counted": outcome.value, "by_runs": counted[outcome], "by_s": late}
        await connection.execute(_COUNT, asked)


async def _make(
    connection: AsyncConnection,
    made: Sequence[Submission | Broadcast],
    pseudonyms: Pseudonyms | None,
) -> None:
    submissions = [each for each in made if isinstance(each, Submission)]
    await insert_within(connection, submissions, rows_of(submissions, pseudonyms))
    for each in made:
        if isinstance(each, Broadcast):
            columns: Mapping[str, Any] = broadcast_values(each)
            await connection.execute(
                insert(broadcasts).from_select([*columns], select(*columns.values()))
            )
