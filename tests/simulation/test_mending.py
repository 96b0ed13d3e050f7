"""What is odd of a replay is a finding."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tests.simulation.epoch import EPOCH_S
from tests.simulation.mending import Mended, Move, about_replays
from tests.simulation.providers import Call
from tests.simulation.run import kind_of

REPLAY_ID, LETTER = UUID(int=1), UUID(int=2)


def event(at_s: float, name: str, letter: UUID = LETTER) -> dict[str, Any]:
    at = datetime.fromtimestamp(EPOCH_S + at_s, UTC).isoformat()
    note = f"replay {REPLAY_ID}"
    return {"notification_id": letter.hex, "event": name, "at": at, "note": note}


def row(state: str = "stopped", replayed: int = 1, undone: int = 0) -> Mapping[str, Any]:
    counts = json.dumps({"replayed": replayed, "undone": undone, "skipped": {}})
    return {"id": REPLAY_ID.hex, "state": state, "counts": counts}


def a_call(began_s: float) -> Call:
    return Call(LETTER, 2, "smtp", "w", began_s=began_s, recipient="ada", text="")


def kinds(
    timeline: Sequence[Mapping[str, Any]],
    row: Mapping[str, Any],
    moves: Sequence[Move] = (),
    calls: Sequence[Call] = (),
) -> set[str]:
    mended = Mended(REPLAY_ID, rate_per_s=2, moves=list(moves))
    return set(map(kind_of, about_replays([mended], [row], timeline, calls)))


def test_a_replay_that_went_well_is_no_finding() -> None:
    timeline = [event(10, "replay"), event(20, "undo")]
    moves = [Move("pause", 12, 12.2), Move("resume", 14, 14.2), Move("undo", 19, 19.5)]

    assert kinds(timeline, row("undone", 1, 1), moves, [a_call(11)]) == set()


@pytest.mark.parametrize("state", ["running", "undoing"])
def test_one_that_does_not_end_is_a_finding(state: str) -> None:
    assert kinds([event(10, "replay")], row(state)) == {"unended"}


def test_a_letter_that_is_tried_twice_is_a_finding() -> None:
    assert kinds([event(10, "replay"), event(30, "replay")], row(replayed=2)) == {"replayed-twice"}


def test_a_count_that_is_not_what_was_noted_is_a_finding() -> None:
    assert kinds([event(10, "replay")], row(replayed=2)) == {"miscounted"}


@pytest.mark.parametrize(("at_s", "found"), [(13, {"went-on"}), (15, set())])
def test_what_is_tried_between_pause_and_resume_is_a_finding(at_s: float, found: set[str]) -> None:
    moves = [Move("pause", 11, 12), Move("resume", 14, 14.5)]

    assert kinds([event(at_s, "replay")], row(), moves) == found


def test_what_is_tried_behind_a_stop_is_a_finding() -> None:
    assert kinds([event(99, "replay")], row(), [Move("stop", 11, 12)]) == {"went-on"}


@pytest.mark.parametrize(("count", "found"), [(6, set()), (7, {"hurried"})])
def test_more_than_its_rate_and_what_it_saved_is_a_finding(count: int, found: set[str]) -> None:
    timeline = [event(10, "replay", UUID(int=9 + n)) for n in range(count)]

    assert kinds(timeline, row(replayed=count)) == found


def test_what_was_taken_back_and_handed_over_is_a_finding() -> None:
    timeline = [event(10, "replay"), event(20, "undo")]

    assert kinds(timeline, row("undone", 1, 1), calls=[a_call(25)]) == {"undone-and-sent"}


def test_what_was_tried_again_since_may_be_handed_over() -> None:
    timeline = [event(10, "replay"), event(20, "undo"), {**event(24, "replay"), "note": None}]

    assert kinds(timeline, row("undone", 1, 1), calls=[a_call(25)]) == set()
