"""Opening SQLite: one writer, concurrent readers, durable commits."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from notifier.errors import StoreUnavailableError
from notifier.store.kit.database import Database, Patience
from notifier.store.kit.writer import Writer

_SEARCHES = 4


@asynccontextmanager
async def open_sqlite(
    url: URL, patience: Patience, *, pool_size: int = 4
) -> AsyncIterator[Database]:
    """Open a database file with one writing and at most `pool_size` reading connections.

    Those for searches come on top.
    """
    shared: dict[str, Any] = {
        "busy_timeout_ms": round(patience.statement_s * 1_000),
        "max_overflow": 0,
        "pool_timeout": patience.connect_s,
    }
    turn = asyncio.Lock()
    opened = partial(_connected, url, shared["busy_timeout_ms"])
    writer = create_sqlite_engine(url, begin="BEGIN IMMEDIATE", pool_size=1, **shared)
    reader = create_sqlite_engine(url, begin="BEGIN", pool_size=pool_size, **shared)
    searcher = create_sqlite_engine(url, begin="BEGIN", pool_size=_SEARCHES, **shared)
    database = Database(
        writer,
        reader,
        searcher=searcher,
        direct=Writer(opened, turn),
        turn=turn,
        timeout_s=patience.answer_s,
    )
    try:
        yield database
    finally:
        await database.close()


def _connected(url: URL, busy_timeout_ms: int) -> sqlite3.Connection:
    _check_folder(url)
    connection = sqlite3.connect(url.database or "", isolation_level=None, check_same_thread=False)
    for each in _settled(busy_timeout_ms):
        connection.execute(each)
    return connection


def _settled(busy_timeout_ms: int) -> Sequence[str]:
    return (
        f"PRAGMA busy_timeout = {busy_timeout_ms}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        # What is erased is written over, not just left to be.
        "PRAGMA secure_delete = ON",
    )


def create_sqlite_engine(
    url: URL, *, begin: str, busy_timeout_ms: int, **options: Any
) -> AsyncEngine:
    """Return an engine for a `sqlite:///path` URL whose transactions start with `begin`."""
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"), hide_parameters=True, **options
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def check(*_connecting: object) -> None:
        # aiosqlite's thread outlives its loop if there is nothing to open.
        _check_folder(url)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # Left to itself, Python's module begins transactions late, and none for reading.
        connection.isolation_level = None
        cursor = connection.cursor()
        for each in _settled(busy_timeout_ms):
            cursor.execute(each)
        cursor.close()

    event.listen(engine.sync_engine, "invalidate", _roll_back_first)

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _roll_back_first(connection: Any, _record: object, _error: object) -> None:
    """Have what a connection has begun ended before it is closed, behind what its thread does.

    Of a statement that was cancelled somebody may still hold the cursor, and until they let go of
    it a connection that was closed keeps its transaction, and the file locked.
    """
    driver = connection.driver_connection
    driver._tx.put_nowait((None, partial(_roll_back, driver)))  # noqa: SLF001  as SQLAlchemy


def _roll_back(driver: Any) -> None:
    if driver._connection is not None:  # noqa: SLF001  as SQLAlchemy
        driver._connection.rollback()  # noqa: SLF001


def _check_folder(url: URL) -> None:
    if not Path(url.database or "").absolute().parent.is_dir():
        raise StoreUnavailableError("the folder of the database file does not exist")
