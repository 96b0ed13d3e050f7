"""Quiet hours: when people are left in peace, by the clocks of where they are."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Self

from notifier.notification.model import JsonValue
from notifier.wall_time import instant

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of the day to another, on the next day if that is not later.

    `weekdays` are those on which they begin.

    Raises:
        ValueError: they never begin, or never end.
    """

    start: time
    end: time
    weekdays: frozenset[str] = frozenset(WEEKDAYS)

    def __post_init__(self) -> None:
        if not self.weekdays:
            raise ValueError("weekdays: name one at least, or leave it out for every day")
        if self.weekdays - set(WEEKDAYS):
            raise ValueError(f"weekdays: expected {', '.join(WEEKDAYS)}")
        if self.start == self.end and len(self.weekdays) == len(WEEKDAYS):
            raise ValueError("they never end: name a later or an earlier time, or fewer weekdays")

    def held_until(self, now: datetime, zone: tzinfo) -> datetime | None:
        """Return, in UTC, when what must wait at `now` may go; None where nothing must.

        Where clocks skip a time, the first instant behind the gap takes its place; where they show
        it twice, the first.
        """
        until = now
        try:
            while later := self._end(until, zone):
                until = later
        except OverflowError:  # before the first day that there is, or after the last
            return None
        return until.astimezone(UTC) if until > now else None

    def document(self) -> Mapping[str, JsonValue]:
        """Return them as what JSON can say."""
        return {
            "from": self.start.isoformat(timespec="minutes"),
            "to": self.end.isoformat(timespec="minutes"),
            "weekdays": [each for each in WEEKDAYS if each in self.weekdays],
        }

    def encode(self) -> str:
        """Return them as JSON."""
        return json.dumps(self.document())

    @classmethod
    def decode(cls, text: str | None) -> Self | None:
        """Return what was encoded; None of None."""
        if text is None:
            return None
        held = json.loads(text)
        start, end = time.fromisoformat(held["from"]), time.fromisoformat(held["to"])
        return cls(start, end, frozenset(held["weekdays"]))

    def _end(self, now: datetime, zone: tzinfo) -> datetime | None:
        """Return when those end that `now` is in."""
        today = now.astimezone(zone).date()
        return next((end for start, end in self._around(today, zone) if start <= now < end), None)

    def _around(self, today: date, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
        # Of tomorrow, too: where clocks are put back across midnight they may have begun.
        for day in (today - _DAY, today, today + _DAY):
            if WEEKDAYS[day.weekday()] in self.weekdays:
                start = datetime.combine(day, self.start)
                end = datetime.combine(day, self.end)
                yield instant(start, zone), instant(end if end > start else end + _DAY, zone)
