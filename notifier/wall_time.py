"""Wall time: what clocks show in a time zone, and which instant that is."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import available_timezones

_SECOND = timedelta(seconds=1)
_HOUR = timedelta(hours=1)
_CONTINENTS = frozenset(
    {
        "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe",
        "Indian", "Pacific",
    }
)  # fmt: skip
_OF_A_MACHINE = frozenset({"localtime", "Factory"})


def is_zone(name: str) -> bool:
    """Whether the IANA's database has a time zone of this name."""
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    # Looks at hundreds of files.
    return frozenset(available_timezones() - _OF_A_MACHINE)


def zone_names() -> Sequence[str]:
    """Return the names of the zones that people call places by, in order."""
    return _places()


@cache
def _places() -> Sequence[str]:
    return sorted(name for name in _zones() if name == "UTC" or name.split("/")[0] in _CONTINENTS)


def instant(wall: datetime, zone: tzinfo) -> datetime:
    """Return, in UTC, when clocks of `zone` first show `wall`, which is naive.

    A time that they skip is the first instant behind the gap; of one that they show twice, it is
    the first.
    """
    first, other = (
        wall.replace(tzinfo=zone, fold=fold).astimezone(UTC).replace(fold=0) for fold in (0, 1)
    )
    # Only in a gap is the reading with the offset of afterwards the earlier one.
    return first if first <= other else _change(other, first, zone)


def changes(after: datetime, until: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Return, in UTC, when clocks of `zone` are changed between these.

    Of several changes within an hour, it may tell of one alone, or of none.
    """
    before = after.astimezone(UTC)
    while before < until:
        later = min(before + _HOUR, until)
        if before.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            yield _change(before, later, zone)
        before = later


def _change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return when, between these, clocks are changed."""
    offset = before.astimezone(zone).utcoffset()
    seconds = range((after - before) // _SECOND)
    behind = bisect_left(
        seconds,
        x=True,
        key=lambda s: (before + s * _SECOND).astimezone(zone).utcoffset() != offset,
    )
    return before + behind * _SECOND
