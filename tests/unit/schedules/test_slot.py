"""Which instants slots are, around every change of clocks of a year."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.audience.quiet_hours import WEEKDAYS
from notifier.schedules.slot import (
    MAX_CRON_CHARS,
    Cron,
    Daily,
    Weekly,
    When,
    explained,
    next_slot,
    slots,
    step_fault,
)
from notifier.wall_time import changes

YEARS = {
    "Europe/Vienna": 2026,
    "America/New_York": 2026,
    "Australia/Lord_Howe": 2026,
    "Africa/Casablanca": 2026,
    # It skipped the 30th of December.
    "Pacific/Apia": 2011,
    "America/Havana": 2026,
    "UTC": 2026,
}
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def year(zone: str) -> tuple[datetime, datetime]:
    began = datetime(YEARS[zone], 1, 1, tzinfo=UTC)
    return began, began + 365 * DAY


def shown(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


CHANGES = [(zone, change) for zone in YEARS for change in changes(*year(zone), ZoneInfo(zone))]


def test_every_change_of_the_years_is_known() -> None:
    found = {zone: sum(each == zone for each, _ in CHANGES) for zone in YEARS}

    assert found == {
        "Europe/Vienna": 2,
        "America/New_York": 2,
        "Australia/Lord_Howe": 2,
        "Africa/Casablanca": 2,
        "Pacific/Apia": 3,
        "America/Havana": 2,
        "UTC": 0,
    }


def _day(year: int) -> datetime:
    return datetime.combine(date(year, 1, 1), time())


TIMES = st.integers(0, 1_439).map(lambda n: time(n // 60, n % 60))
FIELDS = st.tuples(
    st.sampled_from(["0", "30", "*/20", "5,50", "*"]),
    st.sampled_from(["0", "2", "*", "*/3", "0-3", "1,23"]),
    st.sampled_from(["*", "1-15", "*/2"]),
    st.just("*"),
    st.sampled_from(["*", "mon-fri", "0"]),
)
WHENS: st.SearchStrategy[When] = st.one_of(
    TIMES.map(Daily),
    st.builds(Weekly, st.frozensets(st.sampled_from(WEEKDAYS), min_size=1), TIMES),
    FIELDS.map(" ".join).map(Cron),
)


def modelled(when: When, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """Walk the minutes: what is due by the wall comes when clocks first show that or more."""
    at = after - 180 * MINUTE
    highest = shown(at, zone)
    while (at := at + MINUTE) <= until:
        now = shown(at, zone)
        if isinstance(when, Cron) and when.is_real_time:
            is_due = matches(when, now)
        else:
            is_due = any(matches(when, wall) for wall in minutes(highest, now))
        highest = max(highest, now)
        if is_due and at > after:
            yield at


def minutes(after: datetime, until: datetime) -> Iterator[datetime]:
    while (after := after + MINUTE) <= until:
        yield after


def matches(when: When, wall: datetime) -> bool:
    match when:
        case Cron():
            return when.after(wall - MINUTE) == wall
        case Daily(at):
            return wall.time() == at
        case Weekly(on, at):
            return wall.time() == at and WEEKDAYS[wall.weekday()] in on


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(CHANGES), st.integers(-1_600, 200), WHENS)
def test_slots_around_every_change_are_those_that_a_walk_finds(
    change: tuple[str, datetime], minutes_off: int, when: When
) -> None:
    name, at = change
    zone, after = ZoneInfo(name), at + minutes_off * MINUTE
    until = after + 1_800 * MINUTE
    found = []
    for slot in slots(when, zone, after):
        if slot > until:
            break
        found.append(slot)

    assert found == list(modelled(when, zone, after, until))


@given(
    WHENS,
    st.sampled_from(sorted(YEARS)),
    st.datetimes(_day(2009), _day(2030), timezones=st.just(UTC)),
)
def test_slots_are_in_the_future_in_order_and_utc(when: When, zone: str, after: datetime) -> None:
    found = [after, *islice(slots(when, ZoneInfo(zone), after), 5)]

    assert len(found) == 6
    assert all(one < other for one, other in pairwise(found))
    assert all(each.tzinfo is UTC for each in found)


@given(WHENS, st.sampled_from(sorted(YEARS)), st.integers(0, 500_000), st.integers(1, 3_000))
def test_whoever_asks_later_is_told_of_the_same_slots(
    when: When, zone: str, minute: int, later: int
) -> None:
    after = year(zone)[0] + minute * MINUTE
    first = next_slot(when, ZoneInfo(zone), after)
    again = next_slot(when, ZoneInfo(zone), min(first or after, after + later * MINUTE))

    assert first is not None
    assert again == first or first <= after + later * MINUTE


@pytest.mark.parametrize("zone", sorted(YEARS))
def test_a_year_of_daily_slots_has_each_day_once_at_the_right_time(zone: str) -> None:
    began, ended = year(zone)
    clock = ZoneInfo(zone)
    found = []
    for slot in slots(Daily(time(2, 15)), clock, began - 2 * DAY):
        if slot > ended + 2 * DAY:
            break
        found.append(shown(slot, clock))

    days = [each.date() for each in found]
    all_days = [days[0] + n * DAY for n in range((days[-1] - days[0]).days + 1)]
    skipped = date(2011, 12, 30)
    if zone == "Pacific/Apia":
        # The day that never was is due as the next begins.
        assert found.count(datetime.combine(skipped + DAY, time())) == 1
        days.remove(skipped + DAY)
        all_days.remove(skipped)
    assert days == all_days
    odd = [each for each in found if each.time() != time(2, 15)]
    assert len(odd) <= 1


@pytest.mark.parametrize(
    ("zone", "when", "after", "expected"),
    [
        ("Europe/Vienna", Daily(time(2, 30)), "2026-03-28T12:00Z", "2026-03-29T01:00Z"),
        ("Europe/Vienna", Daily(time(2, 30)), "2026-10-24T12:00Z", "2026-10-25T00:30Z"),
        ("Europe/Vienna", Daily(time(2, 30)), "2026-10-25T00:30Z", "2026-10-26T01:30Z"),
        ("Europe/Vienna", Cron("30 2 * * *"), "2026-03-28T12:00Z", "2026-03-29T01:00Z"),
        ("Europe/Vienna", Cron("30 2 * * *"), "2026-10-25T00:30Z", "2026-10-26T01:30Z"),
        ("Europe/Vienna", Cron("30 * * * *"), "2026-10-25T00:30Z", "2026-10-25T01:30Z"),
        ("Europe/Vienna", Cron("0 9 L * *"), "2026-02-01T00:00Z", "2026-02-28T08:00Z"),
        ("Europe/Vienna", Cron("0 9 * * 1#2"), "2026-11-01T00:00Z", "2026-11-09T08:00Z"),
        ("Europe/Vienna", Cron("*/30 2 1 7 *"), "2026-01-01T00:00Z", "2026-07-01T00:00Z"),
        ("Australia/Lord_Howe", Daily(time(2, 10)), "2026-10-03T12:00Z", "2026-10-03T15:30Z"),
        ("Pacific/Apia", Weekly(frozenset({"fri"}), time(9)), "2011-12-29Z", "2011-12-30T10:00Z"),
    ],
)
def test_gaps_and_folds_have_one_slot(zone: str, when: When, after: str, expected: str) -> None:
    found = next_slot(when, ZoneInfo(zone), read(after))

    assert found == read(expected)


def read(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00" if "T" in text else "T00:00+00:00"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "five fields"),
        ("30 9 * *", "five fields"),
        ("0 30 9 * * 1", "five fields"),
        ("@daily", "five fields"),
        ("61 9 * * *", "cannot read the minute: expected 0 to 59"),
        ("0 24 * * *", "cannot read the hour: expected 0 to 23"),
        ("0 9 32 2 *", "cannot read the day-of-month: expected 1 to 31"),
        ("0 9 31 2 *", "never comes: no month that it names has such a day"),
        ("0 9 */31 2 mon#5", "never comes"),
        ("0 9 * * funday", "cannot read the day-of-week"),
        ("0 9 * * " + "1," * MAX_CRON_CHARS, "at most 200 characters"),
    ],
)
def test_what_is_no_cron_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Cron(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("*/60 */24 */31 */12 */7", None),
        ("*/90 * * * *", "the minute: expected a step of at most 60"),
        ("0 9 1,2-20/32 * *", "the day-of-month: expected a step of at most 31"),
    ],
)
def test_a_step_that_is_longer_than_its_field_is_told(text: str, words: str | None) -> None:
    fault = step_fault(Cron(text))

    assert fault is None if words is None else words in str(fault)


@pytest.mark.parametrize("days", [frozenset[str](), frozenset({"monday"})])
def test_a_week_needs_days_that_there_are(days: frozenset[str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Weekly(days, time(9, 30))


def test_nothing_comes_after_the_last_year() -> None:
    assert next_slot(Daily(time(9)), UTC, datetime(9999, 12, 31, 23, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("when", "zone", "words"),
    [
        (Daily(time(9, 30)), "Europe/Vienna", "Every day at 09:30, Europe/Vienna"),
        (
            Weekly(frozenset({"fri", "mon"}), time(9, 5)),
            "recipient",
            "Every Monday and Friday at 09:05, on the recipient's clock",
        ),
        (Cron("30 9 * * 1"), "UTC", "At 09:30 on Monday, UTC"),
    ],
)
def test_a_schedule_can_be_said_in_words(when: When, zone: str, words: str) -> None:
    assert explained(when, zone) == words
