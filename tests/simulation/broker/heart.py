"""Heartbeats: sending them while nothing else is sent, and missing those of the client."""

import asyncio
from collections.abc import Callable


class Heart:
    """Beats twice in the interval that client and broker agreed on.

    A client of which nothing was heard in two intervals, or up to three, is dead to RabbitMQ.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        interval_s: int,
        *,
        beat: Callable[[], None],
        die: Callable[[], None],
    ) -> None:
        self.has_sent = False
        self.has_heard = True
        self.is_deaf = False
        """While it does not listen, it misses nothing."""
        self._loop = loop
        self.interval_s = interval_s
        self._beat = beat
        self._die = die
        self._missed = 0
        self._timers: list[asyncio.TimerHandle] = []
        if interval_s:
            self._timers = [self._in(interval_s / 2, self._send), self._in(interval_s, self._look)]

    def stop(self) -> None:
        """Beat no more."""
        for timer in self._timers:
            timer.cancel()
        self._timers = []

    def _in(self, delay_s: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(delay_s, call)

    def _send(self) -> None:
        self._timers[0] = self._in(self.interval_s / 2, self._send)
        if not self.has_sent:
            self._beat()
        self.has_sent = False

    def _look(self) -> None:
        self._timers[1] = self._in(self.interval_s, self._look)
        self._missed = 0 if self.has_heard or self.is_deaf else self._missed + 1
        self.has_heard = False
        if self._missed > 1:
            self._die()
