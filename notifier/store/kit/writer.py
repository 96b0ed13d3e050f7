"""Changes of one statement on SQLite: a transaction of them is one way to a thread and back."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, closing
from functools import partial

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from notifier.store.kit.statements import Parameters, Query, Rows, Single, compiled, taken


class Writer:
    """Writes by a connection and a thread of its own.

    `opened` opens it, which is done when it is first used. `turn` is held while it writes: SQLite
    lets one write at a time, and whoever meets another one waits by sleeping.
    """

    in_one = False

    def __init__(
        self, opened: Callable[[], sqlite3.Connection], turn: AbstractAsyncContextManager[object]
    ) -> None:
        self._open = opened
        self._turn = turn
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-writer")

    async def run(self, single: Single, parameters: Parameters) -> Rows:
        """Make a change by itself; returns the rows of its statement. Raises what SQLite does."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            return await loop.run_in_executor(
                self._thread, partial(self._change, single, parameters)
            )

    async def close(self) -> None:
        """Wait for what is under way, and close the connection."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _change(self, single: Single, parameters: Parameters) -> Rows:
        if self._connection is None:
            self._connection = self._open()
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            rows = taken(single.in_steps(parameters), partial(_rows, connection))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return rows


def _rows(connection: sqlite3.Connection, statement: Query, parameters: Parameters) -> Rows:
    words = compiled(statement, SQLiteDialect_pysqlite)
    with closing(connection.execute(words.text, words.arguments(parameters))) as cursor:
        return words.rows(cursor.fetchall())
