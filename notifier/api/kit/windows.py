"""Limits on how often something is asked for: so many times in so many seconds."""

from collections import Counter
from math import ceil
from typing import NamedTuple

from notifier.clock import Clock

WINDOW_S = 60
"""Limits are so many requests in so many seconds."""
_MAX_COUNTED_NAMES = 10_000


class FixedWindow:
    """How often each name was seen in this minute, which is the same for all of them."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self.policy = f'"default";q={limit};w={WINDOW_S}'.encode()
        """The limit, as RateLimit-Policy tells it."""
        self._clock = clock
        self._hits: Counter[str] = Counter()
        self._ends_at_s = 0.0

    def hit(self, name: str, times: int = 1) -> bool:
        """Count `name` so many times more; whether it is within the limit."""
        return self.count(name, times).is_allowed

    def count(self, name: str, times: int) -> "Counted":
        """Count `name` so many times more, and tell how it stands."""
        now_s = self._turn()
        if len(self._hits) > _MAX_COUNTED_NAMES:
            self._hits.clear()
        self._hits[name] = hits = self._hits[name] + times
        return Counted(hits <= self._limit, max(0, self._limit - hits), self._rest_s(now_s))

    def left(self, name: str) -> int:
        """How often `name` may still be seen."""
        self._turn()
        return max(0, self._limit - self._hits[name])

    def ends_in_s(self) -> int:
        """Whole seconds until the next window, at least one."""
        return self._rest_s(self._clock.monotonic_s())

    def _rest_s(self, now_s: float) -> int:
        return max(1, ceil(self._ends_at_s - now_s))

    def _turn(self) -> float:
        now_s = self._clock.monotonic_s()
        if now_s >= self._ends_at_s:
            self._hits.clear()
            self._ends_at_s = now_s + WINDOW_S
        return now_s


class Counted(NamedTuple):
    """How somebody stands within a window."""

    is_allowed: bool
    left: int
    ends_in_s: int
