"""The roster in the database: a row for each process, which writes it again and again."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    Row,
    Table,
    Text,
    case,
    delete,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.roster import (
    CONSUMING,
    FORGOTTEN_S,
    CannotDrain,
    Identity,
    Process,
    Role,
    Seen,
    State,
)
from notifier.store.kit.database import Database
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.paging import in_order, listed
from notifier.store.kit.sql import Now, SecondsFromNow, SecondsUntil, UtcTime, parameter
from notifier.store.kit.tables import metadata

# No index but the key: a beat then changes no index, and PostgreSQL writes the row in its page.
processes = Table(
    "processes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("runner", Text),
    Column("state", Text, nullable=False),
    # JSON arrays as text.
    Column("consumes", Text, nullable=False),
    Column("attempts", Text, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("busy", Integer, nullable=False),
    Column("restarts", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("beat_at", UtcTime, nullable=False),
    # NULL: an older version's.
    Column("handled", BigInteger),
    Column("memory_bytes", BigInteger),
    # NULL: it may take notifications.
    Column("drain_asked_at", UtcTime),
)

_p = processes.c
_IS_IT = _p.name == parameter("which")
_FIXED = ("name", "role", "host", "pid", "version", "runner")
_COUNTED = ("slots", "busy", "handled", "memory_bytes", "restarts")
_TOLD = ("state", "consumes", "attempts", *_COUNTED)
_beating = insert(processes).values(
    {each: parameter(f"of_{each}", _p[each].type) for each in (*_FIXED, *_TOLD)}
    | {
        "started_at": SecondsFromNow(-parameter("up_s", Float)),
        "beat_at": Now(),
        # One that was forgotten meanwhile goes on as it was asked to.
        "drain_asked_at": case((parameter("drains", Boolean), Now()), else_=null()),
    }
)
_BEAT = _beating.on_conflict_do_update(
    index_elements=[_p.name],
    set_={each: _beating.excluded[each] for each in (*_TOLD, "beat_at")},
).returning(_p.drain_asked_at)
_END = (
    update(processes)
    .where(_IS_IT)
    .values(state=State.STOPPED.value, busy=0, attempts="[]", beat_at=Now())
)
_GET = select(_p.role, _p.state).where(_IS_IT).with_for_update()
_DRAIN = (
    update(processes)
    .where(_IS_IT)
    .values(drain_asked_at=case((parameter("is_wanted", Boolean), Now()), else_=null()))
)
_LIST = select(processes, SecondsUntil(_p.beat_at).label("until_beat_s"))
_FORGET = delete(processes).where(_p.beat_at < SecondsFromNow(-parameter("kept_s", Float)))


class SqlRoster:
    """`Roster` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, identity: Identity, seen: Seen) -> bool:
        told = {
            **{f"of_{each}": getattr(identity, each) for each in _FIXED},
            **{f"of_{each}": getattr(seen, each) for each in ("state", *_COUNTED)},
            "of_consumes": json.dumps(list(seen.consumes)),
            "of_attempts": json.dumps([str(each) for each in seen.attempts]),
            "up_s": seen.up_s,
            "drains": seen.drains,
        }

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(_BEAT, told)).scalar_one() is not None

        return await self._database.write(work)

    async def end(self, name: str) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_END, {"which": name})

        await self._database.write(work)

    async def list(self, *, limit: int, after: str | None = None) -> Sequence[Process]:
        behind = None if after is None else (after,)
        return await listed(
            self._database, in_order(_LIST, _p.name, limit=limit, after=behind), _to_process
        )

    async def drain(
        self, name: str, *, is_wanted: bool, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused | NotFound | CannotDrain:
        async def work(connection: AsyncConnection) -> Applied | NotFound | CannotDrain:
            row = (await connection.execute(_GET, {"which": name})).one_or_none()
            if row is None:
                return NotFound()
            if row.role not in CONSUMING:
                return CannotDrain("it takes no notifications")
            if row.state == State.STOPPED:
                return CannotDrain("it has stopped")
            await connection.execute(_DRAIN, {"which": name, "is_wanted": is_wanted})
            return Applied()

        return await write_once(self._database, idempotency, work)

    async def purge(self) -> int:
        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(_FORGET, {"kept_s": FORGOTTEN_S})).rowcount

        return await self._database.write(work)


def _to_process(row: Row[Any]) -> Process:
    fixed = {each: getattr(row, each) for each in _FIXED}
    return Process(
        identity=Identity(**{**fixed, "role": Role(row.role)}),
        seen=Seen(
            state=State(row.state),
            up_s=(row.beat_at - row.started_at).total_seconds(),
            consumes=json.loads(row.consumes),
            attempts=[UUID(each) for each in json.loads(row.attempts)],
            slots=row.slots,
            busy=row.busy,
            handled=row.handled or 0,
            memory_bytes=row.memory_bytes or 0,
            restarts=row.restarts,
        ),
        started_at=row.started_at,
        beat_at=row.beat_at,
        silent_s=max(0.0, -row.until_beat_s),
        is_to_drain=row.drain_asked_at is not None,
    )
