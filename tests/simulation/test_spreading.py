"""Whom a broadcast told is held against who was a member then, and against its counts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tests.simulation.audience.past import Moment, Past, Somebody
from tests.simulation.audience.spreading import about_broadcasts
from tests.simulation.ended import Ended
from tests.simulation.epoch import EPOCH_S
from tests.simulation.plan import plan_of
from tests.simulation.run import kind_of

ID = UUID(int=9).hex
HERE = Somebody(None, {}, None, {"email": "somebody@example.com"})
STARTED_S, TOLD_S, FINISHED_S = 10.0, 12.0, 14.0


def at(seconds: float) -> str:
    return datetime.fromtimestamp(EPOCH_S + seconds, UTC).isoformat()


def moment(at_s: float, members: str = "ada ben", state: str = "expanding") -> Moment:
    people = dict.fromkeys(("ada", "ben", "cleo"), HERE)
    return Moment(at_s, people, frozenset(), frozenset(members.split()), {ID: state})


def counts(**changes: Any) -> dict[str, Any]:
    fates = ("accepted", "unknown", "without_address", "failed", "excluded", "repeated")
    none = {**dict.fromkeys((*fates, "cancelled"), 0), "suppressed": {}}
    return {**none, "members": 2, "accepted": 2, **changes}


def broadcast(told: Sequence[str], **said: Any) -> Ended:
    """A broadcast to ada and ben that ended as if all had gone well, but for what it told whom."""
    ended = Ended(plan_of(0))
    ended.past = Past([moment(0), moment(FINISHED_S, state="done")])
    ended.broadcasts = [
        {
            "id": ID,
            "channel": "email",
            "lane": "bulk",
            "state": "done",
            "excluded": json.dumps(["zoe"]),
            "counts": json.dumps(counts(**said)),
            "created_at": at(STARTED_S),
            "started_at": at(STARTED_S),
            "finished_at": at(FINISHED_S),
        }
    ]
    ended.records = [record(number, user_id) for number, user_id in enumerate(told)]
    ended.timeline = [event(row, "accept") for row in ended.records]
    return ended


def record(number: int, user_id: str, status: str = "sent") -> Mapping[str, Any]:
    return {
        "id": UUID(int=number).hex,
        "user_id": user_id,
        "status": status,
        "broadcast_id": ID,
        "created_at": at(TOLD_S),
    }


def event(row: Mapping[str, Any], name: str, at_s: float = TOLD_S) -> Mapping[str, Any]:
    return {"notification_id": row["id"], "event": name, "attempt": 0, "at": at(at_s)}


def kinds(ended: Ended) -> set[str]:
    return set(map(kind_of, about_broadcasts(ended)))


def test_each_member_is_told_once() -> None:
    assert kinds(broadcast(["ada", "ben"])) == set()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (["ada"], {"missed"}),
        (["ada", "ben", "ben"], {"told-twice"}),
        (["ada", "ben", "cleo"], {"no-member"}),
        (["ada", "ben", "zoe"], {"no-member"}),
    ],
)
def test_who_was_told_too_often_or_too_little_is_a_finding(
    told: Sequence[str], expected: set[str]
) -> None:
    assert kinds(broadcast(told, accepted=len(told), members=len(told))) - {"counts"} == expected


def test_who_came_or_went_meanwhile_may_be_told_or_not() -> None:
    ended = broadcast(["ada", "cleo"])
    ended.past = Past([moment(0), moment(11, "ada cleo"), moment(FINISHED_S, "ada cleo", "done")])

    assert kinds(ended) == set()


def test_who_was_nowhere_for_a_moment_need_not_be_told() -> None:
    ended = broadcast(["ada"], accepted=1, without_address=1)
    gone = replace(moment(11), people={"ada": HERE})
    ended.past = Past([moment(0), gone, moment(12), moment(FINISHED_S, state="done")])

    assert kinds(ended) == set()


def test_what_is_stopped_tells_nobody() -> None:
    ended = broadcast(["ada", "ben"])
    ended.past = Past([moment(0), moment(11, state="paused"), moment(13)])

    assert kinds(ended) == {"strayed"}


@pytest.mark.parametrize(
    "said",
    [
        {"members": 3},
        {"accepted": 1, "members": 1},
        {"cancelled": 1},
        {"repeated": 1, "members": 3},
        {"accepted": 1, "suppressed": {"choice": 1}},
        {"unknown": 9, "members": 11},
    ],
)
def test_what_it_says_of_itself_is_what_there_is(said: Mapping[str, Any]) -> None:
    assert kinds(broadcast(["ada", "ben"], **said)) == {"counts"}


def test_what_was_not_wanted_from_the_start_counts_as_that() -> None:
    ended = broadcast(["ada", "ben"], accepted=1, suppressed={"choice": 1})
    ended.timeline.append(event(ended.records[0], "suppress"))
    assert kinds(ended) == set()

    ended.timeline[-1] = event(ended.records[0], "suppress", TOLD_S + 3)
    assert kinds(ended) == {"counts"}
