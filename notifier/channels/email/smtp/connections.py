"""Connections to a server that gives us only so many: as many as it bears, shared in turn."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import structlog

from notifier.clock import Clock

log = structlog.get_logger(__name__)

_GROW_EVERY_S = 1.0


class Cap:
    """How many connections a server bears: up by one, down to three quarters.

    Those who share a server and all do this come to have as many each, and the one who has
    nothing finds room soon.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = most
        self._lowered_at_s = float("-inf")
        self._changed_at_s = float("-inf")

    def refused(self, had: int, *, began_s: float, now_s: float) -> bool:
        """Come down from the `had` connections beside the refused one; says whether it did.

        An opening that began, at `began_s`, before the last time adds nothing to what is known.
        """
        if began_s < self._lowered_at_s:
            return False
        self.now = max(1, min(self.now, had) * 3 // 4)
        self._lowered_at_s = self._changed_at_s = now_s
        return True

    def served(self, now_s: float) -> None:
        """Feel the way up, as what we have works: by one a second at most."""
        if self.now < self.most and now_s - self._changed_at_s >= _GROW_EVERY_S:
            self.now += 1
            self._changed_at_s = now_s


class Connection(Protocol):
    """What is pooled."""

    idle_since_s: float | None
    """When it was last put aside; None as long as it never was."""

    @property
    def is_usable(self) -> bool:
        """Whether it still stands, as far as is known here."""

    @property
    def is_reusable(self) -> bool:
        """Whether it is usable and not worn out."""

    async def quit(self) -> None:
        """Take leave, and close; takes a bounded time and raises nothing."""

    def abort(self) -> None:
        """Close at once."""


class Handle(Protocol):
    """A timer that can be stopped."""

    def cancel(self) -> None:
        """Forget it."""


Later = Callable[[float, Callable[[], None]], Handle]
AConnection = TypeVar("AConnection", bound=Connection)


class NotOpenedError(Exception):
    """There is no connection, and none could be opened; the cause says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At most `most` connections, of which `openings`, or half of what stands, open at once.

    One that was not needed for `spare_s` is given back, the last one after `max_idle_s`. A server
    that is full while we have nothing is asked again every `again_s`, and who waits hears of it
    once it has been so for `patience_s`.
    """

    most: int
    openings: int = 4
    spare_s: float = 2
    max_idle_s: float = 30
    again_s: float = 0.5
    patience_s: float = 5


class Connections(Generic[AConnection]):
    """Who takes one gets one that is idle, becomes free, or is opened: whichever is first.

    An opening that fails while other connections stand means that the server bears no more: who
    waits goes on waiting. It is told only if there is no other connection at all.
    """

    def __init__(
        self,
        open_one: Callable[[], Awaitable[AConnection]],
        is_full: Callable[[Exception], bool],
        limits: Limits,
        clock: Clock,
        later: Later | None = None,
    ) -> None:
        self._open_one = open_one
        self._is_full = is_full
        self._limits = limits
        self._clock = clock
        self._later = later or _on_the_loop
        self._cap = Cap(limits.most)
        self._idle: list[AConnection] = []
        self._busy: set[AConnection] = set()
        self._openings: set[asyncio.Task[None]] = set()
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._waiting: deque[asyncio.Future[AConnection]] = deque()
        self._full_since_s: float | None = None
        self._again: Handle | None = None
        self._trim: Handle | None = None
        self._is_closed = False

    @property
    def live(self) -> int:
        """Connections that stand, idle or in use."""
        return len(self._idle) + len(self._busy)

    @property
    def full_for_s(self) -> float:
        """For how long the server has been full while we had nothing."""
        return 0.0 if self._full_since_s is None else self._clock.monotonic_s() - self._full_since_s

    async def take(self, *, proven: bool = False) -> AConnection:
        """Return a connection; `release` it.

        A `proven` one is fresh or was in use until now: none of those that lay idle, as long as
        there is room for another.

        Raises:
            NotOpenedError: there is none.
        """
        kept = self._take_idle() if not proven or not self._has_room else None
        if kept is not None:
            return kept
        waiter: asyncio.Future[AConnection] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._open_more()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._waiting.remove(waiter)
            elif waiter.exception() is None:
                self._put(waiter.result())
            raise

    def release(self, connection: AConnection, *, is_intact: bool) -> None:
        """Give back a connection that was taken; one that is not intact is closed."""
        if is_intact:
            self._cap.served(self._clock.monotonic_s())
            self._put(connection)
        else:
            self._busy.discard(connection)
            connection.abort()
        self._open_more()

    async def close(self) -> None:
        """Close what is idle; what is in use is closed when it is released."""
        self._is_closed = True
        for timer in (self._trim, self._again):
            if timer is not None:
                timer.cancel()
        openings = set() if self._waiting else self._openings.copy()
        for opening in openings:
            opening.cancel()
        idle, self._idle = self._idle, []
        goodbyes = [*self._goodbyes, *(connection.quit() for connection in idle)]
        await asyncio.gather(*goodbyes, *openings, return_exceptions=True)

    @property
    def _has_room(self) -> bool:
        # Until its goodbye is answered the server counts a connection, so we do.
        return self.live + len(self._openings) + len(self._goodbyes) < self._cap.now

    def _take_idle(self) -> AConnection | None:
        now_s = self._clock.monotonic_s()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable and _idle_s(connection, now_s) < self._limits.max_idle_s:
                self._busy.add(connection)
                return connection
            connection.abort()
        return None

    def _put(self, connection: AConnection) -> None:
        """To whoever waits, else aside, unless it is of no more use."""
        self._busy.discard(connection)
        connection.idle_since_s = self._clock.monotonic_s()
        if (self._is_closed and not self._waiting) or not connection.is_usable:
            connection.abort()
        elif not connection.is_reusable or self.live >= self._cap.now:
            self._say_goodbye(connection)
        else:
            self._pass_on(connection)

    def _pass_on(self, connection: AConnection) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._busy.add(connection)
                waiter.set_result(connection)
                return
        connection.idle_since_s = self._clock.monotonic_s()
        self._idle.append(connection)
        self._trim_later()

    # --- opening ----------------------------------------------------------------------------

    def _open_more(self) -> None:
        wanted = min(len(self._waiting), max(self._limits.openings, self.live // 2))
        while self._again is None and len(self._openings) < wanted and self._has_room:
            opening = asyncio.create_task(self._open())
            self._openings.add(opening)
            opening.add_done_callback(self._openings.discard)

    async def _open(self) -> None:
        began_s = self._clock.monotonic_s()
        this = asyncio.current_task()
        assert this is not None  # noqa: S101  a coroutine runs in a task
        try:
            connection = await self._open_one()
        except Exception as error:  # noqa: BLE001  whatever it is, somebody is told
            self._openings.discard(this)
            self._refused(error, began_s)
        else:
            self._openings.discard(this)
            self._full_since_s = None
            self._pass_on(connection)
        self._open_more()

    def _refused(self, error: Exception, began_s: float) -> None:
        now_s = self._clock.monotonic_s()
        self._idle = [connection for connection in self._idle if connection.is_usable]
        had = self.live + len(self._openings)
        if self._cap.refused(had, began_s=began_s, now_s=now_s) and had:
            log.info("connections.full", cap=self._cap.now, live=self.live, reason=str(error))
        while self._idle and self.live > self._cap.now:
            self._say_goodbye(self._idle.pop(0))
        if not had and not self._is_worth_asking_again(error, now_s):
            self._fail_all(error)

    def _is_worth_asking_again(self, error: Exception, now_s: float) -> bool:
        if not self._is_full(error):
            return False
        if self._full_since_s is None:
            self._full_since_s = now_s
        if now_s - self._full_since_s >= self._limits.patience_s:
            return False
        self._again = self._later(self._limits.again_s, self._ask_again)
        return True

    def _ask_again(self) -> None:
        self._again = None
        self._open_more()

    def _fail_all(self, error: Exception) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                failure = NotOpenedError()
                failure.__cause__ = error
                waiter.set_exception(failure)

    # --- giving back ------------------------------------------------------------------------

    def _say_goodbye(self, connection: AConnection) -> None:
        goodbye = asyncio.create_task(connection.quit())
        self._goodbyes.add(goodbye)
        goodbye.add_done_callback(self._said_goodbye)

    def _said_goodbye(self, goodbye: asyncio.Task[None]) -> None:
        self._goodbyes.discard(goodbye)
        self._open_more()

    def _trim_later(self) -> None:
        if self._trim is None and not self._is_closed:
            self._trim = self._later(self._limits.spare_s, self._give_back)

    def _give_back(self) -> None:
        """Part with what was not needed of late: others may be waiting for it."""
        self._trim = None
        now_s = self._clock.monotonic_s()
        spare_s = {True: self._limits.max_idle_s, False: self._limits.spare_s}
        while self._idle and _idle_s(self._idle[0], now_s) >= spare_s[len(self._idle) == 1]:
            self._say_goodbye(self._idle.pop(0))
        if self._idle:
            self._trim_later()


def _idle_s(connection: Connection, now_s: float) -> float:
    return 0.0 if connection.idle_since_s is None else now_s - connection.idle_since_s


def _on_the_loop(delay_s: float, call: Callable[[], None]) -> Handle:
    return asyncio.get_running_loop().call_later(delay_s, call)
