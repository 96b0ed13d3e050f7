"""Working replays off: effects and place in one transaction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Float,
    Integer,
    Row,
    Select,
    and_,
    case,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Status
from notifier.notification.transitions import REPLAY, UNDO
from notifier.replays.pacing import allowance
from notifier.replays.replay import MOST_SAVED_S, Selection, Skip, State
from notifier.store.kit.database import Database
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import (
    ID,
    Now,
    SecondsFromNow,
    SecondsUntil,
    given_rows,
    is_key,
    literal_text,
    parameter,
)
from notifier.store.notification import timeline
from notifier.store.notification.changes import (
    RETURNED,
    allowed,
    changes,
    effects,
    stands_at,
    taken,
)
from notifier.store.notification.rows import event_row
from notifier.store.notification.tables import NEVER
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.taking import given_limit
from notifier.store.replays.rows import counts_text, to_counts, to_selection
from notifier.store.replays.selecting import after, is_selected, looked_at, why_not
from notifier.store.replays.tables import is_in, replayed_letters, replays

_LOOKED_AT = 1_000
_UNDO_AGAIN_S = 2.0

_r = replays.c
_id = parameter("which_id", ID)
_unspent_s = -SecondsUntil(_r.paced_at)


def _up(state: State) -> Select[Any]:
    up = select(replays, _unspent_s.label("unspent_s"))
    return up.where(is_in(state), _r.look_at <= Now()).order_by(_r.look_at).limit(1)


_most_s = literal(MOST_SAVED_S, Float)
_saved_s = case((_unspent_s < _most_s, _unspent_s), else_=_most_s)
_PUT_OFF = (
    update(replays).where(_r.id == _id).values(look_at=SecondsFromNow(parameter("delay_s", Float)))
)
_STEPPED = (
    update(replays)
    .where(_r.id == _id)
    .values(
        place=parameter("new_place", ID),
        counts=parameter("new_counts"),
        look_at=Now(),
        paced_at=SecondsFromNow(parameter("spent_s", Float) - _saved_s),
        state=parameter("new_state"),
        finished_at=case((parameter("new_state") == literal_text(State.DONE), Now()), else_=null()),
    )
)

_given = given_rows(id=ID)
_LOCKED = (
    select(n.c.id)
    .join_from(_given, n, is_key(n.c.id, _given.c.id))
    .where(allowed(REPLAY))
    .order_by(n.c.id)
    .with_for_update(of=n)
)
_FORMER = {
    "attempts_spent": n.c.attempts_spent,
    "failed_at": n.c.finished_at,
    "fault_kind": n.c.fault_kind,
    "fault_code": n.c.fault_code,
    "fault_message": n.c.fault_message,
    "discarded_at": n.c.discarded_at,
}
_KEEP = insert(replayed_letters).from_select(
    ["replay_id", "notification_id", *_FORMER],
    select(_id, n.c.id, *_FORMER.values()).join_from(_given, n, is_key(n.c.id, _given.c.id)),
)
_REPLAY = changes(REPLAY, _given).values(replay_id=_id)

_old = replayed_letters.c
_pending = (
    select(n.c.id, *(_old[name] for name in _FORMER))
    .join_from(n, replayed_letters, and_(_old.replay_id == _id, _old.notification_id == n.c.id))
    .where(n.c.replay_id == _id, stands_at(Status.PENDING))
    .order_by(n.c.id)
    .limit(given_limit)
)
_former = taken(_pending)
# Its attempt grows: what the broker has of it stands for nothing now, and it gets a new letter.
_UNDO = (
    update(n)
    .where(is_key(n.c.id, _former.c.id), allowed(UNDO))
    .values(
        effects(UNDO)
        | {
            "attempt": n.c.attempt + 1,
            "attempts_spent": _former.c.attempts_spent,
            "finished_at": _former.c.failed_at,
            "fault_kind": _former.c.fault_kind,
            "fault_code": _former.c.fault_code,
            "fault_message": _former.c.fault_message,
            "discarded_at": _former.c.discarded_at,
            "relay_at": case((_former.c.discarded_at.is_(None), Now()), else_=NEVER),
            "replay_id": null(),
        }
    )
    .returning(*RETURNED)
)
_LEFT = (
    select(func.count())
    .select_from(n)
    .where(n.c.replay_id == _id, stands_at(Status.PENDING, Status.PROCESSING))
)
_UNDONE = (
    update(replays)
    .where(_r.id == _id)
    .values(
        counts=parameter("new_counts"),
        look_at=SecondsFromNow(parameter("delay_s", Float)),
        state=parameter("new_state"),
        finished_at=case((parameter("is_left", Integer) == 0, Now()), else_=null()),
    )
)


class SqlReplaying:
    """`Replaying` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def step(self, limit: int) -> bool:
        if not await self._is_any(State.RUNNING):
            return False
        return await self._database.write(partial(_step, limit=limit))

    async def undo(self, limit: int) -> bool:
        if not await self._is_any(State.UNDOING):
            return False
        return await self._database.write(partial(_undo, limit=limit))

    async def _is_any(self, state: State) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(_up(state))).first() is not None

        return await self._database.read(work)


