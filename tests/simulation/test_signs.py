"""What is odd is a finding, unless something explains it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from notifier.notification.model import Status
from tests.simulation.clients import Wish
from tests.simulation.ended import Ended
from tests.simulation.epoch import EPOCH_S
from tests.simulation.plan import plan_of
from tests.simulation.providers import Call, Fate
from tests.simulation.run import kind_of
from tests.simulation.signs import findings

ID = UUID(int=7)
WORKER = "runner1.1:0:1"
STOPPED_S = 100.0
GRACE_S = 10.0


def a_world() -> Ended:
    """The ledgers of a world in which nothing went wrong, and all was final."""
    plan = replace(plan_of(0), grace_s=GRACE_S)
    return Ended(plan, settled_s=plan.ends_s)


def record(**changes: Any) -> dict[str, Any]:
    return {
        "id": ID.hex,
        "status": Status.SENT.value,
        "expires_at": None,
        "lease_token": None,
        "attempt": 1,
        "attempts_spent": 0,
        "outcome_unknown": False,
        "template_version_id": None,
        "broadcast_id": None,
        "rule": None,
        **changes,
    }


def timeline(events: Sequence[str]) -> list[Mapping[str, Any]]:
    at = datetime.fromtimestamp(EPOCH_S, UTC).isoformat()
    return [
        {"notification_id": ID.hex, "event": event, "at": at, "attempt": 1, "delay_s": None}
        for event in events
    ]


def kinds(ended: Ended) -> set[str]:
    return set(map(kind_of, findings(ended)))


def interrupted(kept_locked: Sequence[tuple[float, float]]) -> Ended:
    """A worker that had to be cut off at the end of its grace."""
    ended = a_world()
    ended.kept_locked = kept_locked
    ended.log = [
        {"event": "worker.interrupted", "process": WORKER, "at_s": STOPPED_S, "in_flight": 1}
    ]
    return ended


@pytest.mark.parametrize(
    "kept_locked",
    [
        [(STOPPED_S - 5, STOPPED_S - 2)],
        [(0, STOPPED_S - GRACE_S)],
        [(STOPPED_S, STOPPED_S + 2)],
        [(0, 3), (0, 2 * STOPPED_S)],
    ],
)
def test_who_waits_for_sqlites_lock_in_its_grace_may_be_interrupted(
    kept_locked: Sequence[tuple[float, float]],
) -> None:
    assert kinds(interrupted(kept_locked)) == set()


@pytest.mark.parametrize(
    "kept_locked",
    [[], [(0, STOPPED_S - GRACE_S - 0.1)], [(STOPPED_S + 0.1, STOPPED_S + 2)]],
)
def test_a_lock_at_another_time_is_no_reason_to_be_interrupted(
    kept_locked: Sequence[tuple[float, float]],
) -> None:
    assert kinds(interrupted(kept_locked)) == {"interrupted"}


def recalled(events: Sequence[str]) -> Ended:
    """One that was sent, and whose message was called back for no fault of the broker's."""
    ended = a_world()
    ended.wishes = [Wish(1, {}, told=ID)]
    ended.records = [record()]
    ended.timeline = timeline(events)
    call = Call(ID, 1, "smtp", WORKER, began_s=1, recipient="ada", text="", fate=Fate.TAKEN)
    call.told_s = 2
    ended.journal = [call]
    return ended


def test_what_was_replayed_may_be_recalled_for_the_letter_that_it_had() -> None:
    ended = recalled(["accept", "claim", "fail", "replay", "recall", "claim", "succeed"])

    assert kinds(ended) == set()


def test_what_is_recalled_for_nothing_is_a_finding() -> None:
    ended = recalled(["accept", "recall", "claim", "succeed"])

    assert kinds(ended) == {"recalled"}
