"""Room for what is under way: requests, and the bodies that are held for them.

Probes and callbacks have rooms of their own, so that neither takes the places of sends, nor sends
those of probes. Within a room nobody has all of it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from notifier.api.kit.problems import RATE_LIMITED, UNAVAILABLE, ProblemError

PROBES = ("/healthz", "/readyz")
HELD_KEY = "notifier.held"
SERVICE_KEY = "notifier.service"
KEY_ID_KEY = "notifier.key_id"
LOGIN_KEY = "notifier.login"


class Room:
    """So many places (or bytes) in all, and so many of them for each of its users."""

    def __init__(self, places: int, each: int | None = None) -> None:
        self._places = places
        self._each = places if each is None else each
        self._taken = 0
        self._by_user: dict[str, int] = {}

    def take(self, user: str, places: int = 1) -> bool:
        """Take `places` for `user`; False, and none are taken, if they are not to be had."""
        taken = self._by_user.get(user, 0) + places
        if self._taken + places > self._places or taken > self._each:
            return False
        self._taken += places
        self._by_user[user] = taken
        return True

    def give_back(self, user: str, places: int = 1) -> None:
        """Give back what was taken."""
        self._taken -= places
        left = self._by_user.get(user, 0) - places
        if left:
            self._by_user[user] = left
        else:
            self._by_user.pop(user, None)


class Held:
    """The part of a body that is in memory, counted until its request ends."""

    __slots__ = ("_bytes", "_room", "_user")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._user = ""
        self._bytes = 0

    def add(self, user: str, size: int) -> None:
        """Count `size` more bytes of a request of `user`.

        Raises:
            ProblemError: 503, too much is held at this moment.
        """
        if not self._room.take(user, size):
            raise ProblemError(
                UNAVAILABLE,
                "Too much is being received. Try again shortly.",
                headers={"Retry-After": "1", "Connection": "close"},
            )
        self._user = user
        self._bytes += size

    def give_back(self, size: int) -> None:
        """Count so many bytes no longer: they went on to where they are kept."""
        self._room.give_back(self._user, size)
        self._bytes -= size

    def release(self) -> None:
        """Count it no longer."""
        if self._bytes:
            self._room.give_back(self._user, self._bytes)
            self._bytes = 0


class ConcurrencyLimit:
    """Lets so many of each user go at once; more wait in line, so many and for so long.

    With `patience_s` None they wait for as long as it takes.
    """

    def __init__(self, at_once: int, waiting: int, patience_s: float | None) -> None:
        self._at_once = at_once
        self._most = at_once + waiting
        self._patience_s = patience_s
        self._lines: dict[str, asyncio.Semaphore] = {}
        self._here: Counter[str] = Counter()

    @asynccontextmanager
    async def of(self, user: str) -> AsyncIterator[None]:
        """Wait for a place of `user`, held as long as the context lasts.

        Raises:
            ProblemError: 429, too many wait, or it waited too long.
        """
        if self._here[user] >= self._most:
            raise too_many_at_once()
        self._here[user] += 1
        line = self._lines.setdefault(user, asyncio.Semaphore(self._at_once))
        try:
            await self._wait(line)
            try:
                yield
            finally:
                line.release()
        finally:
            self._here[user] -= 1
            if not self._here[user]:
                del self._here[user], self._lines[user]

    async def _wait(self, line: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await line.acquire()
        except TimeoutError as error:
            raise too_many_at_once() from error


def too_many_at_once() -> ProblemError:
    """Return the problem of a service that has too many requests under way."""
    return ProblemError(
        RATE_LIMITED,
        "Too many requests of this service are under way.",
        headers={"Retry-After": "1"},
    )
