"""The database's time, of which this machine's clock may know little."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.clock import Clock
from notifier.errors import NotifierError
from notifier.store.kit.database import Database
from notifier.store.kit.sql import ClockSeconds

log = structlog.get_logger(__name__)

SKEWED_S: Final = 2.0
_NOW = select(ClockSeconds())


class DatabaseClock:
    """A clock that goes by the database's time, as it was found when that was asked last.

    It is this machine's clock, corrected as far as what the database said proves it wrong. While
    the database was never asked it is that clock as it is.
    """

    def __init__(self, database: Database, machine: Clock, *, measure_every_s: float = 10) -> None:
        self._database = database
        self._machine = machine
        self._measure_every_s = measure_every_s
        self._ahead_s = 0.0
        self._is_skewed = False

    def now(self) -> datetime:
        """The current time, aware, UTC."""
        return self._machine.now() - timedelta(seconds=self._ahead_s)

    def monotonic_s(self) -> float:
        """Seconds that only ever grow."""
        return self._machine.monotonic_s()

    def problem(self) -> str | None:
        """How far this machine's clock is off; None while it agrees with the database's."""
        if abs(self._ahead_s) <= SKEWED_S:
            return None
        word = "ahead of" if self._ahead_s > 0 else "behind"
        return f"this machine's clock is {abs(self._ahead_s):.0f} s {word} the database's"

    async def run(self) -> None:
        """Measure again and again, until cancelled; a database that is away changes nothing."""
        while True:
            await self.measure()
            await asyncio.sleep(self._measure_every_s)

    async def measure(self) -> None:
        """Ask the database for its time, unless it is away."""
        before_s = self._machine.now().timestamp()
        try:
            there_s = await self._database.read(_clock_s)
        except NotifierError:
            return
        after_s = self._machine.now().timestamp()
        # It was that time there at some moment in between.
        self._ahead_s = min(max(self._ahead_s, before_s - there_s), after_s - there_s)
        self._tell()

    def _tell(self) -> None:
        problem = self.problem()
        if problem is not None and not self._is_skewed:
            log.warning("clock.skewed", ahead_s=round(self._ahead_s, 1), reason=problem)
        if problem is None and self._is_skewed:
            log.info("clock.agrees")
        self._is_skewed = problem is not None


async def _clock_s(connection: AsyncConnection) -> float:
    return float((await connection.execute(_NOW)).scalar_one())
