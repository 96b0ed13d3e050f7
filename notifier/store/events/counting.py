"""How often what became of events and digests, by all processes."""

from collections.abc import Mapping

from sqlalchemy import BigInteger, select
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.events.counts import Counted
from notifier.store.events.tables import event_counts
from notifier.store.kit.database import Database
from notifier.store.kit.sql import parameter

_c = event_counts.c
_adding = insert(event_counts).values(
    what=parameter("of_what"),
    outcome=parameter("of_outcome"),
    times=parameter("more", BigInteger),
)
_ADD = _adding.on_conflict_do_update(
    index_elements=[_c.what, _c.outcome], set_={"times": _c.times + _adding.excluded.times}
)
_ALL = select(event_counts)


class SqlEventCounts:
    """`EventCounts` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, counts: Mapping[Counted, int]) -> None:
        # In one order, so that two who add at the same time do not wait for each other.
        rows = [
            {"of_what": each.what, "of_outcome": each.outcome, "more": counts[each]}
            for each in sorted(counts)
        ]

        async def work(connection: AsyncConnection) -> None:
            for row in rows:
                await connection.execute(_ADD, row)

        await self._database.write(work)

    async def all(self) -> Mapping[Counted, int]:
        async def work(connection: AsyncConnection) -> Mapping[Counted, int]:
            rows = await connection.execute(_ALL)
            return {Counted(row.what, row.outcome): row.times for row in rows}

        return await self._database.read(work)
