"""Broadcasts on their way to become notifications."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from uuid import UUID

from sqlalchemy import (
    Float,
    Integer,
    Select,
    and_,
    case,
    func,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.pseudonym import Pseudonyms
from notifier.broadcasts.broadcast import (
    MOST_SAVED_S,
    Chunk,
    Counts,
    State,
    StoredBroadcast,
    Turn,
)
from notifier.notification.model import Status
from notifier.notification.outcomes import SUPPRESSED
from notifier.notification.transitions import CANCEL
from notifier.store.broadcasts.rows import counts_text, to_broadcast, to_counts
from notifier.store.broadcasts.tables import IS_NAMED, broadcasts, is_in
from notifier.store.kit.database import Database
from notifier.store.kit.naming import named
from notifier.store.kit.sql import (
    ID,
    Now,
    SecondsFromNow,
    SecondsUntil,
    literal_text,
    parameter,
)
from notifier.store.notification import timeline
from notifier.store.notification.changes import changes, status_in, taken
from notifier.store.notification.intake import insert_within, make_ready, rows_of
from notifier.store.notification.line import LINE, of_line
from notifier.store.notification.rows import event_row
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.taking import given_limit

_b = broadcasts.c
_ANY_UP = (
    select(_b.id)
    .where(is_in(State.SCHEDULED, State.EXPANDING), _b.look_at <= Now())
    .order_by(_b.look_at)
    .limit(1)
)
_up = _ANY_UP.with_for_update(skip_locked=True).cte("up")
_TAKE = (
    update(broadcasts)
    .where(_b.id.in_(select(_up.c.id)))
    .values(
        state=literal_text(State.EXPANDING),
        look_at=SecondsFromNow(parameter("hold_s", Float)),
        started_at=func.coalesce(_b.started_at, Now()),
    )
    .returning(broadcasts, (-SecondsUntil(_b.paced_at)).label("paced_s"))
)
_PUT_OFF = (
    update(broadcasts)
    .where(IS_NAMED, is_in(State.EXPANDING))
    .values(look_at=SecondsFromNow(parameter("delay_s", Float)))
)
_STANDING = (
    select(_b.id)
    .where(IS_NAMED, is_in(State.EXPANDING), _b.place == parameter("seen"))
    .with_for_update()
)
_unspent_s = -SecondsUntil(_b.paced_at)
_most_s = literal(MOST_SAVED_S, Float)
_saved_s = case((_unspent_s < _most_s, _unspent_s), else_=_most_s)
_RECORD = (
    update(broadcasts)
    .where(IS_NAMED)
    .values(
        place=parameter("new_place"),
        counts=parameter("new_counts"),
        fault=parameter("new_fault"),
        state=parameter("new_state"),
        look_at=Now(),
        paced_at=SecondsFromNow(parameter("spent_s", Float) - _saved_s),
        finished_at=case((parameter("new_state") == literal_text(State.DONE), Now()), else_=null()),
    )
    .returning(broadcasts)
)
_ANY_SWEPT = (
    select(_b.id)
    .where(is_in(State.CANCELLED), _b.finished_at.is_(None), _b.look_at <= Now())
    .order_by(_b.look_at)
    .limit(1)
)
_SWEPT = _ANY_SWEPT.with_only_columns(*_b).with_for_update(skip_locked=True)
_is_left = and_(
    n.c.broadcast_id == parameter("which_id", ID), status_in(Status.PENDING, Status.PROCESSING)
)
_left_over = select(n.c.id).where(_is_left, n.c.status == literal_text(Status.PENDING))
_CANCEL = changes(CANCEL, taken(_left_over.limit(given_limit)))
_LEFT = select(n.c.id).where(_is_left).limit(1)
_COUNT_CANCELLED = (
    update(broadcasts)
    .where(_b.id == parameter("which_id", ID))
    .values(
        counts=parameter("new_counts"),
        look_at=SecondsFromNow(parameter("delay_s", Float)),
        finished_at=case((parameter("is_left", Integer) == 0, Now()), else_=null()),
    )
)
_SWEEP_AGAIN_S = 2.0


class SqlExpansion:
    """`Expansion` over SQL."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms | None = None) -> None:
        """`pseudonyms` are those by which an address is known that was erased."""
        self._database = database
        self._pseudonyms = pseudonyms
        self._is_ready = False

    async def take(self, *, hold_s: float, most_waiting: int) -> Turn | None:
        if not await self._database.read(partial(_is_any, query=_ANY_UP)):
            return None
        return await self._database.write(partial(_take, hold_s=hold_s, most_waiting=most_waiting))

    async def put_off(self, broadcast: StoredBroadcast, delay_s: float) -> None:
        asked = {**named(broadcast.id, None), "delay_s": delay_s}

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_PUT_OFF, asked)

        await self._database.write(work)

    async def record(self, chunk: Chunk) -> StoredBroadcast | None:
        rows = rows_of(chunk.submissions, self._pseudonyms)
        if not self._is_ready:
            # While the broadcast is not locked: on a busy machine that takes longer than a chunk.
            await self._database.write(make_ready)
            self._is_ready = True
        return await self._database.write(partial(_record, chunk=chunk, rows=rows))

    async def cancel(self, limit: int) -> int:
        if not await self._database.read(partial(_is_any, query=_ANY_SWEPT)):
            return 0
        return await self._database.write(partial(_cancel, limit=limit))


