"""How much of their caps people have used."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import (
    Column,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    and_,
    delete,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.caps import CapUse
from notifier.store.kit.database import Database
from notifier.store.kit.forgetting import forget_all
from notifier.store.kit.sql import SecondsFromNow, UtcTime, parameter
from notifier.store.kit.tables import metadata
from notifier.store.notification.tables import notifications as n

cap_uses = Table(
    "cap_uses",
    metadata,
    Column("service", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("cap", Text, primary_key=True),
    # When it began.
    Column("slot", UtcTime, primary_key=True),
    Column("used", Integer, nullable=False),
    Index("ix_cap_uses_slot", "slot"),
)

_u = cap_uses.c

_adding = insert(cap_uses).values(
    service=parameter("of_service"),
    user_id=parameter("of_user_id"),
    cap=parameter("of_cap"),
    slot=parameter("of_slot", UtcTime),
    used=1,
)
_SPEND = _adding.on_conflict_do_update(
    index_elements=[_u.service, _u.user_id, _u.cap, _u.slot],
    set_={"used": _u.used + 1},
    where=_u.used < parameter("limit", Integer),
).returning(_u.used)
# An attempt that was put off and comes again was counted.
_COUNT = (
    update(n)
    .where(n.c.id == parameter("which_id", Uuid), n.c.is_counted.is_(None))
    .values(is_counted=literal(value=True))
    .returning(n.c.id)
)
_USED = select(_u.used).where(
    _u.service == parameter("of_service"),
    _u.user_id == parameter("of_user_id"),
    _u.cap == parameter("of_cap"),
    _u.slot == parameter("of_slot", UtcTime),
)
# A week, and what the zones of the world lie apart.
_OVER_S = 9 * 86_400.0
_PURGE_BATCH = 5_000
_KEY = (_u.service, _u.user_id, _u.cap, _u.slot)
_over = select(*_KEY).where(_u.slot <= SecondsFromNow(literal(-_OVER_S))).limit(_PURGE_BATCH)
_PURGE = delete(cap_uses).where(tuple_(*_KEY).in_(_over))

_of_theirs = and_(_u.service == parameter("of_service"), _u.user_id == parameter("of_user_id"))
_handing = insert(cap_uses).from_select(
    ["service", "user_id", "cap", "slot", "used"],
    select(_u.service, parameter("to_user_id"), _u.cap, _u.slot, _u.used).where(_of_theirs),
)
_HAND_OVER = _handing.on_conflict_do_update(
    index_elements=_KEY, set_={"used": _u.used + _handing.excluded.used}
)
_FORGET = delete(cap_uses).where(_of_theirs)


async def hand_over(connection: AsyncConnection, service: str, source: str, target: str) -> None:
    """Count what one person got as another's: they are the same."""
    given = {"of_service": service, "of_user_id": source}
    await connection.execute(_HAND_OVER, {**given, "to_user_id": target})
    await connection.execute(_FORGET, given)


class SqlCapStore:
    """`CapStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spend(self, use: CapUse, notification_id: UUID) -> bool:
        given = {**_named(use), "limit": use.limit}

        async def work(connection: AsyncConnection) -> bool:
            if await connection.scalar(_COUNT, {"which_id": notification_id}) is None:
                return True
            if await connection.scalar(_SPEND, given) is not None:
                return True
            await connection.rollback()
            return False

        return await self._database.write(work)

    async def used(self, use: CapUse) -> int:
        async def work(connection: AsyncConnection) -> int:
            return await connection.scalar(_USED, _named(use)) or 0

        return await self._database.read(work)

    async def purge(self) -> int:
        return await forget_all(self._database, _purge_some)


async def _purge_some(connection: AsyncConnection) -> int:
    return (await connection.execute(_PURGE)).rowcount


def _named(use: CapUse) -> Mapping[str, object]:
    return {
        "of_service": use.service,
        "of_user_id": use.user_id,
        "of_cap": use.cap,
        "of_slot": use.slot,
    }
