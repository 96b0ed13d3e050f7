"""Connections to PostgreSQL, whether a server answers them or a pooler that shares its sessions.

PgBouncer and its kind give a connection another of the server's sessions with each transaction.
Nothing then outlives a transaction: no setting, no prepared statement. A direct connection keeps
both, which is faster.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_

from notifier.errors import SettingsError
from notifier.store.kit.address import PostgresAddress
from notifier.store.kit.reaching import Attempt, Towards, first_reached, places_of

_Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_HOST_PATIENCE_S = 0.5
# No such setting, no such value, no right to it.
_REFUSED = ("22", "42", "0A")

# What others committed may be on no standby yet, since they did not wait. Whoever answers from it
# has to wait in their place, and a commit waits only where its transaction has written.
_WRITE_IF_NOTHING_WAS = (
    "SELECT CASE WHEN pg_current_xact_id_if_assigned() IS NULL"
    " AND current_setting('synchronous_standby_names') <> '' THEN"
    " pg_logical_emit_message(true, 'notifier', pg_current_xact_id()::text) END; "
)


class _Waiting(asyncpg.Connection):
    """Commits what was only read as it commits what was written: once the standbys have it."""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:  # noqa: ASYNC109 - the driver's
        if not query.startswith("COMMIT"):
            return await super().execute(query, *args, timeout=timeout)
        try:
            return await super().execute(_WRITE_IF_NOTHING_WAS + query, timeout=timeout)
        except asyncpg.PostgresError:
            if self.is_in_transaction():
                await super().execute("ROLLBACK")
            raise


class _PooledConnection(AsyncAdapt_asyncpg_connection):
    """Runs every statement in a transaction: only there a session is one's own."""

    def set_isolation_level(self, level: Any) -> None:
        super().set_isolation_level(  # type: ignore[no-untyped-call]  # as all of SQLAlchemy's adapter
            None if level == "autocommit" else level
        )


class Sessions:
    """Opens an engine's connections. `is_pooled` is known once one was opened."""

    def __init__(
        self, address: PostgresAddress, *, session: Mapping[str, str], arguments: Mapping[str, Any]
    ) -> None:
        self.is_pooled = address.is_pooled
        self._servers = address.servers()
        self._settings = {**session, **address.session}
        options = {"options": address.startup_options} if address.startup_options else {}
        shared = {**address.driver_arguments(), **arguments}
        self._direct = {
            **shared,
            "server_settings": {**self._settings, **options},
            "connection_class": _Waiting,
            # However long a statement is, it is prepared once.
            "max_cacheable_statement_size": 0,
        }
        self._pooled = {
            **shared,
            "server_settings": options,
            "statement_cache_size": 0,
            "connection_class": _settled(self._settings),
        }

    def open_for(self, engine: AsyncEngine) -> None:
        """Open the connections of `engine` from now on."""

        @event.listens_for(engine.sync_engine, "do_connect")
        def connect(dialect: Any, *_rest: object) -> AsyncAdapt_asyncpg_connection:
            return await_(self._open(dialect.dbapi))

    async def _open(self, dbapi: Any) -> AsyncAdapt_asyncpg_connection:
        if not self.is_pooled and (connection := await self._reach_server()):
            return _adapted(AsyncAdapt_asyncpg_connection, dbapi, connection)
        connection = await self._connect(self._pooled)
        self.is_pooled = True
        return _adapted(_PooledConnection, dbapi, connection, prepared_statement_cache_size=0)

    async def _reach_server(self) -> "_Connection | None":
        """A connection to a session that is its own; None if a pooler answers."""
        try:
            connection = await self._connect(self._direct)
        except asyncpg.ProtocolViolationError:
            # What poolers answer to settings that they cannot keep, and to much else.
            return None
        try:
            is_own = await _is_of_one_session(connection)
        except BaseException:
            # Nobody else knows of it yet.
            connection.terminate()
            raise
        if is_own:
            return connection
        await connection.close()
        return None

    async def _connect(self, arguments: Mapping[str, Any]) -> _Connection:
        return await _first([partial(_reach, {**arguments, **each}) for each in self._servers])


def is_own_session(connection: object) -> bool:
    """Whether a connection of SQLAlchemy's has a session that no pooler shares."""
    return not isinstance(connection, _PooledConnection)


def _adapted(
    kind: Callable[..., AsyncAdapt_asyncpg_connection], *arguments: object, **options: object
) -> AsyncAdapt_asyncpg_connection:
    return kind(*arguments, **options)


async def _first(attempts: Sequence[Attempt[_Connection]]) -> _Connection:
    return await first_reached(
        attempts, patience_s=_HOST_PATIENCE_S, drop=asyncpg.Connection.terminate
    )


async def _reach(arguments: Mapping[str, Any]) -> _Connection:
    """A connection to a server; where its name has several addresses, to the first that writes."""
    async with asyncio.timeout(arguments["timeout"]):
        places = await places_of(arguments["host"])
    if len(places) <= 1:
        return await _connect(arguments)
    kind = arguments["target_session_attrs"] or "read-write"
    chosen = {**arguments, "target_session_attrs": kind}
    return await _first([partial(_connect, {**chosen, "loop": Towards(at)}) for at in places])


async def _connect(arguments: Mapping[str, Any]) -> _Connection:
    try:
        return await asyncpg.connect(**arguments)
    except asyncpg.ClientConfigurationError as error:
        raise SettingsError(f"NOTIFIER_DATABASE_URL: {error.args[0]}") from None
    except asyncpg.PostgresError as error:
        if not (error.sqlstate or "").startswith(_REFUSED):
            raise
        told = " ".join(str(error).split())
        raise SettingsError(f"NOTIFIER_DATABASE_URL: the server refuses it: {told}") from None


async def _is_of_one_session(connection: _Connection) -> bool:
    """Whether the server's process that answers is the one that the connection was told of.

    A pooler tells of one that it made up, with which to ask it for a cancellation.
    """
    transaction = connection.transaction()
    await transaction.start()
    statement = await connection.prepare("SELECT pg_backend_pid()", name="")
    pid = await statement.fetchval()
    await transaction.rollback()
    return bool(pid == connection.get_server_pid())


def _settled(settings: Mapping[str, str]) -> type[_Connection]:
    """A connection that begins its transactions with these settings, at no cost in time."""
    pairs = (f"set_config({_literal(name)}, {_literal(settings[name])}, true)" for name in settings)
    settle = f" SELECT {', '.join(pairs)};" if settings else ""

    class Settled(_Waiting):
        async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:  # noqa: ASYNC109 - the driver's
            if query.startswith("BEGIN"):
                query += settle
            return await super().execute(query, *args, timeout=timeout)

    return Settled


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"
