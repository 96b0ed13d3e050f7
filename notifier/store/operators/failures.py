"""Counts of wrong passwords in the database."""

from collections.abc import Sequence

from sqlalchemy import Integer, bindparam, case, delete, literal, not_, select, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.access.throttling import WINDOW_S
from notifier.store.kit.database import Database
from notifier.store.kit.forgetting import forget_all
from notifier.store.kit.sql import Now, SecondsFromNow, parameter
from notifier.store.operators.tables import sign_in_failures

_PURGED_AT_ONCE = 1_000

_f = sign_in_failures.c
_is_over = _f.began_at <= SecondsFromNow(literal(-float(WINDOW_S)))
_adding = insert(sign_in_failures).values(name=parameter("which"), began_at=Now(), failures=1)
_COUNT = _adding.on_conflict_do_update(
    index_elements=[_f.name],
    set_={
        "failures": case((_is_over, 1), else_=_f.failures + 1),
        "began_at": case((_is_over, Now()), else_=_f.began_at),
    },
).returning(_f.failures)
_COUNTS = select(_f.name, _f.failures).where(
    _f.name.in_(bindparam("which", expanding=True)), not_(_is_over)
)
_FORGIVE = (
    update(sign_in_failures)
    .where(_f.name == parameter("which"), _f.failures > 0)
    .values(failures=_f.failures - 1)
)
_over = select(_f.name).where(_is_over).limit(parameter("limit", Integer))
_PURGE = delete(sign_in_failures).where(_f.name.in_(_over))


class SqlFailureStore:
    """`FailureStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, names: Sequence[str]) -> Sequence[int]:
        async def work(connection: AsyncConnection) -> Sequence[int]:
            counted = {
                name: int(await connection.scalar(_COUNT, {"which": name}) or 0)
                # In one order, so that no two wait for one another.
                for name in sorted(names)
            }
            return [counted[name] for name in names]

        return await self._database.write(work)

    async def counts(self, names: Sequence[str]) -> Sequence[int]:
        async def work(connection: AsyncConnection) -> Sequence[int]:
            rows = await connection.execute(_COUNTS, {"which": list(names)})
            found = {row.name: int(row.failures) for row in rows}
            return [found.get(name, 0) for name in names]

        return await self._database.read(work)

    async def forgive(self, names: Sequence[str]) -> None:
        async def work(connection: AsyncConnection) -> None:
            for name in sorted(names):
                await connection.execute(_FORGIVE, {"which": name})

        await self._database.write(work)

    async def purge(self) -> int:
        return await forget_all(self._database, _purge_some)


async def _purge_some(connection: AsyncConnection) -> int:
    return (await connection.execute(_PURGE, {"limit": _PURGED_AT_ONCE})).rowcount
