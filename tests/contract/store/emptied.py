"""A database that is emptied for each test."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from notifier.store.kit.tables import metadata

_LOST = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError)


def _emptying() -> str:
    deleted = " ".join(f"DELETE FROM {table};" for table in metadata.tables)  # noqa: S608  names of ours
    return f"""
        CREATE FUNCTION pg_temp.empty() RETURNS void LANGUAGE plpgsql
        AS $$ BEGIN {deleted} END $$
    """


class Emptied:
    """A database, and a session that empties it and stays.

    A new session would learn of all the tables before it could: that costs more than most tests do.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._session: asyncpg.Connection | None = None

    def url(self) -> str:
        """Empty it, and return its URL."""
        try:
            self._loop.run_until_complete(self._empty())
        except _LOST:  # a test may have ended all sessions
            self._session = None
            self._loop.run_until_complete(self._empty())
        return self._url

    async def _empty(self) -> None:
        if self._session is None:
            self._session = await asyncpg.connect(self._url.replace("+asyncpg", ""))
            await self._session.execute(_emptying())
        await self._session.execute("SELECT pg_temp.empty()")

    def close(self) -> None:
        if self._session is not None:
            self._session.terminate()
            self._loop.run_until_complete(asyncio.sleep(0))  # its transport closes in a turn
        self._loop.close()


@contextmanager
def emptied(url: str) -> Iterator[Emptied]:
    """Hold the session as long as the block."""
    database = Emptied(url)
    try:
        yield database
    finally:
        database.close()
