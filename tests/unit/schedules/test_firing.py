"""What a relay does for schedules where the queue is full, or something is amiss."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from notifier.audience.topic import Member
from notifier.clock import SystemClock
from notifier.idempotency import Applied, Idempotency
from notifier.intake.draft import Flaw
from notifier.notification.model import Channel, Lane
from notifier.schedules.clocks import Clocks
from notifier.schedules.due import Full, Line, Settled, Taken, Turn, Woken
from notifier.schedules.firing import FiringPace, ScheduleDuties
from notifier.schedules.schedule import Progress, Run, Schedule, StoredSchedule, Timing, ToTopic
from notifier.schedules.slot import Daily
from tests.audience import KeptAudience
from tests.patience import AT_ALL_S
from tests.unit.schedules.test_due import SCHEDULE

NOW = datetime(2027, 2, 1, tzinfo=UTC)
ID = UUID("01943b1e-0000-7000-8000-000000000001")
DUE = Progress(seen_at=NOW - timedelta(hours=1), next_at=NOW)
LINE = Line("shop", Channel.EMAIL, Lane.BULK)


class Kept:
    """A `Firing` whose lines are full, or have nothing that is due any more."""

    def __init__(self, *, is_full: bool = False, due: Sequence[StoredSchedule] = ()) -> None:
        self.is_full = is_full
        self.due = [Turn(each, 1) for each in due]
        self.woken = 0
        self.recorded: list[UUID] = []

    async def lines(self) -> Sequence[Line]:
        return [LINE]

    async def take(
        self, line: Line, *, limit: int, hold_s: float, most_waiting: int
    ) -> Taken | Full:
        del line, limit, hold_s, most_waiting
        turns, self.due = self.due, []
        return Full() if self.is_full else Taken(NOW, turns)

    async def record(self, settled: Sequence[Settled], *, now: datetime) -> Sequence[Run]:
        del now
        self.recorded += [each.turn.schedule.id for each in settled]
        return [run for each in settled for run in each.runs]

    async def record_manual(
        self, run: Run, made: object, idempotency: Idempotency | None = None
    ) -> Applied:
        raise NotImplementedError

    async def wake(self, after: UUID | None, *, limit: int) -> Woken:
        del limit
        return Woken(self.woken, None if after else ID)


class Nothing:
    """Makes nothing, and fails at what is called so."""

    async def made(
        self, service: str, asked: Sequence[tuple[Schedule, Run]]
    ) -> Sequence[list[Flaw]]:
        del service
        if any(schedule.name == "defect" for schedule, _ in asked):
            raise ZeroDivisionError
        return [[Flaw("template", "it is archived")] for _ in asked]


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


async def test_one_whose_firing_is_a_defect_keeps_no_other_from_it() -> None:
    names = ("one", "defect", "other")
    due = {each: replace(SCHEDULE, id=uuid4(), name=each, progress=DUE) for each in names}
    firing = Kept(due=[*due.values()])
    with capture_logs() as logs:
        assert await duties(firing).fire() is True

    assert firing.recorded == [due["one"].id, due["other"].id]
    [told] = [each for each in logs if each["event"] == "schedules.crashed"]
    assert told["id"] == str(due["defect"].id)
