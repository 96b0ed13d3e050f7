"""Opening PostgreSQL."""

import importlib.util
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from notifier.errors import SettingsError
from notifier.store.kit import reasons
from notifier.store.kit.address import PostgresAddress
from notifier.store.kit.database import Database, Patience
from notifier.store.kit.freshness import leave_spoilt_sessions, ping_idle_connections

_SEARCHES = 4
_FOLLOWERS = 2
_SINGLE = 6
_SESSION = {
    "application_name": "notifier",
    "jit": "off",
    # A prepared statement's plan is kept until the tables are analysed: one that was made when they
    # were small would go on reading all of them, where each given row is to be found by its key.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # Nor in what order the first few are to be had: a bitmap is made of all.
    "enable_bitmapscan": "off",
}
_SEARCHING = {
    **_SESSION,
    "enable_bitmapscan": "on",
    # What is asked for decides by which index it is found.
    "plan_cache_mode": "force_custom_plan",
    # Who searches gets one core, and leaves the others to those who send.
    "max_parallel_workers_per_gather": "0",
}
_FOLLOWING = {
    **_SESSION,
    # While a table is small, all of it in any order is sorted as cheaply as an index is followed.
    "enable_sort": "off",
}


# A role sees for what its own sessions wait. All commits do for a moment where standbys confirm.
_COMMITS_WAIT = text(
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    " AND query_start < clock_timestamp() - interval '500 ms')"
)


@asynccontextmanager
async def open_postgres(
    address: PostgresAddress, patience: Patience, *, pool_size: int = 8
) -> AsyncIterator[Database]:
    """Open a database with at most `pool_size` connections, made when they are needed.

    Those for searches, followers and single statements come on top.

    Raises:
        SettingsError: the driver is not installed, or a file that the URL names cannot be used.
    """
    engine = _pooled(address, patience, pool_size, _SESSION)
    single = _pooled(address, patience, _SINGLE, _SESSION)
    from notifier.store.kit.lines import Lines  # noqa: PLC0415 - needs what is an extra

    searching = _pooled(address, patience, _SEARCHES, _SEARCHING)
    following = _pooled(address, patience, _FOLLOWERS, _FOLLOWING)
    database = Database(
        engine,
        engine.execution_options(isolation_level="AUTOCOMMIT"),
        searcher=searching.execution_options(isolation_level="AUTOCOMMIT"),
        follower=following.execution_options(isolation_level="AUTOCOMMIT"),
        direct=Lines(single.execution_options(isolation_level="AUTOCOMMIT"), _SINGLE),
        obstacle=_obstacle,
        timeout_s=patience.answer_s,
    )
    try:
        yield database
    finally:
        await database.close()


def _pooled(
    address: PostgresAddress, patience: Patience, size: int, session: Mapping[str, str]
) -> AsyncEngine:
    limits_s = {
        "statement_timeout": patience.statement_s,
        "lock_timeout": patience.lock_s,
        "idle_in_transaction_session_timeout": patience.idle_s,
    }
    engine = create_postgres_engine(
        address,
        connect_timeout_s=min(address.connect_timeout_s or patience.connect_s, patience.connect_s),
        command_timeout_s=patience.command_s,
        session={**session} | {name: str(round(s * 1_000)) for name, s in limits_s.items()},
        pool_size=size,
        max_overflow=0,
        pool_timeout=patience.connect_s,
        pool_use_lifo=True,
    )
    ping_idle_connections(engine)
    leave_spoilt_sessions(engine)
    return engine


async def _obstacle(connection: AsyncConnection) -> str | None:
    return reasons.NO_STANDBY if (await connection.execute(_COMMITS_WAIT)).scalar() else None


def create_postgres_engine(
    address: PostgresAddress,
    *,
    connect_timeout_s: float = 10,
    command_timeout_s: float | None = None,
    session: Mapping[str, str] = MappingProxyType({}),
    **options: Any,
) -> AsyncEngine:
    """Return an engine for a server, with these settings in each of its sessions.

    Raises:
        SettingsError: the driver is not installed, or a file that the URL names cannot be used.
    """
    if importlib.util.find_spec("asyncpg") is None:
        raise SettingsError(
            "NOTIFIER_DATABASE_URL: PostgreSQL needs its driver: pip install notifier[postgres]"
        )
    from notifier.store.kit.sessions import Sessions  # noqa: PLC0415 - an extra

    timeouts = {"timeout": connect_timeout_s, "command_timeout": command_timeout_s}
    sessions = Sessions(address, session=session, arguments=timeouts)
    engine = create_async_engine("postgresql+asyncpg://", hide_parameters=True, **options)
    sessions.open_for(engine)
    return engine
