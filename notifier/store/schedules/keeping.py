"""Keeping schedules, as their services see them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Float, Update, and_, case, delete, literal, null, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.idempotency import Applied, Idempotency, KeyReused, LostRace, NotFound, Remembered
from notifier.schedules.schedule import (
    NameTaken,
    Progress,
    RunOutcome,
    Schedule,
    StoredRun,
    StoredSchedule,
    Tally,
)
from notifier.store.kit.database import Database
from notifier.store.kit.forgetting import forget_all
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.naming import named
from notifier.store.kit.paging import listed, matching, newest_first
from notifier.store.kit.sql import Now, SecondsFromNow, UtcTime, parameter
from notifier.store.notification.settings import StoreSettings
from notifier.store.schedules.rows import progress_values, to_run, to_schedule, values
from notifier.store.schedules.tables import (
    IS_NAMED,
    schedule_counts,
    schedule_runs,
    schedules,
)

_s, _r, _c = schedules.c, schedule_runs.c, schedule_counts.c
_GET = select(schedules).where(IS_NAMED)
_LOCK = _GET.with_for_update()
_NEXT_TURN: Mapping[str, Any] = {"turn": _s.turn + 1, "updated_at": Now()}
_PAUSE = (
    update(schedules)
    .where(IS_NAMED, _s.paused_at.is_(None))
    .values(paused_at=Now(), look_at=null(), **_NEXT_TURN)
)
_DAY_S = 86_400.0
_PURGE_BATCH = 5_000
_old = (
    select(_r.schedule_id, _r.slot, _r.zone)
    .where(_r.at <= SecondsFromNow(parameter("ago_s", Float)))
    .limit(_PURGE_BATCH)
)
_PURGE = delete(schedule_runs).where(tuple_(_r.schedule_id, _r.slot, _r.zone).in_(_old))


class SqlScheduleStore:
    """`ScheduleStore` over SQL."""

    def __init__(self, database: Database, limits: StoreSettings) -> None:
        self._database = database
        self._runs_kept_s = limits.schedule_runs_kept_days * _DAY_S

    async def add(
        self, schedule: Schedule, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused | NameTaken:
        progress = progress_values(schedule.progress)
        statement = (
            insert(schedules)
            .values(
                id=schedule.id,
                service=schedule.service,
                **values(schedule),
                **progress,
                look_at=progress["next_at"],
                turn=0,
                created_at=Now(),
                updated_at=Now(),
            )
            .on_conflict_do_nothing(index_elements=[_s.service, _s.name])
            .returning(_s.id)
        )

        async def work(connection: AsyncConnection) -> Applied | NameTaken:
            return Applied() if (await connection.execute(statement)).first() else NameTaken()

        return await write_once(self._database, idempotency, work)

    async def get(self, id: UUID, *, service: str | None) -> StoredSchedule | NotFound:
        async def work(connection: AsyncConnection) -> StoredSchedule | NotFound:
            return await _get(connection, id, service)

        return await self._database.read(work)

    async def list(
        self, *, service: str | None, limit: int, after: UUID | None
    ) -> Sequence[StoredSchedule]:
        those = select(schedules).where(*matching({_s.service: service}))
        query = newest_first(those, _s.id, limit=limit, after=after)
        return await listed(self._database, query, to_schedule)

    async def change(
        self, schedule: Schedule, *, etag: str | None
    ) -> StoredSchedule | NotFound | NameTaken | LostRace:
        which = named(schedule.id, schedule.service)
        statement = _changing(schedule)
        others = select(_s.id).where(
            _s.service == schedule.service, _s.name == schedule.name, _s.id != schedule.id
        )

        async def work(
            connection: AsyncConnection,
        ) -> StoredSchedule | NotFound | NameTaken | LostRace:
            row = (await connection.execute(_LOCK, which)).one_or_none()
            if row is None:
                return NotFound()
            if etag is not None and row.etag != etag:
                return LostRace(row.etag)
            if (await connection.execute(others)).first():
                return NameTaken()
            await connection.execute(statement, which)
            return await _get(connection, schedule.id, schedule.service)

        return await self._database.write(work)

    async def pause(self, id: UUID, *, service: str | None) -> StoredSchedule | NotFound:
        async def work(connection: AsyncConnection) -> StoredSchedule | NotFound:
            await connection.execute(_PAUSE, named(id, service))
            return await _get(connection, id, service)

        return await self._database.write(work)

    async def resume(
        self, schedule: StoredSchedule, progress: Progress
    ) -> StoredSchedule | NotFound:
        columns = progress_values(progress)
        statement = (
            update(schedules)
            .where(IS_NAMED, _s.paused_at.is_not(None), _s.etag == schedule.etag)
            .values(paused_at=null(), **columns, look_at=columns["next_at"], **_NEXT_TURN)
        )

        async def work(connection: AsyncConnection) -> StoredSchedule | NotFound:
            await connection.execute(statement, named(schedule.id, schedule.service))
            return await _get(connection, schedule.id, schedule.service)

        return await self._database.write(work)

    async def remove(self, id: UUID, *, service: str | None) -> NotFound | None:
        removal = delete(schedules).where(IS_NAMED)
        forgetting = delete(schedule_runs).where(_r.schedule_id == id)

        async def work(connection: AsyncConnection) -> NotFound | None:
            # Whoever fires it holds its row: nothing is recorded after this.
            if not (await connection.execute(removal, named(id, service))).rowcount:
                return NotFound()
            await connection.execute(forgetting)
            return None

        return await self._database.write(work)

    async def runs(
        self, id: UUID, *, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[StoredRun]:
        query = (
            select(schedule_runs)
            .where(_r.schedule_id == id)
            .order_by(_r.slot.desc(), _r.zone)
            .limit(limit)
        )
        if after is not None:
            slot, zone = after
            query = query.where(or_(_r.slot < slot, and_(_r.slot == slot, _r.zone > zone)))
        return await listed(self._database, query, to_run)

    async def tallies(self) -> Mapping[RunOutcome, Tally]:
        async def work(connection: AsyncConnection) -> Mapping[RunOutcome, Tally]:
            rows = (await connection.execute(select(schedule_counts))).all()
            found = {row.outcome: Tally(row.runs, row.late_s) for row in rows}
            return {each: found.get(each.value, Tally(0, 0.0)) for each in RunOutcome}

        return await self._database.read(work)

    async def purge(self) -> int:
        """Forget runs that were kept for long enough; returns how many."""
        return await forget_all(self._database, partial(_purge_some, ago_s=-self._runs_kept_s))


async def _purge_some(connection: AsyncConnection, *, ago_s: float) -> int:
    return (await connection.execute(_PURGE, {"ago_s": ago_s})).rowcount


async def _get(
    connection: AsyncConnection, id: UUID, service: str | None
) -> StoredSchedule | NotFound:
    row = (await connection.execute(_GET, named(id, service))).one_or_none()
    return to_schedule(row) if row else NotFound()


def _changing(schedule: Schedule) -> Update:
    progress = progress_values(schedule.progress)
    look_at = progress["next_at"]
    return (
        update(schedules)
        .where(IS_NAMED)
        .values(
            **values(schedule),
            **progress,
            look_at=case((_s.paused_at.is_(None), literal(look_at, UtcTime)), else_=null()),
            **_NEXT_TURN,
        )
    )
