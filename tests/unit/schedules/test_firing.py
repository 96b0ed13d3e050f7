"""What a relay does for schedules where the queue is full, or something is amiss."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from notifier.audience.topic import Member
from notifier.clock import SystemClock
from notifier.idempotency import Applied, Idempotency
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, Lane
from notifier.schedules.clocks import Clocks
from notifier.schedules.due import Full, Line, Settled, Taken, Woken
from notifier.schedules.firing import FiringPace, ScheduleDuties
from notifier.schedules.schedule import Run, Schedule, Timing, ToTopic
from notifier.schedules.slot import Daily
from tests.audience import KeptAudience
from tests.patience import AT_ALL_S

NOW = datetime(2027, 2, 1, tzinfo=UTC)
ID = UUID("01943b1e-0000-7000-8000-000000000001")
LINE = Line("shop", Channel.EMAIL, Lane.BULK)


class Kept:
    """A `Firing` whose lines are full, or have nothing that is due any more."""

    def __init__(self, *, is_full: bool) -> None:
        self.is_full = is_full
        self.woken = 0

    async def lines(self) -> Sequence[Line]:
        return [LINE]

    async def take(
        self, line: Line, *, limit: int, hold_s: float, most_waiting: int
    ) -> Taken | Full:
        del line, limit, hold_s, most_waiting
        return Full() if self.is_full else Taken(NOW, [])

    async def record(self, settled: Sequence[Settled], *, now: datetime) -> Sequence[Run]:
        del settled, now
        return []

    async def record_manual(
        self, run: Run, made: object, idempotency: Idempotency | None = None
    ) -> Applied:
        raise NotImplementedError

    async def wake(self, after: UUID | None, *, limit: int) -> Woken:
        del limit
        return Woken(self.woken, None if after else ID)


class Nothing:
    async def made(
        self, service: str, asked: Sequence[tuple[Schedule, Run]]
    ) -> Sequence[Submission]:
        del service, asked
        return []


class Zones:
    def __init__(self, *names: str) -> None:
        self.names = names

    async def of(self, service: str, key: str) -> Collection[str]:
        del service, key
        return self.names

    async def members(
        self, service: str, key: str, zone: str, *, limit: int, after: str
    ) -> Sequence[Member]:
        raise NotImplementedError


def clocks(*names: str) -> Clocks:
    return Clocks(KeptAudience().audience(SystemClock()), Zones(*names))


def duties(firing: Kept) -> ScheduleDuties:
    return ScheduleDuties(firing, Nothing(), clocks(), FiringPace())


async def test_a_full_line_is_looked_at_again_soon_and_not_in_a_minute() -> None:
    firing = Kept(is_full=True)
    relay = duties(firing)
    [fire, _] = relay.all()

    assert await fire.run() is False
    assert not fire.nudge.is_set()
    await asyncio.wait_for(fire.nudge.wait(), AT_ALL_S)


@pytest.mark.parametrize("woken", [0, 3])
async def test_those_who_moved_are_looked_at_at_once(woken: int) -> None:
    firing = Kept(is_full=False)
    firing.woken = woken
    [fire, reckon] = duties(firing).all()

    assert await fire.run() is False
    assert await reckon.run() is True
    assert await reckon.run() is False
    assert fire.nudge.is_set() is (woken > 0)


async def test_a_topic_that_is_empty_goes_by_the_clocks_of_nobody() -> None:
    timing = Timing(when=Daily(NOW.time()), zone="recipient")
    to = ToTopic("news", Channel.EMAIL)

    assert await clocks("Asia/Tokyo").zones(timing, to, "shop") == ("Asia/Tokyo",)
    assert await clocks().zones(timing, to, "shop") == ["UTC"]
