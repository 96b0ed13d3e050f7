"""When schedules are due, and what names what is made of them."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from notifier.intake.draft import Flaw
from notifier.notification.model import Channel
from notifier.schedules.planning import when_of
from notifier.schedules.schedule import (
    Progress,
    Run,
    RunKind,
    RunOutcome,
    Schedule,
    Timing,
    ToUser,
    when_document,
)
from notifier.schedules.slot import Cron, Daily, Weekly, When

VIENNA = "Europe/Vienna"
MONDAY = datetime(2027, 2, 1, tzinfo=UTC)
DAILY = Timing(when=Daily(time(9, 30)), zone=VIENNA)
ID = UUID("01943b1e-0000-7000-8000-000000000001")
RUN = Run(schedule_id=ID, slot=MONDAY, outcome=RunOutcome.FIRED)


def days(timing: Timing, after: datetime, count: int) -> list[int]:
    return [slot.day for slot in islice(timing.slots(after, timing.zone), count)]


def test_the_first_instant_counts_and_the_last_one_does_not() -> None:
    first = datetime(2027, 2, 3, 8, 30, tzinfo=UTC)
    timing = replace(DAILY, starts_at=first, ends_at=first + timedelta(days=2))

    assert days(timing, MONDAY, 10) == [3, 4]


def test_days_that_are_skipped_have_no_slot_however_many_a_day_has() -> None:
    skipped = frozenset({date(2027, 2, 2), date(2027, 2, 3)})
    often = Timing(when=Cron("*/15 * * * *"), zone=VIENNA, skip_dates=skipped)

    assert days(replace(DAILY, skip_dates=skipped), MONDAY, 3) == [1, 4, 5]
    found = often.next_slot(datetime(2027, 2, 1, 22, 50, tzinfo=UTC), ZoneInfo(VIENNA))
    assert found == datetime(2027, 2, 3, 23, 0, tzinfo=UTC)


def test_a_schedule_whose_days_are_all_skipped_never_comes() -> None:
    skipped = frozenset(date(2027, 2, day) for day in range(1, 6))
    timing = replace(DAILY, skip_dates=skipped, ends_at=MONDAY + timedelta(days=5))

    assert timing.next_slot(MONDAY, ZoneInfo(VIENNA)) is None


def test_a_start_before_all_times_starts_at_once() -> None:
    timing = replace(DAILY, starts_at=datetime.min.replace(tzinfo=UTC))

    assert days(timing, MONDAY, 1) == [1]


def test_several_zones_have_their_slots_in_order() -> None:
    zones = ["America/New_York", VIENNA, "Asia/Tokyo"]
    found = [*islice(DAILY.slots_of(MONDAY, zones), 4)]

    assert [zone for _, zone in found] == ["Asia/Tokyo", VIENNA, "America/New_York", "Asia/Tokyo"]
    assert found[0][0] == DAILY.first_of(MONDAY, zones) == MONDAY + timedelta(minutes=30)
    assert DAILY.first_of(MONDAY, []) is None


def test_what_a_run_makes_has_always_the_same_id_of_its_slots_time() -> None:
    same = replace(RUN, outcome=RunOutcome.FAILED, reason="a reason")
    others = [
        replace(RUN, slot=MONDAY + timedelta(days=1)),
        replace(RUN, zone=VIENNA),
        replace(RUN, kind=RunKind.MANUAL),
        replace(RUN, schedule_id=UUID(int=ID.int + 1)),
    ]

    assert same.made_id == RUN.made_id
    assert len({each.made_id for each in [RUN, *others]}) == 5
    assert RUN.made_id.version == 7
    assert RUN.made_id.int >> 80 == MONDAY.timestamp() * 1_000


def test_the_etag_tells_of_what_was_said_and_not_of_how_far_it_is() -> None:
    schedule = Schedule(
        id=ID,
        service="shop",
        name="Reminder",
        timing=DAILY,
        to=ToUser("u-7", Channel.EMAIL),
        template="reminder",
        progress=Progress(seen_at=MONDAY, next_at=MONDAY),
    )
    later = replace(schedule, progress=Progress(seen_at=MONDAY, next_at=None))

    assert later.etag == schedule.etag
    assert replace(schedule, template="other").etag != schedule.etag
    assert replace(schedule, timing=replace(DAILY, zone="UTC")).etag != schedule.etag


@pytest.mark.parametrize(
    "when",
    [
        Cron("30 9 * * 1"),
        Daily(time(9, 30)),
        Weekly(frozenset({"sun", "mon"}), time(0, 5)),
    ],
)
def test_what_is_said_of_when_is_read_as_it_was(when: When) -> None:
    said = when_document(when)

    assert when_of(**said) == when  # type: ignore[arg-type]  # what clients say has these types


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({}, ()),
        ({"cron": "30 9 * * 1", "every": "day"}, ()),
        ({"cron": "30 9 * * 1", "at": "09:30"}, ("cron",)),
        ({"cron": "hourly"}, ("cron",)),
        ({"every": "month", "at": "09:30"}, ("every",)),
        ({"every": "day"}, ("at",)),
        ({"every": "day", "at": "9:30"}, ("at",)),
        ({"every": "day", "at": "24:00"}, ("at",)),
        ({"every": "day", "at": "09:+1"}, ("at",)),
        ({"every": "day", "at": "09:30", "on": ["mon"]}, ("on",)),
        ({"every": "week", "at": "09:30"}, ("on",)),
        ({"every": "week", "at": "09:30", "on": ["monday"]}, ("on",)),
    ],
)
def test_what_does_not_say_when_is_refused_at_its_place(
    said: dict[str, object], path: tuple[str, ...]
) -> None:
    found = when_of(**said)  # type: ignore[arg-type]  # some of it is wrong on purpose

    assert isinstance(found, list)
    [flaw] = found
    assert isinstance(flaw, Flaw)
    assert (flaw.field, flaw.path) == ("when", path)
