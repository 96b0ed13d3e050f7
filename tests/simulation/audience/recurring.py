"""What must hold of schedules: each slot once, at its time on the wall, and none left out."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from notifier.schedules.schedule import RunOutcome
from tests.simulation.audience.deciding import Letter
from tests.simulation.audience.past import Past
from tests.simulation.audience.people import LETTER_CATEGORY
from tests.simulation.clocks import EXACT_S, may_be_off
from tests.simulation.ended import Ended
from tests.simulation.epoch import EPOCH_S, since_s
from tests.simulation.plan import STOPPING

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ON_TIME_S = 40.0
"""How late one may be found that is not caught up with."""
_FOUND_AFTER_S = 30.0
_MINUTE_S = 60
_HOUR_S, _DAY_S = 3_600, 86_400
_LATE_HOUR = 22
"""The day may end soon, whatever becomes of clocks."""


@dataclass(frozen=True)
class Recurrence:
    """A schedule, and what became of its slots."""

    row: Mapping[str, Any]
    runs: Sequence[Mapping[str, Any]]
    past: Past

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.row["name"])

    @property
    def began_s(self) -> float:
        """When it was made."""
        return since_s(self.row["created_at"])

    @property
    def paused_s(self) -> float | None:
        """When it was due no more; None: never."""
        return since_s(self.row["paused_at"]) if self.row["paused_at"] else None

    @property
    def seen_s(self) -> float:
        """Up to when all is settled."""
        return since_s(self.row["seen_at"])

    @cached_property
    def timing(self) -> Mapping[str, Any]:
        """When it is due."""
        timing: Mapping[str, Any] = json.loads(self.row["timing"])
        return timing

    @cached_property
    def zone(self) -> str | None:
        """By whose clocks, if they are the same all the time."""
        if self.timing["zone"] != "recipient":
            return str(self.timing["zone"])
        if self.row["user_id"] is None:
            return None
        people = [each.people.get(self.row["user_id"]) for each in self.past.moments]
        zones = {each.zone or "UTC" if each else "UTC" for each in people}
        return zones.pop() if len(zones) == 1 else None

    def slots(self, from_s: float, to_s: float) -> Iterator[float]:
        """Return when it is due behind a time, and up to another."""
        assert self.zone is not None
        zone, when = ZoneInfo(self.zone), self.timing["when"]
        came = (
            _of_cron(when, zone, from_s, to_s)
            if "cron" in when
            else _of_days(when, zone, from_s, to_s)
        )
        yield from (slot_s for slot_s in came if slot_s > from_s)

    def letter(self, record: Mapping[str, Any]) -> Letter | None:
        """What is sent to somebody; None: it is to an address."""
        row = self.row
        if row["user_id"] is None:
            return None
        return Letter(record["user_id"], row["channel"], row["lane"], LETTER_CATEGORY, None)


def _of_cron(
    when: Mapping[str, Any], zone: ZoneInfo, from_s: float, to_s: float
) -> Iterator[float]:
    """Those of every minute or so: clocks that are changed change nothing of that."""
    step = int(when["cron"].split()[0].partition("/")[2] or 1)
    minute = _next_minute(from_s)
    while minute <= to_s:
        if _wall(minute, zone).minute % step == 0:
            yield minute
        minute += _MINUTE_S


def _of_days(
    when: Mapping[str, Any], zone: ZoneInfo, from_s: float, to_s: float
) -> Iterator[float]:
    """Of each day the first minute whose clocks show that time, or one behind it."""
    past: date | None = None
    minute = _next_minute(from_s - _DAY_S)
    while minute <= to_s:
        wall = _wall(minute, zone)
        is_past = wall.date() == past
        if not is_past and f"{wall:%H:%M}" >= when["at"]:
            past = wall.date()
            if "on" not in when or _DAYS[wall.weekday()] in when["on"]:
                yield minute
        minute += _HOUR_S if is_past and wall.hour < _LATE_HOUR else _MINUTE_S


def _next_minute(at_s: float) -> float:
    return int((EPOCH_S + at_s) // _MINUTE_S + 1) * _MINUTE_S - EPOCH_S


def _wall(at_s: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(EPOCH_S + at_s, UTC).astimezone(zone)


def recurrences(ended: Ended) -> Iterator[Recurrence]:
    """All schedules."""
    for row in ended.schedules:
        runs = [each for each in ended.runs if each["schedule_id"] == row["id"]]
        yield Recurrence(row, runs, ended.past)


def made_by_schedules(ended: Ended) -> Mapping[UUID, Recurrence]:
    """What is sent of each, by the notification's id."""
    return {
        UUID(run["notification_id"]): each
        for each in recurrences(ended)
        for run in each.runs
        if run["notification_id"] is not None
    }


