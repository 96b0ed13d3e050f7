"""Slots: the instants at which something that comes again and again is due.

A slot is found from wall time each time, never by adding to the one before.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import chain
from typing import TypeAlias

from cronsim import CronSim, CronSimError

from notifier.audience.quiet_hours import WEEKDAYS
from notifier.wall_time import changes, instant

MAX_CRON_CHARS = 200
RECIPIENT = "recipient"
"""In place of a zone's name: the clocks of whom it is for."""
_FIELDS = 5
_EXPECTED = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, L or LW",
    "month": "1 to 12, or jan to dec",
    "day-of-week": "0 to 7, sun to sat, or such as 5L and 1#2",
}
_MOST_STEPS = (60, 24, 31, 12, 7)
_STEP = re.compile(r"/(\d+)", re.ASCII)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
# Longer than clocks were ever moved by at once.
_WINDOW = timedelta(hours=26)
_ANY = datetime(2000, 1, 1)  # noqa: DTZ001  a time on the wall
_DAYS_IN_WORDS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Cron:
    """Five fields of cron: minute, hour, day of the month, month, day of the week.

    If both the minute and the hour are named, it goes by what clocks show, as `Daily`. With a star
    in one of them it follows real time: what clocks show twice comes twice, and what they skip
    does not come. `L`, `LW`, `5L` and `1#2` are the last day, the last weekday, the last Friday and
    the second Monday of a month.

    Raises:
        ValueError: it is none, or never comes; the words say what is wrong.
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > MAX_CRON_CHARS:
            raise ValueError(f"expected at most {MAX_CRON_CHARS} characters")
        if len(self.text.split()) != _FIELDS:
            raise ValueError(
                "expected five fields, such as 30 9 * * 1: minute, hour, day of the month, month, "
                "day of the week"
            )
        try:
            found = self.after(_ANY)
        except CronSimError as error:
            raise ValueError(_refused(self.text, str(error).lower().removeprefix("bad "))) from None
        if found is None:
            raise ValueError("it never comes")

    def after(self, wall: datetime) -> datetime | None:
        """Return the next time on the wall; None if there is none in fifty years."""
        return next(CronSim(self.text, wall), None)

    @property
    def is_real_time(self) -> bool:
        """Whether it follows real time."""
        minute, hour, *_ = self.text.split()
        return minute.startswith("*") or hour.startswith("*")


@dataclass(frozen=True, slots=True)
class Daily:
    """Every day at a time on the wall, to the minute."""

    at: time


@dataclass(frozen=True, slots=True)
class Weekly:
    """On some days of the week, named as `WEEKDAYS` are, at a time on the wall.

    Raises:
        ValueError: it names no day, or one that there is not.
    """

    on: frozenset[str]
    at: time

    def __post_init__(self) -> None:
        if not self.on:
            raise ValueError("expected at least one day")
        if self.on - set(WEEKDAYS):
            raise ValueError(f"expected some of {', '.join(WEEKDAYS)}")


When: TypeAlias = Cron | Daily | Weekly


def next_slot(when: When, zone: tzinfo, after: datetime) -> datetime | None:
    """Return, in UTC, the first slot behind `after`; None if there is none, or none in 50 years.

    A time that clocks of `zone` skip is the first instant behind the gap; of one that they show
    twice, it is the first. What follows real time is excepted.
    """
    try:
        if isinstance(when, Cron) and when.is_real_time:
            return _by_real_time(when, zone, after)
        return next(_by_the_wall(when, zone, after), None)
    except OverflowError:  # behind the year 9999
        return None


def slots(when: When, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    """Return all slots behind `after`, in order."""
    slot = next_slot(when, zone, after)
    while slot is not None:
        yield slot
        slot = next_slot(when, zone, slot)


def step_fault(cron: Cron) -> str | None:
    """Say which step is longer than its field: the first value would be all that comes of it."""
    for name, each, most in zip(_EXPECTED, cron.text.split(), _MOST_STEPS, strict=True):
        if any(int(step) > most for step in _STEP.findall(each)):
            return f"the {name}: expected a step of at most {most}; it begins anew each time"
    return None


def explained(when: When, zone: str) -> str:
    """Say in words when it comes; `zone` is a name, or RECIPIENT."""
    clocks = "on the recipient's clock" if zone == RECIPIENT else zone
    return f"{_words(when)}, {clocks}"


def _by_the_wall(when: When, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    # Whatever clocks showed before has its slot before, or now.
    for wall in _walls(when, _shown(after, zone)):
        slot = instant(wall, zone)
        if slot > after:
            yield slot


def _walls(when: When, after: datetime) -> Iterator[datetime]:
    match when:
        case Cron():
            return iter(CronSim(when.text, after))
        case Daily(at):
            return _each_day(after, at, frozenset(WEEKDAYS))
        case Weekly(on, at):
            return _each_day(after, at, on)


def _each_day(after: datetime, at: time, on: frozenset[str]) -> Iterator[datetime]:
    day = after.date()
    while True:
        wall = datetime.combine(day, at)
        if wall > after and WEEKDAYS[day.weekday()] in on:
            yield wall
        day += _DAY


def _by_real_time(cron: Cron, zone: tzinfo, after: datetime) -> datetime | None:
    begin = after.astimezone(UTC).replace(microsecond=0) + _SECOND
    while True:
        end = begin + _WINDOW
        if slot := _within(cron, zone, begin, end):
            return slot
        # From the next that clocks show, however far that is.
        wall = cron.after(_shown(begin, zone))
        if wall is None:
            return None
        begin = max(end, instant(wall, zone) - _WINDOW)


def _within(cron: Cron, zone: tzinfo, begin: datetime, end: datetime) -> datetime | None:
    """Return the first slot from `begin` on, before `end`."""
    for change in chain(changes(begin, end, zone), [end]):
        ahead = _shown(begin, zone) - begin.replace(tzinfo=None)
        wall = cron.after(_shown(begin, zone) - _SECOND)
        if wall and (slot := (wall - ahead).replace(tzinfo=UTC)) < change:
            return slot
        begin = change
    return None


def _shown(at: datetime, zone: tzinfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _refused(text: str, field: str) -> str:
    """Say why a cron is none: a field cannot be read, or no month has the day."""
    day = text.split()[2]
    if field == "day-of-month" and _is_read(f"0 0 {day} * *"):
        return "it never comes: no month that it names has such a day"
    return f"cannot read the {field}: expected {_EXPECTED[field]}, or *, */15, 1-5 or 1,15 of them"


def _is_read(text: str) -> bool:
    try:
        CronSim(text, _ANY)
    except CronSimError:
        return False
    return True


def _words(when: When) -> str:
    match when:
        case Cron(text):
            return CronSim(text, _ANY).explain()
        case Daily(at):
            return f"Every day at {at:%H:%M}"
        case Weekly(on, at):
            days = [_DAYS_IN_WORDS[n] for n, each in enumerate(WEEKDAYS) if each in on]
            return f"Every {_joined(days)} at {at:%H:%M}"


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
