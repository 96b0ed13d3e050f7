"""What SQLAlchemy takes for a connection of aiosqlite: each statement crosses a world's network."""

import asyncio
import pickle
import sqlite3
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, Self, cast

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from notifier.store.kit.database import Database, Patience

HOST, PORT = "database", 5432
COMMIT, ROLLBACK = "COMMIT", "ROLLBACK"
_LOST = "connection closed"
"""The words by which SQLAlchemy's dialect knows a connection that is gone."""

_compiled: dict[Any, Any] = {}
_templates: list[AsyncEngine] = []


class Asked(NamedTuple):
    """One statement on its way to the database."""

    sql: str
    parameters: Any = ()
    is_many: bool = False


class Answered(NamedTuple):
    """What the database says to it."""

    rows: Sequence[tuple[Any, ...]]
    description: Any
    changed: int
    last_id: int | None
    is_in_transaction: bool


class Refused(NamedTuple):
    """Why it ran no statement, as SQLite says it."""

    kind: type[sqlite3.Error]
    text: str
    code: int


_KINDS: tuple[type[Asked | Answered | Refused], ...] = (Asked, Answered, Refused)


def packed(said: Asked | Answered | Refused) -> bytes:
    """As it crosses the network."""
    return pickle.dumps((_KINDS.index(type(said)), tuple(said)))


def unpacked(data: bytes) -> Asked | Answered | Refused:
    """What `packed` was given."""
    kind, fields = pickle.loads(data)  # noqa: S301  the world's own
    said: Asked | Answered | Refused = _KINDS[kind](*fields)
    return said


class Connection(asyncio.Protocol):
    """A client's end; raises sqlite3.OperationalError once it is lost."""

    def __init__(self) -> None:
        self.is_in_transaction = False
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[asyncio.Future[Answered]] = deque()

    @classmethod
    async def open(cls) -> "Connection":
        """Connect from the process whose turn it is."""
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(cls, HOST, PORT)
        return protocol

    async def ask(self, asked: Asked) -> Answered:
        """Send a statement and wait for its answer."""
        if self._transport is None or self._transport.is_closing():
            raise sqlite3.OperationalError(_LOST)
        self._transport.write(packed(asked))
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        return await answer

    # --- asyncio's protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        answer = unpacked(data)
        waiting = self._waiting.popleft()
        if isinstance(answer, Answered):
            self.is_in_transaction = answer.is_in_transaction
            if not waiting.done():
                waiting.set_result(answer)
        elif isinstance(answer, Refused) and not waiting.done():
            waiting.set_exception(_as_error(answer))

    def connection_lost(self, _error: Exception | None) -> None:
        waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            if not each.done():
                each.set_exception(sqlite3.OperationalError(_LOST))

    # --- aiosqlite's connection -----------------------------------------------------------------

    @property
    def _connection(self) -> bool:
        return True

    def cursor(self) -> "Cursor":
        return Cursor(self)

    async def commit(self) -> None:
        if self.is_in_transaction:
            await self.ask(Asked(COMMIT))

    async def rollback(self) -> None:
        if self.is_in_transaction:
            await self.ask(Asked(ROLLBACK))

    async def close(self) -> None:
        self.stop()

    def stop(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def create_function(self, *_arguments: object, **_options: object) -> None:
        """The database has its functions itself."""


class Cursor:
    """A cursor of aiosqlite."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self._connection = connection
        self._rows: Sequence[tuple[Any, ...]] = ()

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Any = ()) -> None:
        self._take(await self._connection.ask(Asked(sql, parameters)))

    async def executemany(self, sql: str, parameters: Any) -> None:
        self._take(await self._connection.ask(Asked(sql, list(parameters), is_many=True)))

    async def fetchall(self) -> Sequence[tuple[Any, ...]]:
        return self._rows

    async def close(self) -> None:
        pass

    def _take(self, answer: Answered) -> None:
        self.description, self._rows = answer.description, answer.rows
        self.rowcount, self.lastrowid = answer.changed, answer.last_id


def connected_database(patience: Patience) -> Database:
    """The database as the process whose turn it is sees it."""
    return Database(
        _engine("BEGIN IMMEDIATE", patience),
        _engine(None, patience),
        searcher=_engine(None, patience),
        timeout_s=patience.answer_s,
    )


def _engine(begin: str | None, patience: Patience) -> AsyncEngine:
    """One whose transactions start with `begin`; without, as PostgreSQL's, it only reads."""
    engine = create_async_engine(
        "sqlite+aiosqlite:///world",
        hide_parameters=True,
        async_creator=Connection.open,
        pool_size=10,
        max_overflow=0,
        pool_timeout=patience.connect_s,
    )
    _share_compiled(engine)

    if begin is not None:

        @event.listens_for(engine.sync_engine, "begin")
        def start(connection: Any) -> None:
            connection.exec_driver_sql(begin)

    return engine


def _share_compiled(engine: AsyncEngine) -> None:
    """Compiling takes most of a world's time; its cache goes by the dialect."""
    if not _templates:
        _templates.append(engine)
    engine.sync_engine.dialect = _templates[0].sync_engine.dialect
    engine.sync_engine._compiled_cache = _compiled  # noqa: SLF001


def _as_error(refused: Refused) -> sqlite3.Error:
    error = refused.kind(refused.text)
    error.sqlite_errorcode = refused.code
    return error