async def _is_any(connection: AsyncConnection, *, query: Select[tuple[UUID]]) -> bool:
    return (await connection.execute(query)).first() is not None


async def _take(connection: AsyncConnection, *, hold_s: float, most_waiting: int) -> Turn | None:
    row = (await connection.execute(_TAKE, {"hold_s": hold_s})).one_or_none()
    if row is None:
        return None
    line = of_line(row.service, row.channel, row.lane)
    waiting = (await connection.scalars(LINE, {**line, "most": most_waiting})).one()
    return Turn(broadcast=to_broadcast(row), waiting=waiting, paced_s=row.paced_s)


async def _record(
    connection: AsyncConnection, *, chunk: Chunk, rows: str
) -> StoredBroadcast | None:
    """Accept a chunk, unless somebody has been there."""
    which = named(chunk.broadcast.id, None)
    seen = {**which, "seen": chunk.broadcast.cursor}
    if (await connection.execute(_STANDING, seen)).one_or_none() is None:
        await connection.rollback()
        return None
    accepted = await insert_within(connection, chunk.submissions, rows)
    values = {
        **which,
        "new_place": chunk.cursor,
        "new_counts": counts_text(_counted(chunk, accepted)),
        "new_fault": chunk.fault,
        "new_state": State.DONE if chunk.is_last else State.EXPANDING,
        "spent_s": chunk.spent_s,
    }
    return to_broadcast((await connection.execute(_RECORD, values)).one())


def _counted(chunk: Chunk, inserted: Mapping[UUID, str]) -> Counts:
    counts = chunk.counts
    reasons = Counter(counts.suppressed)
    for each in chunk.submissions:
        if inserted.get(each.id) == Status.SUPPRESSED:
            fault = each.withheld
            reasons[fault.code if fault and fault.kind == SUPPRESSED else SUPPRESSED] += 1
    accepted = sum(status == Status.PENDING for status in inserted.values())
    return replace(
        counts,
        accepted=counts.accepted + accepted,
        suppressed=dict(reasons),
        repeated=counts.repeated + len(chunk.submissions) - len(inserted),
    )


async def _cancel(connection: AsyncConnection, *, limit: int) -> int:
    """Cancel some of what a cancelled broadcast has pending, until nothing of it is left."""
    row = (await connection.execute(_SWEPT)).one_or_none()
    if row is None:
        return 0
    which = {"which_id": row.id}
    cancelled = (await connection.execute(_CANCEL, {**which, "limit": limit})).all()
    await timeline.append(
        connection, [event_row(each.id, CANCEL.name, each.attempt) for each in cancelled]
    )
    is_left = (await connection.execute(_LEFT, which)).first() is not None
    counts = to_counts(row.counts)
    values = {
        **which,
        "new_counts": counts_text(replace(counts, cancelled=counts.cancelled + len(cancelled))),
        # What is at a provider may come back.
        "delay_s": 0.0 if cancelled else _SWEEP_AGAIN_S,
        "is_left": int(is_left),
    }
    await connection.execute(_COUNT_CANCELLED, values)
    return len(cancelled)
