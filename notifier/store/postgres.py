"""Opening PostgreSQL."""

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from notifier.errors import SettingsError
from notifier.store.database import Database

_CONNECT_TIMEOUT_S = 2.0
# The server gives up first, so that a connection seldom has to be thrown away.
_SERVER_SETTINGS = {
    "application_name": "notifier",
    "statement_timeout": "2000",
    "lock_timeout": "1000",
    "idle_in_transaction_session_timeout": "5000",
    "jit": "off",
}


@asynccontextmanager
async def open_postgres(url: URL, *, pool_size: int = 10) -> AsyncIterator[Database]:
    """Open a database with at most `pool_size` connections, made when they are needed.

    Raises:
        SettingsError: the driver is not installed.
    """
    engine = create_postgres_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_CONNECT_TIMEOUT_S,
        pool_pre_ping=True,
        pool_use_lifo=True,
        connect_args={
            "timeout": _CONNECT_TIMEOUT_S,
            "command_timeout": 2.5,
            "server_settings": _SERVER_SETTINGS,
        },
    )
    database = Database(engine, engine.execution_options(isolation_level="AUTOCOMMIT"))
    try:
        yield database
    finally:
        await database.close()


def create_postgres_engine(url: URL, **options: Any) -> AsyncEngine:
    """Return an engine for a `postgresql://` URL; `sslmode` is understood as libpq does.

    Raises:
        SettingsError: the driver is not installed.
    """
    if importlib.util.find_spec("asyncpg") is None:
        raise SettingsError(
            "NOTIFIER_DATABASE_URL: PostgreSQL needs its driver: pip install notifier[postgres]"
        )
    url = url.set(drivername="postgresql+asyncpg")
    if "sslmode" in url.query:
        url = url.update_query_dict({"ssl": url.query["sslmode"]}).difference_update_query(
            ["sslmode"]
        )
    return create_async_engine(url, hide_parameters=True, **options)
