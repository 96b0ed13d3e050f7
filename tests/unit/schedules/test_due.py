"""Which of the slots that have come fire, and which are over."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest

from notifier.notification.model import Channel
from notifier.schedules.due import MOST_CAUGHT_UP, standing
from notifier.schedules.schedule import (
    CatchUp,
    Progress,
    StoredSchedule,
    Timing,
    ToTopic,
    ToUser,
)
from notifier.schedules.slot import Cron, Daily

MONDAY = datetime(2027, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ON_TIME_S = 90.0
HOURLY = Timing(when=Cron("0 * * * *"), zone="UTC")
SCHEDULE = StoredSchedule(
    id=UUID("01943b1e-0000-7000-8000-000000000001"),
    service="shop",
    name="Reminder",
    timing=HOURLY,
    to=ToUser("u-7", Channel.EMAIL),
    template="reminder",
    catch_up_within_s=86_400,
    progress=Progress(seen_at=MONDAY, next_at=MONDAY + HOUR),
    paused_at=None,
    created_at=MONDAY,
    updated_at=MONDAY,
)


def fired(schedule: StoredSchedule, now: datetime, *zones: str) -> list[datetime]:
    stand = standing(schedule, zones or ["UTC"], now, on_time_s=ON_TIME_S)
    return [slot.at for slot in stand.slots if slot.why_not is None]


@pytest.mark.parametrize(
    ("catch_up", "hours"),
    [(CatchUp.NONE, [4]), (CatchUp.LAST, [4]), (CatchUp.ALL, [1, 2, 3, 4])],
)
def test_what_is_on_time_fires_whatever_is_caught_up_with(
    catch_up: CatchUp, hours: list[int]
) -> None:
    found = fired(replace(SCHEDULE, catch_up=catch_up), MONDAY + 4 * HOUR)

    assert found == [MONDAY + hour * HOUR for hour in hours]


@pytest.mark.parametrize(
    ("catch_up", "hours"), [(CatchUp.NONE, []), (CatchUp.LAST, [4]), (CatchUp.ALL, [3, 4])]
)
def test_what_is_late_is_caught_up_with_while_it_is_not_too_late(
    catch_up: CatchUp, hours: list[int]
) -> None:
    schedule = replace(SCHEDULE, catch_up=catch_up, catch_up_within_s=5_400)
    found = fired(schedule, MONDAY + 4.5 * HOUR)

    assert found == [MONDAY + hour * HOUR for hour in hours]


def test_each_slot_is_judged_and_what_comes_next_is_known() -> None:
    stand = standing(SCHEDULE, ["UTC"], MONDAY + 3.5 * HOUR, on_time_s=ON_TIME_S)

    assert [slot.at for slot in stand.slots] == [MONDAY + hour * HOUR for hour in (1, 2, 3)]
    last = MONDAY + 3 * HOUR
    assert stand.progress == Progress(seen_at=last, next_at=last + HOUR)


def test_where_many_have_come_they_are_judged_some_at_a_time_as_if_at_once() -> None:
    often = replace(
        SCHEDULE,
        timing=Timing(when=Cron("* * * * *"), zone="UTC"),
        catch_up=CatchUp.ALL,
    )
    now, all_fired, looks = MONDAY + 20 * HOUR + 2 * HOUR, list[datetime](), 0
    while often.progress.next_at and often.progress.next_at <= now:
        stand = standing(often, ["UTC"], now, on_time_s=ON_TIME_S)
        assert 0 < len(stand.slots) <= 600
        all_fired += [slot.at for slot in stand.slots if slot.why_not is None]
        often = replace(often, progress=stand.progress)
        looks += 1

    assert looks == 3
    assert all_fired == [now - n * timedelta(minutes=1) for n in range(MOST_CAUGHT_UP)][::-1]


def test_of_an_instant_all_zones_are_judged_at_once() -> None:
    timing = Timing(when=Daily(time(9, 30)), zone="recipient")
    topic = replace(SCHEDULE, timing=timing, to=ToTopic("news", Channel.EMAIL))
    zones = ["Europe/Vienna", "Europe/Berlin", "Asia/Tokyo"]
    stand = standing(topic, zones, MONDAY + 8.5 * HOUR, on_time_s=ON_TIME_S)

    assert sorted(slot.zone for slot in stand.slots) == sorted(zones)
    # By the clocks of each the one that came is the last.
    assert fired(topic, MONDAY + 10 * HOUR, *zones) != []
    assert stand.progress.clocks is None
    assert stand.progress.next_at == MONDAY + 24.5 * HOUR


def test_a_topic_without_members_waits_until_somebody_looks_again() -> None:
    timing = Timing(when=Daily(time(9, 30)), zone="recipient")
    topic = replace(SCHEDULE, timing=timing, to=ToTopic("news", Channel.EMAIL))
    stand = standing(topic, [], MONDAY + 10 * HOUR, on_time_s=ON_TIME_S)

    assert (stand.slots, stand.progress.next_at) == ([], None)


def test_who_goes_west_has_the_same_time_of_the_day_once() -> None:
    timing = Timing(when=Daily(time(9, 30)), zone="recipient")
    told = MONDAY + 8.5 * HOUR
    in_vienna = Progress(seen_at=told, next_at=told + 24 * HOUR, clocks="Europe/Vienna")
    schedule = replace(SCHEDULE, timing=timing, progress=in_vienna)
    stand = standing(schedule, ["America/New_York"], told + HOUR, on_time_s=ON_TIME_S)

    assert stand.slots == []
    assert stand.progress.clocks == "America/New_York"
    assert stand.progress.next_at == MONDAY + 38.5 * HOUR
