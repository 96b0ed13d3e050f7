"""The database of a world: SQLite's file, with sessions, locks and faults as PostgreSQL has them.

Each statement is a point before and after which the world may stop. Transactions that write run
one after the other: what two of them do to one row at the same time is not seen here.
"""

import asyncio
import random
import re
import sqlite3
from collections import deque
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from tests.simulation.driver import (
    COMMIT,
    HOST,
    PORT,
    ROLLBACK,
    Answered,
    Asked,
    Refused,
    packed,
    unpacked,
)
from tests.simulation.loop import Process, WorldLoop
from tests.simulation.network import Network

_LOCK_S = 1.0
_IDLE_S = 5.0
_STATEMENT_S = (0.0002, 0.003)
_ID = re.compile(r"\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b")
_BUSY = 5
_CONSTRAINT = 19
_PREPARED = 500
_BUSY_TEXT = "database is locked"


class DatabaseServer:
    """Serves the file at `path` to a world."""

    def __init__(
        self,
        process: Process,
        network: Network,
        path: Path,
        epoch_s: float,
        chance: random.Random,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.process = process
        self.tell = tell
        self.path = path
        self.chance = chance
        self.statements = 0
        self.looks: list[Callable[[], None]] = []
        """What is called as a statement ends."""
        self.busy_share = 0.0
        """How many of the transactions that write are refused as if another held their rows."""
        self.slow_s = 0.0
        """What every statement takes longer."""
        self.busy_row = ""
        """Text, such as an id: who writes something with it is refused as if another held it."""
        self.refused_text = ""
        """What the database stores under no circumstances."""
        self.kept_locked: list[tuple[float, float]] = []
        """When one session alone kept all others from writing, for longer than they wait."""
        self.lost_answers: deque[Callable[[], None]] = deque()
        self._watched: re.Pattern[str] | None = None
        self._tell_change: Callable[[], None] = lambda: None
        self.writer: _Session | None = None
        self.waiting: deque[_Session] = deque()
        self.sessions: dict[_Session, None] = {}
        self._epoch_s = epoch_s
        self._network = network
        self._texts: dict[str, str] = {}
        self._now = (-1.0, "")
        self._locked_s = 0.0
        # Each would read the whole schema and prepare each statement for itself. Only one session
        # writes at a time, and those that read see what is committed.
        self.writing, self.reading = self._opened(), self._opened()
        self.open()

    def _opened(self) -> sqlite3.Connection:
        file = sqlite3.connect(
            self.path, isolation_level=None, timeout=0, cached_statements=_PREPARED
        )
        # As SQLite's own, it is one time for all rows of a statement.
        file.create_function("world_now", 0, self.now, deterministic=True)
        file.create_function("world_random", 0, lambda: self.chance.getrandbits(63))
        file.execute("PRAGMA synchronous = OFF")
        return file

    def close(self) -> None:
        """Let go of the file, at the end of the world."""
        self.writing.close()
        self.reading.close()

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of what is committed, to who looks at the world from outside."""
        return self.reading.execute(query).fetchall()

    def watch(self, tables: Collection[str], tell: Callable[[], None]) -> None:
        """Call `tell` now, and whenever a change of these tables is committed."""
        writes = r"\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+"
        self._watched = re.compile(f"{writes}(?:{'|'.join(sorted(tables))})\\b")
        self._tell_change = tell
        tell()

    def is_watched(self, sql: str) -> bool:
        """Whether a statement may change what is watched."""
        return self._watched is not None and self._watched.search(sql) is not None

    def note_commit(self, *, is_of_watched: bool) -> None:
        """Tell who watches."""
        if is_of_watched:
            self._tell_change()

    def open(self) -> None:
        """Take connections."""
        self._network.listen(HOST, PORT, self.process, lambda: _Session(self))

    def restart(self, down_s: float) -> None:
        """End all sessions, and serve again in `down_s`; what is not committed is undone."""
        self._network.close(HOST, PORT)
        for session in list(self.sessions):
            session.break_off()
        self.process.post(down_s, self.open)

    def lose_answers(self, count: int, tell: Callable[[], None]) -> None:
        """Do so many of the next commits, and end their connections without an answer.

        `tell` is called for each.
        """
        self.lost_answers.extend(repeat(tell, count))

    def now(self) -> str:
        """The time of the world, as SQLite reads it."""
        now_s, words = self._now
        if now_s != self.process.loop.time():
            now_s = self.process.loop.time()
            at = datetime.fromtimestamp(self._epoch_s + now_s, UTC)
            words = at.strftime("%Y-%m-%d %H:%M:%S.%f")
            self._now = (now_s, words)
        return words

    def in_world_time(self, sql: str) -> str:
        """Return the statement with the world's clock and chance for SQLite's own."""
        known = self._texts.get(sql)
        if known is None:
            known = sql.replace("'now'", "world_now()").replace("random()", "world_random()")
            self._texts[sql] = known
        return known

    def lock(self, session: "_Session") -> None:
        """Let `session` be the one that writes."""
        self.writer = session
        self._locked_s = self.process.loop.time()

    def release(self, session: "_Session") -> None:
        """Let the next one write if `session` was the one that did."""
        if self.writer is session:
            self.writer = None
            now_s = self.process.loop.time()
            if now_s - self._locked_s > _LOCK_S:
                self.kept_locked.append((self._locked_s, now_s))
            if self.waiting:
                self.waiting.popleft().lock()


class _Session(asyncio.Protocol):
    """One connection's session: a statement at a time, in their order."""

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server
        self._loop: WorldLoop = server.process.loop
        self._asked: deque[Asked] = deque()
        self._is_working = False
        self._is_abandoned = False
        self._has_changed_watched = False
        self._patience: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def _is_in_transaction(self) -> bool:
        return self._server.writer is self and self._server.writing.in_transaction

    # --- asyncio's protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.sessions[self] = None

    def data_received(self, data: bytes) -> None:
        asked = unpacked(data)
        assert isinstance(asked, Asked)
        self._asked.append(asked)
        self._go_on()

    def eof_received(self) -> bool:
        self._abandon()
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        self._abandon()

    def _abandon(self) -> None:
        # PostgreSQL notices a client's end when it is done with what that had sent.
        self._is_abandoned = True
        self._go_on()

    def break_off(self) -> None:
        """End it at once, as a database that dies does."""
        if self._transport is not None:
            self._transport.abort()
        self._end()

    # --- statements -----------------------------------------------------------------------------

    def _go_on(self) -> None:
        if self._is_working or self not in self._server.sessions:
            return
        if not self._asked:
            if self._is_abandoned:
                self._end()
            return
        self._is_working = True
        if self._idle is not None:
            self._idle.cancel()
        if self._asked[0].sql == "BEGIN IMMEDIATE":
            self._wait_for_lock()
        else:
            self._run_soon()

    def _run_soon(self) -> None:
        taken_s = self._server.chance.uniform(*_STATEMENT_S) + self._server.slow_s
        self._loop.call_later(taken_s, self._run)

    def _wait_for_lock(self) -> None:
        server = self._server
        if server.chance.random() < server.busy_share:
            self._loop.call_later(_LOCK_S, self._refuse_as_busy)
        elif server.writer is None:
            self.lock()
        else:
            server.waiting.append(self)
            self._patience = self._loop.call_later(_LOCK_S, self._stop_waiting)

    def _stop_waiting(self) -> None:
        self._server.waiting.remove(self)
        self._refuse_as_busy()

    def _refuse_as_busy(self) -> None:
        if self in self._server.sessions:
            self._asked.popleft()
            self._answer(Refused(sqlite3.OperationalError, _BUSY_TEXT, _BUSY))

    def lock(self) -> None:
        """Be the one that writes, from now on."""
        if self._patience is not None:
            self._patience.cancel()
        self._server.lock(self)
        self._run_soon()

    def _run(self) -> None:
        if self not in self._server.sessions:
            return
        asked = self._asked.popleft()
        self._server.statements += 1
        answer = self._executed(asked)
        for look in self._server.looks:
            look()
        if self._server.tell is not None:
            self._server.tell(f"{self._client()} {_said(asked)}{_told(answer)}")
        if not self._is_in_transaction:
            self._server.release(self)
        if asked.sql == COMMIT and self._server.lost_answers:
            self._server.lost_answers.popleft()()
            self.break_off()
            return
        self._answer(answer)

    def _client(self) -> str:
        process = self._transport.get_extra_info("peer") if self._transport else None
        return str(process)

    def _executed(self, asked: Asked) -> Answered | Refused:
        if (refused := self._refusal(asked)) is not None:
            return refused
        sql = self._server.in_world_time(asked.sql)
        try:
            file = self._server.writing if self._server.writer is self else self._server.reading
            run: Callable[..., sqlite3.Cursor]
            run = file.executemany if asked.is_many else file.execute
            if asked.sql in (COMMIT, ROLLBACK) and not self._is_in_transaction:
                return Answered((), None, -1, None, is_in_transaction=False)
            cursor = run(sql, asked.parameters)
            self._note(asked.sql)
            rows = cursor.fetchall() if cursor.description else ()
        except sqlite3.Error as error:
            return Refused(type(error), str(error), error.sqlite_errorcode)
        return Answered(
            rows,
            cursor.description,
            cursor.rowcount,
            cursor.lastrowid,
            is_in_transaction=self._is_in_transaction,
        )

    def _note(self, sql: str) -> None:
        """Tell who watches, once it is done for good."""
        if self._server.is_watched(sql):
            self._has_changed_watched = True
        elif sql in (COMMIT, ROLLBACK):
            is_done = sql == COMMIT and self._has_changed_watched
            self._has_changed_watched = False
            self._server.note_commit(is_of_watched=is_done)

    def _refusal(self, asked: Asked) -> Refused | None:
        """Why this one is refused for what it writes; None if it is not."""
        busy, refused = self._server.busy_row, self._server.refused_text
        if not self._is_in_transaction or not (busy or refused):
            return None
        given = str(asked.parameters)
        if busy and busy in given:
            return Refused(sqlite3.OperationalError, _BUSY_TEXT, _BUSY)
        if refused and refused in given:
            return Refused(sqlite3.IntegrityError, "constraint failed", _CONSTRAINT)
        return None

    def _answer(self, answer: Answered | Refused) -> None:
        self._is_working = False
        if self._transport is not None:
            self._transport.write(packed(answer))
        if self._is_in_transaction:
            self._idle = self._loop.call_later(_IDLE_S, self.break_off)
        self._go_on()

    def _end(self) -> None:
        if self not in self._server.sessions:
            return
        del self._server.sessions[self]
        for timer in (self._patience, self._idle):
            if timer is not None:
                timer.cancel()
        if self in self._server.waiting:
            self._server.waiting.remove(self)
        if self._is_in_transaction:
            self._server.writing.rollback()
        self._server.release(self)
        if self._transport is not None:
            self._transport.close()


def _said(asked: Asked) -> str:
    ids = _ID.findall(str(asked.parameters))
    of = f" of {' '.join(str(UUID(id)) for id in ids[:3])}" if ids else ""
    return f"{' '.join(asked.sql.split())[:100]}{of}"


def _told(answer: Answered | Refused) -> str:
    if isinstance(answer, Refused):
        return f" -> {answer.text}"
    return f" -> {len(answer.rows) or answer.changed}"
