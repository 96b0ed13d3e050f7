"""Which instant a time on the wall is, in zones with all sorts of changes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.wall_time import instant

CHANGES = {
    "Europe/Vienna": [(2026, 3, 29), (2026, 10, 25)],
    "America/New_York": [(2026, 3, 8), (2026, 11, 1)],
    "Australia/Lord_Howe": [(2026, 4, 5), (2026, 10, 4)],
    "Africa/Casablanca": [(2026, 2, 15), (2026, 3, 22)],
    "Pacific/Apia": [(2011, 12, 30), (2011, 12, 31)],
    "America/St_Johns": [(2006, 4, 2), (2006, 10, 29)],
    "America/Havana": [(2026, 3, 8), (2026, 11, 1)],
    "Asia/Kathmandu": [(2026, 6, 1)],
}
"""Days on which clocks are changed, or skip the whole of."""
MINUTE = timedelta(minutes=1)


@st.composite
def walls(draw: st.DrawFn) -> tuple[datetime, ZoneInfo]:
    name, days = draw(st.sampled_from(sorted(CHANGES.items())))
    day = datetime.combine(date(*draw(st.sampled_from(days))), time())
    return day + draw(st.integers(-300, 1_740)) * MINUTE, ZoneInfo(name)


@given(walls())
def test_it_is_the_first_instant_at_which_clocks_show_that_or_more(
    case: tuple[datetime, ZoneInfo],
) -> None:
    wall, zone = case

    def shown(at: datetime) -> datetime:
        return at.astimezone(zone).replace(tzinfo=None)

    at = (wall - timedelta(hours=40)).replace(tzinfo=UTC)
    while shown(at) < wall:
        at += MINUTE

    assert instant(wall, zone) == at
    assert instant(wall, zone).tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "wall", "expected"),
    [
        ("Europe/Vienna", "2026-03-29T02:30", "2026-03-29T01:00+00:00"),
        ("Europe/Vienna", "2026-10-25T02:30", "2026-10-25T00:30+00:00"),
        ("Australia/Lord_Howe", "2026-10-04T02:10", "2026-10-03T15:30+00:00"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00+00:00"),
    ],
)
def test_skipped_and_repeated_times_have_one_instant(zone: str, wall: str, expected: str) -> None:
    found = instant(datetime.fromisoformat(wall), ZoneInfo(zone))

    assert found == datetime.fromisoformat(expected)
