"""Health is what happened: what became of what was asked of a server last."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing has worked for `lasted_s`; `reason` is that of the last failure."""

    reason: str
    lasted_s: float


class Evidence:
    """What is known of one server (`part`) from what it was asked to do, by `now_s`.

    Something that works ends a problem once the last failure is `settle_s` ago: a server that
    does a part of what it is asked is not well. It ends an outage at once, but for a probe,
    which asks for less than others do. Each turn is logged once, with each reason.

    What fails counts when it does, whenever it was asked for: what worked meanwhile may have
    been another part.
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
        self._worked_at_s = float("-inf")
        self._away_since_s: float | None = None
        self._probed_at_s = float("-inf")
        self._probing = asyncio.Lock()

    @property
    def outage(self) -> Outage | None:
        """Since when nothing has worked, from what was first asked in vain; None if some does."""
        if self.problem is None or self._away_since_s is None:
            return None
        return Outage(self.problem, self._now_s() - self._away_since_s)

    def worked(self, *, is_probe: bool = False) -> None:
        """Note that it did what it was asked."""
        self._known_at_s = self._worked_at_s = self._now_s()
        has_settled = self._known_at_s - self._failed_at_s >= self._settle_s
        if has_settled or not is_probe:
            self._away_since_s = None
        if self.problem is not None and has_settled:
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
        if self._away_since_s is None:
            asked_at_s = self._probed_at_s if is_probe else self._known_at_s
            self._away_since_s = max(asked_at_s, self._worked_at_s)
        if problem not in self._told:
            self._told.add(problem)
            log.error("health.failing", part=self._part, reason=problem)
        self.problem = problem

    def silent(self, problem: str, *, is_probe: bool = False) -> None:
        """Note that it did not answer in time: whoever asks next has to look.

        It may have been asked too much at once. Of a probe that is a failure, unless something
        worked since it was asked.
        """
        if is_probe and self._worked_at_s < self._probed_at_s:
            self.failed(problem, is_probe=True)
        else:
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