def about_schedules(ended: Ended) -> Iterator[str]:
    """What is wrong with them."""
    for each in recurrences(ended):
        yield from _about_what_was_made(each, ended)
        yield from _about_runs(each)
        if each.zone is not None and not may_be_off(ended, each.began_s + EXACT_S):
            yield from _about_slots(each, ended)


def _about_what_was_made(each: Recurrence, ended: Ended) -> Iterator[str]:
    """Each run that fired sent one, and nothing else was sent."""
    number = json.loads(each.row["variables"])["number"]
    tables = {"notification_id": ended.records, "broadcast_id": ended.broadcasts}
    for name, rows in tables.items():
        made = Counter(row["id"] for row in rows if _is_of(row, number))
        named = Counter(run[name] for run in each.runs if run[name] is not None)
        if made != named:
            yield f"unlike-runs: {each.name} has {len(named)} {name}s, and {len(made)} were made"


def _is_of(row: Mapping[str, Any], number: int) -> bool:
    # What a broadcast makes is the broadcast's.
    if row.get("broadcast_id") is not None or not row["variables"]:
        return False
    return bool(json.loads(row["variables"]).get("number") == number)


def _about_runs(each: Recurrence) -> Iterator[str]:
    for run in each.runs:
        slot_s, at_s = since_s(run["slot"]), since_s(run["at"])
        what = f"the slot {slot_s:.0f} of {each.name}"
        if at_s < slot_s:
            yield f"too-soon: {what} fired at {at_s:.2f}"
        if run["outcome"] == RunOutcome.SKIPPED and at_s - slot_s < _ON_TIME_S:
            yield f"left-out: {what} was skipped at {at_s:.2f}"
        if each.paused_s is not None and at_s > each.paused_s + 0.01:
            yield f"unpaused: {what} fired at {at_s:.2f}, and it was paused at {each.paused_s:.2f}"


def _about_slots(each: Recurrence, ended: Ended) -> Iterator[str]:
    due = {*each.slots(each.began_s + EXACT_S, each.seen_s)}
    maybe = {*each.slots(each.began_s - EXACT_S, each.began_s + EXACT_S)}
    ran = Counter(since_s(run["slot"]) for run in each.runs)
    yield from (f"lost-slot: {slot:.0f} of {each.name}" for slot in due - set(ran))
    yield from (f"no-slot: {slot:.0f} of {each.name} ran" for slot in set(ran) - due - maybe)
    yield from (f"slot-twice: {slot:.0f} of {each.name}" for slot, n in ran.items() if n > 1)
    until_s = (each.paused_s or ended.virtual_s) - _FOUND_AFTER_S
    is_troubled = any(happening.kind in STOPPING for happening in ended.happenings)
    if not is_troubled:
        late = each.slots(each.seen_s, until_s)
        yield from (f"late-slot: {slot:.0f} of {each.name} never ran" for slot in late)


def wall_clock(at_s: float, zone: str, *, in_minutes: int) -> str:
    """Return what clocks of a zone show some minutes later."""
    at = datetime.fromtimestamp(EPOCH_S + at_s, UTC) + timedelta(minutes=in_minutes)
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M}"
