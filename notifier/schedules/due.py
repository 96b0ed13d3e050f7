"""What is due: which slots fire, which are over, and what the database is asked about them."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from notifier.broadcasts.broadcast import Broadcast
from notifier.idempotency import Applied, Idempotency, KeyReused, Remembered
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, Lane
from notifier.schedules.schedule import CatchUp, Progress, Run, StoredSchedule, ToTopic
from notifier.wall_time import instant

MOST_CAUGHT_UP = 100
"""Slots of one schedule that fire although their time is over."""
_CHUNK = 500
OVER = "its time was over"
_NOT_LAST = "a later one fired instead"


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that has come."""

    at: datetime
    zone: str
    why_not: str | None = None
    """None: it fires."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The slots of a schedule that have come, and where it stands after them."""

    slots: Sequence[Slot]
    progress: Progress


def standing(
    schedule: StoredSchedule, zones: Collection[str], now: datetime, *, on_time_s: float
) -> Standing:
    """Judge the slots that have come by now, hundreds at most: `next_at` is past if more have.

    What is late by no more than `on_time_s` fires, whatever is to be caught up.
    """
    after = _place(schedule, zones)
    come = takewhile(lambda each: each[0] <= now, schedule.timing.slots_of(after, zones))
    found = [*islice(come, _CHUNK + MOST_CAUGHT_UP)]
    judged = found if len(found) <= _CHUNK else [*_whole_slots(found)]
    slots = [*_judged(schedule, judged, found, now, timedelta(seconds=on_time_s))]
    seen_at = judged[-1][0] if judged else after
    return Standing(
        slots,
        Progress(
            seen_at=seen_at,
            next_at=schedule.timing.first_of(seen_at, zones),
            clocks=_clocks(schedule, zones),
        ),
    )


def _place(schedule: StoredSchedule, zones: Collection[str]) -> datetime:
    """Return behind which slots come: what clocks showed then, if they are others by now."""
    progress, clocks = schedule.progress, _clocks(schedule, zones)
    if progress.clocks is None or clocks is None or clocks == progress.clocks:
        return progress.seen_at
    wall = progress.seen_at.astimezone(ZoneInfo(progress.clocks)).replace(tzinfo=None)
    return instant(wall, ZoneInfo(clocks))


def _clocks(schedule: StoredSchedule, zones: Collection[str]) -> str | None:
    is_ones = schedule.is_by_recipient and not isinstance(schedule.to, ToTopic)
    return next(iter(zones), None) if is_ones else None


def _whole_slots(found: Sequence[tuple[datetime, str]]) -> Iterator[tuple[datetime, str]]:
    """Return the first of them, and of an instant all or none."""
    first_left = found[_CHUNK][0]
    kept = [each for each in found[:_CHUNK] if each[0] < first_left]
    return iter(kept or found)


def _judged(
    schedule: StoredSchedule,
    judged: Sequence[tuple[datetime, str]],
    found: Sequence[tuple[datetime, str]],
    now: datetime,
    on_time: timedelta,
) -> Iterator[Slot]:
    later = Counter(zone for _, zone in found)
    for at, zone in judged:
        later[zone] -= 1
        is_on_time = now - at <= on_time
        yield Slot(at, zone, None if is_on_time else _why_not(schedule, now - at, later[zone]))


def _why_not(schedule: StoredSchedule, late: timedelta, later: int) -> str | None:
    if late > timedelta(seconds=schedule.catch_up_within_s):
        return OVER
    match schedule.catch_up:
        case CatchUp.NONE:
            return OVER
        case CatchUp.LAST:
            return _NOT_LAST if later else None
        case CatchUp.ALL:
            return _NOT_LAST if later >= MOST_CAUGHT_UP else None


@dataclass(frozen=True, slots=True)
class Line:
    """What goes to one queue of a service's."""

    service: str
    channel: Channel
    lane: Lane


@dataclass(frozen=True, slots=True)
class Turn:
    """A schedule that is due, for whoever took the turn."""

    schedule: StoredSchedule
    number: int
    """Nobody has a later one, or what is recorded by this one does not count."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Schedules of one line whose turn was taken at `now`."""

    now: datetime
    turns: Sequence[Turn]


@dataclass(frozen=True, slots=True)
class Full:
    """As many as may wait for the line's queue do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of the slots of one schedule: all of it is recorded at once, or nothing."""

    turn: Turn
    runs: Sequence[Run]
    progress: Progress
    submissions: Sequence[Submission] = ()
    broadcasts: Sequence[Broadcast] = ()


@dataclass(frozen=True, slots=True)
class Woken:
    """How many are looked at now, and the last id that was compared; None: there are no more."""

    count: int
    place: UUID | None


class Firing(Protocol):
    """What firing asks of the database. Any number may ask at once."""

    async def lines(self) -> Sequence[Line]:
        """Return those that have a schedule which is due."""

    async def take(
        self, line: Line, *, limit: int, hold_s: float, most_waiting: int
    ) -> Taken | Full:
        """Take the turns of schedules that are due; nobody else does for `hold_s`."""

    async def record(self, settled: Sequence[Settled], *, now: datetime) -> Sequence[Run]:
        """Record what became of slots with what was made of them; returns the runs that are new.

        What was settled by a turn that is not the last one changes nothing.
        """

    async def record_manual(
        self,
        run: Run,
        made: Submission | Broadcast,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused:
        """Record a run that somebody asked for, with what was made of it."""

    async def wake(self, after: UUID | None, *, limit: int) -> Woken:
        """Have those looked at whose recipients go by other clocks now.

        Of so many that go by clocks of recipients, behind the id `after`.
        """
