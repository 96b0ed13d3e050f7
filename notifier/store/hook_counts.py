"""How often hooks were called, by all processes."""

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Table, Text, select
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.hooks.counts import Calls, Result
from notifier.hooks.moments import Moment
from notifier.store.kit.database import Database
from notifier.store.kit.sql import parameter
from notifier.store.kit.tables import metadata

hook_calls = Table(
    "hook_calls",
    metadata,
    Column("hook", Text, primary_key=True),
    Column("moment", Text, primary_key=True),
    Column("result", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

_h = hook_calls.c
_adding = insert(hook_calls).values(
    hook=parameter("of_hook"),
    moment=parameter("of_moment"),
    result=parameter("of_result"),
    count=parameter("more", BigInteger),
)
_ADD = _adding.on_conflict_do_update(
    index_elements=[_h.hook, _h.moment, _h.result],
    set_={"count": hook_calls.c["count"] + _adding.excluded["count"]},
)
_ALL = select(hook_calls)


class SqlHookCounts:
    """`HookCounts` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, counts: Mapping[Calls, int]) -> None:
        # In one order, so that two who add at the same time do not wait for each other.
        rows = [
            {
                "of_hook": each.hook,
                "of_moment": each.moment.value,
                "of_result": each.result.value,
                "more": counts[each],
            }
            for each in sorted(counts, key=lambda each: (each.hook, each.moment, each.result))
        ]

        async def work(connection: AsyncConnection) -> None:
            for row in rows:
                await connection.execute(_ADD, row)

        await self._database.write(work)

    async def all(self) -> Mapping[Calls, int]:
        async def work(connection: AsyncConnection) -> Mapping[Calls, int]:
            return {
                Calls(row.hook, Moment(row.moment), Result(row.result)): row._mapping["count"]  # noqa: SLF001  its public name
                for row in await connection.execute(_ALL)
            }

        return await self._database.read(work)
