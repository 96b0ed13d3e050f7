"""Presence: a process writes down how it is, and drains when operators ask it to."""

import asyncio
import resource
import sys
from collections.abc import Callable

import structlog

from notifier.errors import NotifierError
from notifier.roster import BEAT_S, CONSUMING, MAX_ATTEMPTS, Identity, Roster, Seen, State
from notifier.trouble import Trouble
from notifier.worker.consumers import Consumers, Hold

log = structlog.get_logger(__name__)

_LAST_WORD_S = 1.0


class Presence:
    """What a process tells of itself every few seconds, whoever it is.

    `restarts` says how often something was started again, as `Seen` has it.
    """

    def __init__(
        self,
        roster: Roster,
        identity: Identity,
        *,
        restarts: Callable[[], int] = lambda: 0,
        every_s: float = BEAT_S,
    ) -> None:
        self._roster = roster
        self._identity = identity
        self._restarts = restarts
        self._every_s = every_s
        self._consumers: Consumers | None = None
        self._is_to_drain = False
        self._has_news = asyncio.Event()
        self._is_asked = asyncio.Event()
        self._now_s = asyncio.get_running_loop().time
        self._since_s = self._now_s()

    def consumes(self, consumers: Consumers) -> None:
        """Tell of these from now on, and drain them if that is asked for."""
        self._consumers = consumers
        self._has_news.set()
        self._is_asked.set()

    async def run(self) -> None:
        """Run until cancelled; a database that is away only makes it late."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            group.create_task(self._obey())

    async def _tell(self) -> None:
        trouble = Trouble("roster.not_written", "roster.written", self._now_s)
        while True:
            try:
                self._is_to_drain = await self._roster.beat(self._identity, self._seen())
            except NotifierError as error:
                trouble.met(error=type(error).__name__, reason=str(error))
            else:
                trouble.ended()
                self._is_asked.set()
            await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._every_s):
                await self._has_news.wait()
        except TimeoutError:
            return
        finally:
            self._has_news.clear()

    async def _obey(self) -> None:
        drains = False
        while True:
            await self._is_asked.wait()
            self._is_asked.clear()
            if self._consumers is None or self._is_to_drain is drains:
                continue
            drains = self._is_to_drain
            if drains:
                log.warning("worker.draining", worker=self._identity.name)
                await self._consumers.let_go(Hold.DRAIN)
            else:
                log.info("worker.taken_back", worker=self._identity.name)
                await self._consumers.resume(Hold.DRAIN)
            self._has_news.set()

    def _seen(self) -> Seen:
        up_s = self._now_s() - self._since_s
        consumers = self._consumers
        if consumers is None:
            starts = self._identity.role in CONSUMING
            state = State.STARTING if starts else State.RUNNING
            return Seen(
                state=state,
                up_s=up_s,
                memory_bytes=most_memory_bytes(),
                restarts=self._restarts(),
            )
        held = consumers.in_flight()
        idle = State.DRAINING if held else State.DRAINED
        return Seen(
            state=State.RUNNING if consumers.is_taking else idle,
            up_s=up_s,
            consumes=consumers.sources(),
            slots=consumers.slots,
            busy=len(held),
            attempts=held[:MAX_ATTEMPTS],
            handled=consumers.handled,
            memory_bytes=most_memory_bytes(),
            drains=self._is_to_drain,
            restarts=self._restarts(),
        )


def most_memory_bytes() -> int:
    """Return the most memory that this process ever held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in kibibytes.
    return most if sys.platform == "darwin" else most * 1_024


async def note_end(roster: Roster, name: str) -> None:
    """Write down that a process has stopped, if the database takes that within a second."""
    try:
        async with asyncio.timeout(_LAST_WORD_S):
            await roster.end(name)
    except (NotifierError, TimeoutError):
        log.warning("roster.end_not_written", process=name)
