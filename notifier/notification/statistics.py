"""What happened to notifications over time: how many of what, and how fast they were handed over.

Tallies are kept by the minute, the hour and the day, from the feed: each of its events is counted
once, in all three, however often a process dies on the way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import accumulate
from typing import Final, Protocol

from notifier.duty import Duty
from notifier.notification.feed import ACCEPT
from notifier.notification.model import Channel, Lane
from notifier.notification.transitions import CLAIM, FAIL, SETTLE, SUCCEED

_DAY_S = 86_400

BOUNDS_S: Final = tuple(
    float(f"{digits}e{exponent}") for exponent in range(-2, 5) for digits in (1, 1.6, 2.5, 4, 6.3)
)
"""Upper bounds of the buckets of delivery times, five a decade: 10 ms to 17 hours, in seconds."""


class Step(StrEnum):
    """How long a tally is of."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def length_s(self) -> int:
        """Its length, in seconds."""
        return {Step.MINUTE: 60, Step.HOUR: 3_600, Step.DAY: _DAY_S}[self]

    @property
    def kept_s(self) -> int:
        """For how long tallies of it are kept, in seconds."""
        return {Step.MINUTE: 3, Step.HOUR: 92, Step.DAY: 1_830}[self] * _DAY_S


@dataclass(frozen=True, slots=True)
class Durations:
    """How long things took: how many by bucket, and in all; `seconds` is their sum."""

    counts: Mapping[int, int] = field(default_factory=dict)
    """By the place of the bucket's bound among `BOUNDS_S`; one past the last is without a bound."""
    seconds: float = 0

    @property
    def count(self) -> int:
        """Return how many there are."""
        return sum(self.counts.values())

    def quantile(self, share: float) -> float | None:
        """Return how long this share of them took at most, in seconds; None: there are none.

        It is taken for even within a bucket, as Prometheus does.
        """
        if not self.counts:
            return None
        wanted = share * self.count
        places = sorted(self.counts)
        reached = accumulate(self.counts[each] for each in places)
        for place, so_far in zip(places, reached, strict=True):
            if so_far >= wanted:
                return _within(place, 1 - (so_far - wanted) / self.counts[place])
        return BOUNDS_S[-1]

    def __add__(self, other: "Durations") -> "Durations":
        """Return those of both."""
        places = self.counts.keys() | other.counts.keys()
        counts = {each: self.counts.get(each, 0) + other.counts.get(each, 0) for each in places}
        return Durations(counts, self.seconds + other.seconds)


def _within(place: int, share: float) -> float:
    if place >= len(BOUNDS_S):
        return BOUNDS_S[-1]
    low = BOUNDS_S[place - 1] if place else 0
    return low + (BOUNDS_S[place] - low) * share


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What happened from `at` on, for a step's length, to notifications of a channel and lane.

    None: of all, or of those of which only the timeline was left.
    """

    at: datetime
    channel: Channel | None = None
    lane: Lane | None = None
    events: Mapping[str, int]
    """How often each event of a timeline happened."""
    delivery: Durations = field(default_factory=Durations)
    """From accept to hand-over. What was to wait counts from when it was due, if it went out then
    at its first attempt."""

    @property
    def accepted(self) -> int:
        """Return how many were accepted."""
        return self.events.get(ACCEPT, 0)

    @property
    def attempts(self) -> int:
        """Return how many attempts began."""
        return self.events.get(CLAIM.name, 0)

    @property
    def sent(self) -> int:
        """Return how many a provider took."""
        return self.events.get(SUCCEED.name, 0) + self.events.get(SETTLE.name, 0)

    @property
    def failed(self) -> int:
        """Return how many failed for good; one that was replayed may be there again."""
        return self.events.get(FAIL.name, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsFilter:
    """Which tallies: of steps that begin at `since` or later, and before `before`.

    None matches everything. Unless `apart`, those of all channels and lanes are one.
    """

    step: Step
    since: datetime
    before: datetime
    service: str | None = None
    channel: Channel | None = None
    lane: Lane | None = None
    apart: bool = True


class Statistics(Protocol):
    """Keeps tallies."""

    async def tally(self) -> bool:
        """Count what is in the feed by now, or a good part of it; returns whether there is more.

        Any number of processes may do it at once.
        """

    async def list(self, filter: StatisticsFilter) -> Sequence[Tally]:
        """Tallies, the oldest first; a step in which nothing happened has none."""

    async def behind_s(self) -> float:
        """How long ago the first event happened that is not counted; 0: all are."""

    async def purge(self) -> int:
        """Forget tallies that are past their term; returns how many rows."""


def tallying(statistics: Statistics, *, every_s: float = 1) -> Duty:
    """Return the duty that counts."""
    return Duty("statistics.tally", every_s, statistics.tally)
