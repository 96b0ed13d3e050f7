"""Keeping replays, as those who begin them see them."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Float, case, delete, func, insert, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.notification.model import Status
from notifier.replays.replay import COMES_FROM, UNDER_WAY, Refused, Replay, State, StoredReplay
from notifier.store.kit.database import Database
from notifier.store.kit.forgetting import forget_all
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.naming import named
from notifier.store.kit.paging import listed, matching, newest_first
from notifier.store.kit.sql import ID, Now, SecondsFromNow, literal_text, parameter
from notifier.store.notification.settings import StoreSettings
from notifier.store.notification.tables import notifications as n
from notifier.store.replays.rows import to_replay, values
from notifier.store.replays.tables import IS_NAMED, is_in, replayed_letters, replays

_MOST_COUNTED = 100_000
_SOUGHT = {State.UNDOING: frozenset({State.UNDONE})}
"""What is as good as a state that is asked for."""

_GET = select(replays).where(IS_NAMED)
_LOCK = _GET.with_for_update()
_theirs = (
    select(n.c.status)
    .where(n.c.replay_id == parameter("which_id", ID))
    .limit(_MOST_COUNTED)
    .subquery("theirs")
)
_BY_STATUS = select(_theirs.c.status, func.count()).group_by(_theirs.c.status)
_UNDER_WAY = (
    select(replays.c.state, func.count()).where(is_in(*UNDER_WAY)).group_by(replays.c.state)
)
_ends = parameter("new_state") == literal_text(State.STOPPED)
_MOVE = (
    update(replays)
    .where(IS_NAMED)
    .values(
        state=parameter("new_state"),
        look_at=Now(),
        finished_at=case((_ends, Now()), else_=null()),
    )
)


_DAY_S = 86_400.0
_PURGE_BATCH = 5_000
_ENDED = (
    select(replays.c.id)
    .where(replays.c.finished_at <= SecondsFromNow(parameter("ago_s", Float)))
    .order_by(replays.c.finished_at)
    .limit(1)
)
_l = replayed_letters.c
_of_it = select(_l.notification_id).where(_l.replay_id == parameter("which_id", ID))
_FORGET_LETTERS = delete(replayed_letters).where(
    _l.replay_id == parameter("which_id", ID), _l.notification_id.in_(_of_it.limit(_PURGE_BATCH))
)
_FORGET = delete(replays).where(replays.c.id == parameter("which_id", ID))


class SqlReplayStore:
    """`ReplayStore` over SQL."""

    def __init__(self, database: Database, limits: StoreSettings) -> None:
        self._database = database
        self._kept_s = limits.replays_kept_days * _DAY_S

    async def begin(
        self, replay: Replay, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused:
        async def work(connection: AsyncConnection) -> Applied:
            columns = values(replay)
            row = insert(replays).from_select([*columns], select(*columns.values()))
            await connection.execute(row)
            return Applied()

        return await write_once(self._database, idempotency, work)

    async def get(self, id: UUID, *, service: str | None) -> StoredReplay | NotFound:
        async def work(connection: AsyncConnection) -> StoredReplay | NotFound:
            row = (await connection.execute(_GET, named(id, service))).one_or_none()
            if row is None:
                return NotFound()
            counted = (await connection.execute(_BY_STATUS, {"which_id": id})).all()
            return to_replay(row, {Status(status): count for status, count in counted})

        return await self._database.read(work)

    async def list(
        self, *, service: str | None, limit: int, after: UUID | None
    ) -> Sequence[StoredReplay]:
        those = select(replays).where(*matching({replays.c.service: service}))
        query = newest_first(those, replays.c.id, limit=limit, after=after)
        return await listed(self._database, query, to_replay)

    async def move(
        self,
        id: UUID,
        to: State,
        *,
        service: str | None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | Refused | NotFound:
        which = named(id, service)

        async def work(connection: AsyncConnection) -> Applied | Refused | NotFound:
            row = (await connection.execute(_LOCK, which)).one_or_none()
            if row is None:
                return NotFound()
            state = State(row.state)
            if state is to or state in _SOUGHT.get(to, ()):
                return Applied()
            if state not in COMES_FROM[to]:
                return Refused(state)
            await connection.execute(_MOVE, {**which, "new_state": to})
            return Applied()

        return await write_once(self._database, idempotency, work)

    async def under_way(self) -> Mapping[State, int]:
        async def work(connection: AsyncConnection) -> Mapping[State, int]:
            rows = (await connection.execute(_UNDER_WAY)).all()
            found = {State(state): count for state, count in rows}
            return {each: found.get(each, 0) for each in UNDER_WAY}

        return await self._database.search(work)

    async def purge(self) -> int:
        """Forget replays that ended for long enough, and what their letters were before."""
        return await forget_all(self._database, self._purge_some)

    async def _purge_some(self, connection: AsyncConnection) -> int:
        ended = await connection.scalar(_ENDED, {"ago_s": -self._kept_s})
        if ended is None:
            return 0
        which = {"which_id": ended}
        letters = (await connection.execute(_FORGET_LETTERS, which)).rowcount
        return letters or (await connection.execute(_FORGET, which)).rowcount
