"""What schedules made is held against when they were due."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tests.simulation.audience.past import Past
from tests.simulation.audience.recurring import about_schedules, recurrences
from tests.simulation.ended import Ended
from tests.simulation.epoch import EPOCH_S
from tests.simulation.plan import plan_of
from tests.simulation.run import kind_of

ID, NUMBER = UUID(int=3).hex, 7_000
BEGAN_S, PAUSED_S = 10.0, 200.0
EVERY_MINUTE = {"cron": "* * * * *"}


def at(seconds: float) -> str:
    return datetime.fromtimestamp(EPOCH_S + seconds, UTC).isoformat()


def run(slot_s: float, *, late_s: float = 5, outcome: str = "fired") -> Mapping[str, Any]:
    made = UUID(int=int(slot_s)).hex if outcome == "fired" else None
    return {
        "schedule_id": ID,
        "slot": at(slot_s),
        "at": at(slot_s + late_s),
        "outcome": outcome,
        "notification_id": made,
        "broadcast_id": None,
    }


def schedule(
    runs: Sequence[Mapping[str, Any]], *, when: Mapping[str, Any] = EVERY_MINUTE, zone: str = "UTC"
) -> Ended:
    """A schedule that lasted for three minutes, and all that it made."""
    ended = Ended(replace(plan_of(0), faults=[]), past=Past([]))
    ended.schedules = [
        {
            "id": ID,
            "name": "the news",
            "user_id": None,
            "timing": json.dumps({"when": when, "zone": zone}),
            "variables": json.dumps({"number": NUMBER}),
            "created_at": at(BEGAN_S),
            "seen_at": at(180),
            "paused_at": at(PAUSED_S),
        }
    ]
    ended.runs = [*runs]
    ended.records = [record(each["notification_id"]) for each in runs if each["notification_id"]]
    return ended


def record(id: str) -> Mapping[str, Any]:
    return {"id": id, "broadcast_id": None, "variables": json.dumps({"number": NUMBER})}


def kinds(ended: Ended) -> set[str]:
    return set(map(kind_of, about_schedules(ended)))


@pytest.mark.parametrize(
    ("when", "zone", "slots_s"),
    [
        (EVERY_MINUTE, "UTC", [60, 120, 180]),
        ({"cron": "*/2 * * * *"}, "UTC", [120]),
        ({"cron": "*/2 * * * *"}, "Asia/Kathmandu", [60, 180]),
        ({"every": "day", "at": "03:02"}, "America/New_York", [120]),
        ({"every": "week", "on": ["fri"], "at": "09:01"}, "Europe/Vienna", [60]),
        ({"every": "week", "on": ["sat"], "at": "09:01"}, "Europe/Vienna", []),
    ],
)
def test_a_slot_is_a_time_on_the_wall(
    when: Mapping[str, Any], zone: str, slots_s: Sequence[float]
) -> None:
    assert kinds(schedule(list(map(run, slots_s)), when=when, zone=zone)) == set()


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([run(60), run(180)], {"lost-slot"}),
        ([run(60), run(90), run(120), run(180)], {"no-slot"}),
        ([run(60), run(120, late_s=-1), run(180)], {"too-soon"}),
        ([run(60), run(120), run(180, late_s=30)], {"unpaused"}),
        ([run(60), run(120, outcome="skipped"), run(180)], {"left-out"}),
        ([run(60), run(120, outcome="skipped", late_s=50), run(180)], set()),
    ],
)
def test_each_slot_runs_once_and_in_time(
    runs: Sequence[Mapping[str, Any]], expected: set[str]
) -> None:
    assert kinds(schedule(runs)) == expected


def test_what_was_made_of_no_run_and_what_is_missing_of_one_is_a_finding() -> None:
    ended = schedule([run(60), run(120), run(180)])
    another = record(UUID(int=9).hex)

    assert kinds(ended) == set()
    assert kinds(replace(ended, records=[*ended.records, another])) == {"unlike-runs"}
    assert kinds(replace(ended, records=ended.records[1:])) == {"unlike-runs"}


def test_a_slot_that_nobody_looked_for_is_late() -> None:
    ended = schedule([run(60)])
    [row] = ended.schedules
    ended.schedules = [{**row, "seen_at": at(60)}]

    assert kinds(ended) == {"late-slot"}


@pytest.mark.parametrize(
    ("zone", "when", "days", "slots"),
    [
        ("Europe/Vienna", "02:01", (3, 26, 3, 29), ["27 01:01", "28 01:00", "29 00:01"]),
        ("America/New_York", "02:01", (3, 12, 3, 15), ["13 07:01", "14 07:00", "15 06:01"]),
        ("Australia/Lord_Howe", "01:31", (4, 1, 4, 4), ["01 14:31", "02 14:31", "03 14:31"]),
    ],
)
def test_of_a_day_whose_clocks_are_changed_it_is_the_first_minute_that_shows_it_or_more(
    zone: str, when: str, days: tuple[int, int, int, int], slots: Sequence[str]
) -> None:
    ended = schedule([], when={"every": "day", "at": when}, zone=zone)
    [one] = recurrences(ended)
    first, last = (datetime(2027, *each, 12, tzinfo=UTC) for each in (days[:2], days[2:]))

    found = one.slots(first.timestamp() - EPOCH_S, last.timestamp() - EPOCH_S)

    assert [f"{datetime.fromtimestamp(EPOCH_S + each, UTC):%d %H:%M}" for each in found] == slots
