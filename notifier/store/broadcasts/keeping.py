"""Keeping broadcasts, as their services see them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Row,
    and_,
    case,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.broadcasts.broadcast import (
    UNDER_WAY,
    Broadcast,
    Refused,
    State,
    StoredBroadcast,
)
from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.store.broadcasts.rows import to_broadcast, values
from notifier.store.broadcasts.tables import IS_NAMED, broadcasts, is_in
from notifier.store.kit.database import Database
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.naming import named
from notifier.store.kit.paging import listed, matching, newest_first
from notifier.store.kit.sql import (
    Now,
    literal_text,
    parameter,
)

_b = broadcasts.c
_GET = select(broadcasts).where(IS_NAMED)
_LOCK = _GET.with_for_update()
_UNDER_WAY = select(_b.state, func.count()).where(is_in(*UNDER_WAY)).group_by(_b.state)
_is_to_begin = parameter("new_state") == literal_text(State.SCHEDULED)
_MOVE = (
    update(broadcasts)
    .where(IS_NAMED)
    .values(
        state=parameter("new_state"),
        look_at=case((and_(_is_to_begin, _b.send_at > Now()), _b.send_at), else_=Now()),
    )
)


class SqlBroadcastStore:
    """`BroadcastStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(
        self, broadcast: Broadcast, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused:
        async def work(connection: AsyncConnection) -> Applied:
            await accept_within(connection, broadcast)
            return Applied()

        return await write_once(self._database, idempotency, work)

    async def get(self, id: UUID, *, service: str | None) -> StoredBroadcast | NotFound:
        async def work(connection: AsyncConnection) -> StoredBroadcast | NotFound:
            row = (await connection.execute(_GET, named(id, service))).one_or_none()
            return to_broadcast(row) if row else NotFound()

        return await self._database.read(work)

    async def list(
        self, *, service: str | None, limit: int, after: UUID | None
    ) -> Sequence[StoredBroadcast]:
        those = select(broadcasts).where(*matching({_b.service: service}))
        query = newest_first(those, _b.id, limit=limit, after=after)
        return await listed(self._database, query, to_broadcast)

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
            if state not in (to, *UNDER_WAY):
                return Refused(state)
            if state is not to and (to, state) != (State.EXPANDING, State.SCHEDULED):
                await connection.execute(_MOVE, {**which, "new_state": _resumed(to, row)})
            return Applied()

        return await write_once(self._database, idempotency, work)

    async def under_way(self) -> Mapping[State, int]:
        async def work(connection: AsyncConnection) -> Mapping[State, int]:
            rows = (await connection.execute(_UNDER_WAY)).all()
            found = {State(state): count for state, count in rows}
            return {each: found.get(each, 0) for each in UNDER_WAY}

        return await self._database.search(work)


async def accept_within(connection: AsyncConnection, broadcast: Broadcast) -> None:
    """Store it in a transaction of the caller's."""
    columns = values(broadcast)
    statement = insert(broadcasts).from_select([*columns], select(*columns.values()))
    await connection.execute(statement)


def _resumed(to: State, row: Row[Any]) -> State:
    return State.SCHEDULED if to is State.EXPANDING and row.started_at is None else to