@dataclass(frozen=True, slots=True)
class _Look:
    """What comes next of a replay: whom to try again, whom not, and where it goes on."""

    ids: Sequence[UUID]
    skipped: Counter[Skip]
    place: UUID
    is_last: bool


async def _step(connection: AsyncConnection, *, limit: int) -> bool:
    row = await _taken(connection, State.RUNNING)
    if row is None:
        return False
    most = allowance(row.rate_per_s, row.unspent_s, limit)
    if not most:
        delay_s = 1 / row.rate_per_s
        await connection.execute(_PUT_OFF, {"which_id": row.id, "delay_s": delay_s})
        return True
    look = await _look(connection, row, most)
    replayed = await _replay(connection, row.id, look.ids)
    skipped = look.skipped + Counter({Skip.MOVED: len(look.ids) - replayed})
    counts = to_counts(row.counts)
    counts = replace(
        counts,
        replayed=counts.replayed + replayed,
        skipped=dict(Counter(counts.skipped) + skipped),
    )
    values = {
        "which_id": row.id,
        "new_place": look.place,
        "new_counts": counts_text(counts),
        "new_state": State.DONE if look.is_last else State.RUNNING,
        "spent_s": replayed / row.rate_per_s,
    }
    await connection.execute(_STEPPED, values)
    return True


async def _taken(connection: AsyncConnection, state: State) -> Row[Any] | None:
    query = _up(state).with_for_update(skip_locked=True)
    row: Row[Any] | None = (await connection.execute(query)).one_or_none()
    return row


async def _look(connection: AsyncConnection, row: Row[Any], most: int) -> _Look:
    selection = to_selection(row)
    rows = (await connection.execute(_next(selection, row))).all()
    ids: list[UUID] = []
    skipped: Counter[Skip] = Counter()
    place = row.place
    for each in rows:
        if each.is_selected and each.why is None:
            if len(ids) == most:
                return _Look(ids, skipped, place, is_last=False)
            ids.append(each.id)
        elif each.is_selected:
            skipped[Skip(each.why)] += 1
        place = each.id
    return _Look(ids, skipped, place, is_last=len(rows) < _LOOKED_AT)


def _next(selection: Selection, row: Row[Any]) -> Select[Any]:
    seen = looked_at(selection, after(row.place), _LOOKED_AT, newest=False)
    # What fails from then on, its own letters first, is for another replay.
    is_old = seen.c.finished_at <= literal(row.created_at, replays.c.created_at.type)
    return select(
        seen.c.id,
        and_(is_selected(selection, seen), is_old).label("is_selected"),
        why_not(seen).label("why"),
    ).order_by(seen.c.id)


async def _replay(connection: AsyncConnection, replay: UUID, ids: Sequence[UUID]) -> int:
    found = (await connection.scalars(_LOCKED, {"rows": _rows(ids)})).all()
    given = {"rows": _rows(found), "which_id": replay}
    await connection.execute(_KEEP, given)
    changed = (await connection.execute(_REPLAY, given)).all()
    await _note(connection, REPLAY.name, changed, replay)
    return len(changed)


async def _undo(connection: AsyncConnection, *, limit: int) -> bool:
    row = await _taken(connection, State.UNDOING)
    if row is None:
        return False
    which = {"which_id": row.id}
    undone = (await connection.execute(_UNDO, {**which, "limit": limit})).all()
    await _note(connection, UNDO.name, undone, row.id)
    left = await connection.scalar(_LEFT, which)
    counts = to_counts(row.counts)
    values = {
        **which,
        "new_counts": counts_text(replace(counts, undone=counts.undone + len(undone))),
        "new_state": State.UNDOING if left else State.UNDONE,
        # What is at a provider may come back.
        "delay_s": 0.0 if undone else _UNDO_AGAIN_S,
        "is_left": int(bool(left)),
    }
    await connection.execute(_UNDONE, values)
    return True


async def _note(
    connection: AsyncConnection, event: str, changed: Sequence[Row[Any]], replay: UUID
) -> None:
    note = f"replay {replay}"
    await timeline.append(
        connection, [event_row(row.id, event, row.attempt, note=note) for row in changed]
    )


def _rows(ids: Sequence[UUID]) -> str:
    return joined(encode({"id": id.hex}) for id in ids)
