"""Health is what happened: what became of what was asked of a server last."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)


class Evidence:
    """What is known of one server (`part`) from what it was asked to do, by `now_s`.

    Something that works ends a problem once the last failure is `settle_s` ago: a server that
    does a part of what it is asked is not well. Each turn is logged once, with each reason.
    """

    def __init__(
        self,
        part: str,
        now_s: Callable[[], float],
        *,
        settle_s: float = 3,
        fresh_s: float = 10,
        probe_every_s: float = 1,
    ) -> None:
        self.problem: str | None = None
        self._part = part
        self._told: set[str] = set()
        self._now_s = now_s
        self._settle_s = settle_s
        self._fresh_s = fresh_s
        self._probe_every_s = probe_every_s
        self._known_at_s = float("-inf")
        self._failed_at_s = float("-inf")
        self._probed_at_s = float("-inf")
        self._probing = asyncio.Lock()

    def worked(self) -> None:
        """Note that it did what it was asked."""
        self._known_at_s = self._now_s()
        if self.problem is not None and self._known_at_s - self._failed_at_s >= self._settle_s:
            self.problem = None
            self._told.clear()
            log.info("health.recovered", part=self._part)

    def failed(self, problem: str, *, is_probe: bool = False) -> None:
        """Note that it did not, and why: in words that hold no value of ours.

        What fails for a probe alone need not settle: the next probe says as much.
        """
        self._known_at_s = self._now_s()
        if not is_probe:
            self._failed_at_s = self._known_at_s
        if problem not in self._told:
            self._told.add(problem)
            log.error("health.failing", part=self._part, reason=problem)
        self.problem = problem

    def doubt(self) -> None:
        """Note that nobody knows: whoever asks has to look."""
        self._known_at_s = float("-inf")

    async def proved(self, probe: Callable[[], Awaitable[object]]) -> str | None:
        """Return the problem, if there is one.

        What happened lately is believed. Where nothing did, or something failed, `probe` asks for
        something small and real, and notes what becomes of it.
        """
        if self._is_open():
            async with self._probing:
                if self._is_open() and self._now_s() - self._probed_at_s >= self._probe_every_s:
                    self._probed_at_s = self._now_s()
                    await probe()
        return self.problem

    def _is_open(self) -> bool:
        return self.problem is not None or self._now_s() - self._known_at_s > self._fresh_s
