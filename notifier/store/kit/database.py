"""Transactions: bounded in time, and with errors that say what to do and carry no data."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from notifier.errors import (
    NotifierError,
    SchemaError,
    StoreBusyError,
    StoreRefusedError,
    StoreTooSlowError,
    StoreUnavailableError,
)
from notifier.evidence import Evidence, Outage
from notifier.store.kit import reasons
from notifier.store.kit.statements import Parameters, Rows, Single

Answer = TypeVar("Answer")
Work: TypeAlias = Callable[[AsyncConnection], Awaitable[Answer]]

ANSWER_TIMEOUT_S: Final = 2.8
"""How long any call may take before it raises `StoreUnavailableError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited for a database: the server gives up first, and the caller last.

    So a connection seldom has to be thrown away.
    """

    answer_s: float = ANSWER_TIMEOUT_S
    command_s: float = 2.5
    connect_s: float = 2.0
    statement_s: float = 2.0
    lock_s: float = 1.0
    idle_s: float = 5.0

    def times(self, factor: float) -> "Patience":
        """All of it so many times as long."""
        names = (each.name for each in fields(self))
        return Patience(**{name: getattr(self, name) * factor for name in names})


_SOON_S = 1.0
"""A small write that takes longer waits for something: whoever asks for health wants to know."""

_ANYTHING = select(1)

_BUSY = {"55P03", "40P01", "40001"}
_CANCELLED = "57014"
_NO_SCHEMA = {"42P01", "42703"}
_REFUSED = ("22", "23", "54")
_OURS = ("42", "0A")
_NO_RIGHT = "42501"

_SQLITE_BUSY = {5, 6}
_SQLITE_REFUSED = {18, 19, 20}
_SQLITE_ERROR = 1


class Direct(Protocol):
    """Makes changes of one statement on the driver's own connections; each commits by itself."""

    in_one: bool
    """Whether one statement can change several tables."""

    async def run(self, single: Single, parameters: Parameters) -> Rows:
        """Make a change; returns the rows of its statement. Raises what the driver does."""

    async def close(self) -> None:
        """Close the connections; nothing runs any more."""


class Database:
    """Runs work in transactions.

    `writer` and `reader` may be one engine, or differ where the database has one writer only.
    `searcher` is another than both: who searches cannot take what is needed to write.
    `follower` is for reading rows in the order of an index, where that takes one of its own.
    `direct` is for changes of one statement, and `turn` is held by whoever else writes where one
    can write at a time.
    `obstacle` reads what commits wait for, if for anything.
    """

    def __init__(
        self,
        writer: AsyncEngine,
        reader: AsyncEngine,
        *,
        searcher: AsyncEngine,
        follower: AsyncEngine | None = None,
        direct: Direct | None = None,
        turn: AbstractAsyncContextManager[object] | None = None,
        obstacle: Work[str | None] | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self.timeout_s = timeout_s
        self._direct = direct
        self._turn = turn or nullcontext()
        self._obstacle = obstacle
        self._beside: Work[None] | None = None
        self._writer = writer
        self._reader = reader
        self._searcher = searcher
        self._follower = follower or reader
        self._tasks: set[asyncio.Task[Any]] = set()
        self._writes = Evidence("database", time.monotonic)

    def beside(self, work: Work[None]) -> None:
        """Have `work` run in each transaction that `write` runs another in, just before its end."""
        self._beside = work

    async def write(self, work: Work[Answer]) -> Answer:
        """Run `work` in a transaction and return its answer once that is committed.

        What it saw is then as safe as what it wrote: where standbys have to have a commit, they
        have those before it too. `work` may roll back by itself. It is not run twice.

        Raises:
            StoreUnavailableError: within the time-out; it may or may not be committed.
            StoreBusyError: another transaction held what it needed; nothing was changed.
            StoreRefusedError: a value or a row is not acceptable; nothing was changed.
            SchemaError: the tables are not those that this code needs.
        """
        return await self._noted(self._commit(work))

    async def write_at_once(self, single: Single, parameters: Parameters) -> Rows:
        """Make a change as `write` does, but saving the round trips of a transaction.

        Returns the rows of its statement.
        """
        if self._direct is None:
            return await self.write(partial(single.run, parameters=parameters))
        return await self._noted(self._direct.run(single, parameters))

    @property
    def writes_in_one(self) -> bool:
        """Whether one statement can change several tables."""
        return self._direct is not None and self._direct.in_one

    async def read(self, work: Work[Answer]) -> Answer:
        """Run `work`, which changes nothing; one statement sees one state. Raises as `write`."""
        return await self._bounded(_run(self._reader, work))

    async def search(self, work: Work[Answer]) -> Answer:
        """Run `work` as `read` does, where it may have to go through much of a table.

        Raises:
            StoreTooSlowError: it was too much. Else as `write`.
        """
        return await self._bounded(_run(self._searcher, work))

    async def follow(self, work: Work[Answer]) -> Answer:
        """Run `work` as `read` does, where it asks for the next rows in the order of an index.

        None but those are read, whatever the tables looked like when this was planned.
        """
        return await self._bounded(_run(self._follower, work))

    async def prove(self, work: Work[object]) -> str | None:
        """Return why it takes no writes, as the last ones found; None if it does.

        Where that is not known, or was bad, `work` is tried.
        """
        return await self._writes.proved(partial(self._probe, work))

    async def outage(self, work: Work[object]) -> Outage | None:
        """Return for how long it has taken no writes at all; None if it takes some.

        Tries `work` where `prove` does.
        """
        await self.prove(work)
        return self._writes.outage

    async def _probe(self, work: Work[object]) -> None:
        """Try `work`, and note what becomes of it; for what it waits is asked meanwhile."""
        trying = self._kept(self._noted(self._commit(work), is_probe=True))
        try:
            await asyncio.wait({trying}, timeout=_SOON_S)
            if not trying.done() and (problem := await self._waited_for()):
                self._writes.failed(problem, is_probe=True)
                return
            with suppress(NotifierError):
                await trying
        finally:
            trying.cancel()

    async def _commit(self, work: Work[Answer]) -> Answer:
        async with self._turn, self._writer.connect() as connection:
            answer = await work(connection)
            if self._beside is not None:
                await self._beside(connection)
            if not connection.in_transaction():
                # What made it roll back may be what others did: a commit waits for that as well.
                await connection.execute(_ANYTHING)
            await connection.commit()
        return answer

    async def _waited_for(self) -> str | None:
        if self._obstacle is None:
            return None
        try:
            return await self.search(self._obstacle)
        except NotifierError:
            return None

    async def close(self) -> None:
        """Wait for what is under way, and close the connections."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._writer.dispose()
        await self._reader.dispose()
        await self._searcher.dispose()
        await self._follower.dispose()
        if self._direct is not None:
            await self._direct.close()

    async def _noted(
        self, transaction: Coroutine[Any, Any, Answer], *, is_probe: bool = False
    ) -> Answer:
        """Run a transaction that writes, and note what became of it."""
        try:
            answer = await self._bounded(transaction)
        except StoreBusyError:
            raise
        except (StoreUnavailableError, SchemaError) as error:
            self._note(error, is_probe=is_probe)
            raise
        self._writes.worked(is_probe=is_probe)
        return answer

    def _note(self, error: NotifierError, *, is_probe: bool) -> None:
        is_slow = isinstance(error, StoreTooSlowError) or str(error) == reasons.SILENT
        note = self._writes.silent if is_slow else self._writes.failed
        note(str(error), is_probe=is_probe)

    async def _bounded(self, transaction: Coroutine[Any, Any, Answer]) -> Answer:
        # A task of its own: giving back the connection of a cancelled statement can take as long
        # as the statement, and the caller is not to wait for that.
        task = self._kept(translated(transaction))
        try:
            done, _ = await asyncio.wait({task}, timeout=self.timeout_s)
        finally:
            task.cancel()
        if not done:
            raise StoreUnavailableError(reasons.SILENT)
        return task.result()

    def _kept(self, work: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()


async def _run(engine: AsyncEngine, work: Work[Answer]) -> Answer:
    async with engine.connect() as connection:
        return await work(connection)


async def translated(transaction: Coroutine[Any, Any, Answer]) -> Answer:
    """Return its answer, with the database's errors as our own."""
    try:
        return await transaction
    except NotifierError:
        raise
    except Exception as error:
        known = translate(error)
        if known is None:
            raise
        # The original text of a refused row quotes it.
        raise known from None


def translate(error: Exception) -> NotifierError | None:
    """Return what an error of the database means to a caller; None for a fault of our own."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return _from_sqlite(code & 0xFF, str(cause))
    if sqlstate := getattr(cause, "sqlstate", None):
        return _from_sqlstate(sqlstate)
    if isinstance(error, PoolTimeoutError):
        return StoreUnavailableError(reasons.SILENT)
    if isinstance(error, DBAPIError | OSError | TimeoutError):
        return StoreUnavailableError(reasons.of_connecting(cause or error))
    return None if isinstance(error, SQLAlchemyError) else _from_driver(error)


def _from_driver(error: Exception) -> NotifierError | None:
    # What asyncpg raises while connecting comes as it is.
    if type(error).__module__.startswith("asyncpg."):
        return StoreUnavailableError(reasons.of_connecting(error))
    return None


def _from_sqlstate(sqlstate: str) -> NotifierError | None:
    if sqlstate in _BUSY:
        return StoreBusyError(f"another transaction holds it (SQLSTATE {sqlstate})")
    if sqlstate in _NO_SCHEMA:
        return SchemaError("the database's tables are missing or old: run `notifier db upgrade`")
    if sqlstate == _CANCELLED:
        return StoreTooSlowError(f"the database needed too long (SQLSTATE {sqlstate})")
    if sqlstate.startswith(_REFUSED):
        return StoreRefusedError(f"the database refused a row (SQLSTATE {sqlstate})")
    if sqlstate.startswith(_OURS) and sqlstate != _NO_RIGHT:
        return None
    return StoreUnavailableError(reasons.of_sqlstate(sqlstate))


def _from_sqlite(code: int, message: str) -> NotifierError | None:
    if code in _SQLITE_BUSY:
        return StoreBusyError("another process is writing to the database")
    if code in _SQLITE_REFUSED:
        return StoreRefusedError(f"the database refused a row (SQLite {code})")
    if code == _SQLITE_ERROR:
        if message.startswith("no such"):
            return SchemaError(
                "the database's tables are missing or old: run `notifier db upgrade`"
            )
        return None
    return StoreUnavailableError(reasons.of_sqlite(code))
