"""A year of schedules while those who fire them die again and again."""

import asyncio
from collections.abc import Awaitable, Collection, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import bindparam, func, select
from uuid_utils import compat

from notifier.audience.topic import Member
from notifier.clock import SystemClock
from notifier.errors import NotifierError
from notifier.idempotency import Applied, Idempotency
from notifier.intake.ports import Submission
from notifier.notification.model import Channel
from notifier.schedules.clocks import Clocks
from notifier.schedules.due import Full, Line, Settled, Taken, Woken
from notifier.schedules.firing import FiringPace, ScheduleDuties
from notifier.schedules.schedule import (
    CatchUp,
    Progress,
    Run,
    RunOutcome,
    Schedule,
    Timing,
    ToRecipient,
)
from notifier.schedules.slot import Daily
from notifier.store.kit.sql import UtcTime
from notifier.store.notification.tables import notification_events as events
from notifier.store.notification.tables import notifications as n
from notifier.store.schedules.firing import SqlFiring
from tests.audience import KeptAudience
from tests.contract.store.stores import Stores, a_submission, open_stores
from tests.contract.store.test_expanding import break_connections

ZONES = (
    "Europe/Vienna",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Pacific/Apia",
)
"""All changed their clocks in 2011; Apia skipped a day of it as well."""
BEGAN = datetime(2010, 12, 30, tzinfo=UTC)
ENDED = datetime(2012, 1, 3, tzinfo=UTC)
# A year goes by in steps of days: what nobody lived to record is on time a few of them later.
PACE = FiringPace(every_s=30 * 86_400, hold_s=1)
AT = time(2, 15)
DAY = timedelta(days=1)

Answer = TypeVar("Answer")


class YearClock:
    """The database's time, for those who fire."""

    def __init__(self) -> None:
        self.now = BEGAN
        self.select = select(bindparam("the_time", callable_=lambda: self.now, type_=UtcTime))


class DyingError(NotifierError):
    """Whoever fires dies here."""


class Mortal:
    """A firing that dies before and after what it asks of the database."""

    def __init__(self, firing: SqlFiring, random: Random) -> None:
        self._firing = firing
        self._random = random
        self.deaths = 0

    async def lines(self) -> Sequence[Line]:
        return await self._survived(self._firing.lines())

    async def take(
        self, line: Line, *, limit: int, hold_s: float, most_waiting: int
    ) -> Taken | Full:
        del most_waiting
        asked = self._firing.take(line, limit=limit, hold_s=hold_s, most_waiting=1_000_000)
        return await self._survived(asked)

    async def record(self, settled: Sequence[Settled], *, now: datetime) -> Sequence[Run]:
        return await self._survived(self._firing.record(settled, now=now))

    async def record_manual(
        self, run: Run, made: object, idempotency: Idempotency | None = None
    ) -> Applied:
        raise NotImplementedError

    async def wake(self, after: UUID | None, *, limit: int) -> Woken:
        return await self._survived(self._firing.wake(after, limit=limit))

    async def _survived(self, asked: Awaitable[Answer]) -> Answer:
        answer = await asked
        if self._random.random() < 1 / 10:
            self.deaths += 1
            raise DyingError
        return answer


class Mails:
    """Finds a mail for each run."""

    async def made(
        self, service: str, asked: Sequence[tuple[Schedule, Run]]
    ) -> Sequence[Submission]:
        return [a_submission(id=run.made_id, service=service) for _, run in asked]


class NoTopics:
    async def of(self, service: str, key: str) -> Collection[str]:
        raise NotImplementedError

    async def members(
        self, service: str, key: str, zone: str, *, limit: int, after: str
    ) -> Sequence[Member]:
        raise NotImplementedError


def a_schedule(zone: str) -> Schedule:
    timing = Timing(when=Daily(AT), zone=zone)
    return Schedule(
        id=compat.uuid7(),
        service="orders",
        name=zone,
        timing=timing,
        to=ToRecipient("ada@example.org", Channel.EMAIL),
        template="reminder",
        catch_up=CatchUp.ALL,
        progress=Progress(seen_at=BEGAN, next_at=timing.first_of(BEGAN, [zone])),
    )


def duties(stores: Stores, clock: YearClock, random: Random | None) -> ScheduleDuties:
    firing = SqlFiring(stores.database, now=clock.select)
    clocks = Clocks(KeptAudience().audience(SystemClock()), NoTopics())
    return ScheduleDuties(Mortal(firing, random) if random else firing, Mails(), clocks, PACE)


async def fire(relay: ScheduleDuties) -> None:
    """Fire as a relay does, whatever the database says."""
    with suppress(NotifierError):
        while await relay.fire():
            pass


def shown(zone: str) -> Iterator[datetime]:
    """What clocks show at each slot of the year, said by hand."""
    day = datetime(2010, 12, 25, tzinfo=UTC).date()
    first, last = (at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in (BEGAN, ENDED))
    while (wall := datetime.combine(day, AT)) <= last:
        if wall > first:
            yield SKIPPED.get((zone, wall.isoformat(timespec="minutes")), wall)
        day += DAY


SKIPPED = {
    ("Europe/Vienna", "2011-03-27T02:15"): datetime.combine(
        datetime(2011, 3, 27, tzinfo=UTC).date(), time(3)
    ),
    ("America/New_York", "2011-03-13T02:15"): datetime.combine(
        datetime(2011, 3, 13, tzinfo=UTC).date(), time(3)
    ),
    ("Australia/Lord_Howe", "2011-10-02T02:15"): datetime.combine(
        datetime(2011, 10, 2, tzinfo=UTC).date(), time(2, 30)
    ),
    ("Pacific/Apia", "2011-12-30T02:15"): datetime.combine(
        datetime(2011, 12, 31, tzinfo=UTC).date(), time()
    ),
}
"""What clocks show in place of what they skipped."""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_store_url"))


async def test_each_slot_of_a_year_fires_once_at_the_right_time_whoever_dies(url: str) -> None:
    random, clock = Random(7), YearClock()  # noqa: S311  deaths are no secret
    schedules = [a_schedule(zone) for zone in ZONES]
    async with open_stores(url) as stores:
        for each in schedules:
            await stores.schedules.add(each)
        while clock.now < ENDED:
            clock.now = min(ENDED, clock.now + timedelta(hours=random.uniform(1, 96)))
            relays = [asyncio.create_task(fire(duties(stores, clock, random))) for _ in range(3)]
            if url.startswith("postgres") and random.random() < 1 / 10:
                await asyncio.sleep(random.random() / 100)
                await break_connections(stores)
                relays[0].cancel()
            await asyncio.gather(*relays, return_exceptions=True)
        clock.now = ENDED + timedelta(seconds=2)
        await fire(duties(stores, clock, None))

        for each in schedules:
            runs = await stores.schedules.runs(each.id, limit=1_000, after=None)
            zone = each.timing.zone
            at = [run.slot.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for run in runs]
            assert at[::-1] == [*shown(zone)]
            assert {run.outcome for run in runs} == {RunOutcome.FIRED}
        slots = sum(len([*shown(zone)]) for zone in ZONES)
        assert await count(stores) == (slots, slots)
        assert (await stores.schedules.tallies())[RunOutcome.FIRED].runs == slots


async def count(stores: Stores) -> tuple[int, int]:
    """How many notifications there are, and how many were accepted."""
    accepts = select(func.count()).where(events.c.event == "accept").scalar_subquery()
    query = select(func.count(), accepts).select_from(n)
    async with stores.database._writer.connect() as connection:  # noqa: SLF001
        return tuple((await connection.execute(query)).one())
