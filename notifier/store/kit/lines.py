"""Single statements on PostgreSQL's driver itself, whose way there and back costs a fraction."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from notifier.store.kit.freshness import is_spoilt, is_trusted
from notifier.store.kit.sessions import is_own_session
from notifier.store.kit.statements import Parameters, Rows, Single, compiled


@dataclass(frozen=True, slots=True)
class _Line:
    """A connection taken out of the engine's pool, and the driver's beneath it."""

    connection: AsyncConnection
    driver: "asyncpg.Connection[asyncpg.Record]"
    is_own: bool
    """Not shared by a pooler."""


class Lines:
    """Keeps `size` connections of `engine`, which nobody else uses; each commits by itself."""

    in_one = True

    def __init__(self, engine: AsyncEngine, size: int) -> None:
        self._engine = engine
        self._turn = asyncio.Semaphore(size)
        self._free: list[tuple[float, _Line]] = []

    async def run(self, single: Single, parameters: Parameters) -> Rows:
        """Run a statement by itself; returns its rows. Raises what the driver does."""
        async with self._turn, self._line() as line:
            if not line.is_own:
                rows = await single.run(line.connection, parameters)
                await line.connection.commit()
                return rows
            words = compiled(single.statement, PGDialect_asyncpg)
            return words.rows(await line.driver.fetch(words.text, *words.arguments(parameters)))

    async def close(self) -> None:
        """Close the connections; nothing runs any more."""
        for _, line in self._free:
            await line.connection.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[_Line]:
        line = await self._taken()
        try:
            yield line
        except BaseException as error:
            if _is_usable_after(error, line):
                self._keep(line)
            else:
                await _give_up(line)
            raise
        self._keep(line)

    def _keep(self, line: _Line) -> None:
        self._free.append((time.monotonic(), line))

    async def _taken(self) -> _Line:
        if not self._free:
            return await self._opened()
        used_s, line = self._free.pop()
        if is_trusted(used_s) and not line.driver.is_closed():
            return line
        # The pool knows how to tell whether it is still good.
        await line.connection.close()
        return await self._opened()

    async def _opened(self) -> _Line:
        connection = await self._engine.connect()
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        return _Line(connection, driver, is_own_session(raw.dbapi_connection))


def _is_usable_after(error: BaseException, line: _Line) -> bool:
    if not isinstance(error, asyncpg.PostgresError) or line.driver.is_closed():
        return False
    return not is_spoilt(error.sqlstate)


async def _give_up(line: _Line) -> None:
    # Not cut off: a statement that still runs there is to be cancelled, and holds what it holds.
    await line.connection.invalidate()
    await line.connection.close()
