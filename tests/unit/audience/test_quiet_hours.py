"""Quiet hours: who is in them, and until when."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.audience.quiet_hours import WEEKDAYS, QuietHours
from notifier.wall_time import instant

NIGHT = QuietHours(time(22), time(7))
VIENNA = ZoneInfo("Europe/Vienna")
MINUTE = timedelta(minutes=1)
DAYS = {
    "Europe/Vienna": ["2026-03-29", "2026-10-25", "2026-07-01"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
    "Pacific/Apia": ["2011-12-30"],
    "Africa/Casablanca": ["2026-02-15", "2026-03-22"],
    "America/Havana": ["2026-03-08", "2026-11-01"],
    "UTC": ["2026-02-28"],
}


def held(hours: QuietHours, now: str, zone: ZoneInfo = VIENNA) -> str | None:
    until = hours.held_until(datetime.fromisoformat(now), zone)
    return until.astimezone(zone).isoformat(timespec="minutes") if until else None


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-07-01T21:59+02:00", None),
        ("2026-07-01T22:00+02:00", "2026-07-02T07:00+02:00"),
        ("2026-07-02T02:00+02:00", "2026-07-02T07:00+02:00"),
        ("2026-07-02T07:00+02:00", None),
        ("2026-03-28T23:00+01:00", "2026-03-29T07:00+02:00"),
        ("2026-10-24T23:00+02:00", "2026-10-25T07:00+01:00"),
    ],
)
def test_nights_go_over_midnight_by_the_clocks_of_the_zone(now: str, until: str | None) -> None:
    assert held(NIGHT, now) == until


def test_what_would_end_in_a_gap_ends_right_behind_it() -> None:
    hours = QuietHours(time(22), time(2, 30))

    assert held(hours, "2026-03-29T01:00+01:00") == "2026-03-29T03:00+02:00"


def test_what_ends_at_a_time_that_comes_twice_ends_at_the_first() -> None:
    hours = QuietHours(time(22), time(2, 30))

    assert held(hours, "2026-10-25T02:00+02:00") == "2026-10-25T02:30+02:00"
    assert held(hours, "2026-10-25T02:10+01:00") is None


def test_weekdays_are_those_on_which_they_begin() -> None:
    hours = QuietHours(time(22), time(7), frozenset({"fri"}))

    assert held(hours, "2026-07-03T23:00+02:00") == "2026-07-04T07:00+02:00"
    assert held(hours, "2026-07-04T06:59+02:00") == "2026-07-04T07:00+02:00"
    assert held(hours, "2026-07-04T23:00+02:00") is None


def test_whole_days_that_follow_one_another_are_one_wait() -> None:
    weekend = QuietHours(time(0), time(0), frozenset({"sat", "sun"}))

    assert held(weekend, "2026-07-04T12:00+02:00") == "2026-07-06T00:00+02:00"


@pytest.mark.parametrize(
    ("start", "end", "weekdays", "words"),
    [
        (22, 7, frozenset[str](), "name one at least"),
        (22, 7, frozenset({"monday"}), "expected mon, tue"),
        (7, 7, frozenset(WEEKDAYS), "never end"),
    ],
)
def test_hours_that_never_begin_or_end_are_refused(
    start: int, end: int, weekdays: frozenset[str], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        QuietHours(time(start), time(end), weekdays)


@st.composite
def cases(draw: st.DrawFn) -> tuple[QuietHours, datetime, ZoneInfo]:
    name, days = draw(st.sampled_from(sorted(DAYS.items())))
    zone = ZoneInfo(name)
    now = datetime.fromisoformat(draw(st.sampled_from(days))).replace(tzinfo=UTC)
    clock = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59]))
    weekdays = draw(st.sets(st.sampled_from(WEEKDAYS), min_size=1, max_size=6))
    hours = QuietHours(draw(clock), draw(clock), frozenset(weekdays))
    return hours, now + draw(st.integers(-30 * 60, 40 * 60)) * MINUTE, zone


def is_quiet(hours: QuietHours, now: datetime, zone: ZoneInfo) -> bool:
    """Say it as people do: some day's hours have begun, and have not ended."""
    for days in range(-4, 5):
        day = now.astimezone(zone).date() + timedelta(days=days)
        begin = datetime.combine(day, hours.start)
        end = datetime.combine(day, hours.end)
        end += timedelta(days=0 if hours.start < hours.end else 1)
        begins_then = WEEKDAYS[day.weekday()] in hours.weekdays
        if begins_then and instant(begin, zone) <= now < instant(end, zone):
            return True
    return False


@given(cases())
def test_a_wait_is_quiet_all_along_and_ends_where_it_is_not(
    case: tuple[QuietHours, datetime, ZoneInfo],
) -> None:
    hours, now, zone = case

    until = hours.held_until(now, zone)

    if until is None:
        assert not is_quiet(hours, now, zone)
        return
    assert until.tzinfo is UTC
    assert not is_quiet(hours, until, zone)
    steps = int((until - now) / MINUTE)
    for step in {0, steps // 3, steps // 2, max(0, steps - 1)}:
        assert is_quiet(hours, now + step * MINUTE, zone)


@given(cases())
def test_they_are_read_as_they_were_written(case: tuple[QuietHours, datetime, ZoneInfo]) -> None:
    assert QuietHours.decode(case[0].encode()) == case[0]
    assert QuietHours.decode(None) is None


@pytest.mark.parametrize(
    "now", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Apia", "America/New_York"])
@pytest.mark.parametrize(
    "hours", [QuietHours(time(22), time(7)), QuietHours(time(0), time(23, 59))]
)
def test_nothing_waits_at_the_ends_of_all_time(now: datetime, zone: str, hours: QuietHours) -> None:
    assert hours.held_until(now, ZoneInfo(zone)) is None
