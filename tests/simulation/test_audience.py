"""What was sent to people is held against what they wanted then."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tests.simulation.audience.deciding import HOLD, SEND, STOP, Letter, fate
from tests.simulation.audience.past import Declared, Listed, Moment, Past, Somebody
from tests.simulation.clients import Wish
from tests.simulation.ended import Ended
from tests.simulation.epoch import EPOCH_S
from tests.simulation.plan import plan_of
from tests.simulation.providers import Call, Fate
from tests.simulation.run import kind_of
from tests.simulation.signs import findings

ID = UUID(int=7)
ADDRESS = "Ada@example.com"
ADA = Somebody(None, {}, None, {"email": ADDRESS})
LETTER = Letter("ada", "email", "normal", "news", None)
QUIET = {"from": "08:01", "to": "08:03", "weekdays": ["fri"]}
"""A world begins at eight on a Friday."""


def moment(
    somebody: Somebody | None = ADA, *, at_s: float = 0.0, listed: frozenset[Listed] = frozenset()
) -> Moment:
    return Moment(at_s, {"ada": somebody} if somebody else {}, listed)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, SEND),
        ({("news", "email"): False}, STOP),
        ({("*", "*"): False}, STOP),
        ({("*", "*"): False, ("news", "*"): True}, SEND),
        ({("*", "email"): False, ("*", "*"): True}, STOP),
        ({("news", "sms"): False}, SEND),
    ],
)
def test_the_closest_choice_decides(changes: Mapping[tuple[str, str], bool], expected: str) -> None:
    assert fate(LETTER, moment(replace(ADA, choices=changes)), 0) == expected


@pytest.mark.parametrize(
    ("at_s", "zone", "expected"),
    [
        (59, None, SEND),
        (61, None, HOLD),
        (179, None, HOLD),
        (181, None, SEND),
        (61, "Europe/Vienna", SEND),
    ],
)
def test_quiet_hours_are_by_somebodys_own_clock(
    at_s: float, zone: str | None, expected: str
) -> None:
    quiet = replace(ADA, zone=zone, quiet=QUIET)

    assert fate(LETTER, moment(quiet), at_s) == expected
    assert fate(replace(LETTER, lane="high"), moment(quiet), at_s) == SEND


def test_what_is_declared_is_for_who_says_nothing() -> None:
    said = Declared(off=frozenset({("news", "email")}), quiet=QUIET)
    of_all = replace(moment(), declared=replace(said, off=frozenset()))
    unlike = replace(moment(replace(ADA, choices={("news", "*"): True})), declared=said)

    assert fate(LETTER, replace(moment(), declared=said), 61) == STOP
    assert (fate(LETTER, of_all, 61), fate(LETTER, of_all, 181)) == (HOLD, SEND)
    assert fate(LETTER, unlike, 61) == HOLD


def test_what_is_declared_may_be_known_a_little_later() -> None:
    said = replace(moment(at_s=20), declared=Declared(quiet=QUIET))
    past = Past([moment(), said])

    assert [each.declared for each in past.seen(21, 22)] == [Declared(), said.declared]
    assert [each.declared for each in past.seen(40, 41)] == [said.declared]


def test_what_is_required_comes_whatever_somebody_chose() -> None:
    unwilling = replace(ADA, choices={("*", "*"): False}, quiet=QUIET)

    assert fate(replace(LETTER, category="orders"), moment(unwilling), 61) == SEND


@pytest.mark.parametrize(
    ("category", "reason", "expected"),
    [
        ("", "manual", (STOP, STOP)),
        ("news", "manual", (STOP, SEND)),
        ("", "unsubscribed", (STOP, SEND)),
        ("hints", "manual", (SEND, SEND)),
    ],
)
def test_the_list_stops_what_it_is_about(
    category: str, reason: str, expected: tuple[str, str]
) -> None:
    listed = moment(listed=frozenset({Listed("email", ADDRESS.lower(), category, reason)}))

    required = replace(LETTER, category="orders")
    assert (fate(LETTER, listed, 0), fate(required, listed, 0)) == expected


def test_the_past_is_what_was_so_at_any_time_between_two() -> None:
    past = Past([moment(at_s=0), moment(None, at_s=10), moment(at_s=20)])

    assert [each.at_s for each in past.between(5, 15)] == [0, 10]
    assert [each.at_s for each in past.between(10, 12)] == [10]
    assert [each.at_s for each in past.between(25, 30)] == [20]


def record(**changes: Any) -> dict[str, Any]:
    return {
        "id": ID.hex,
        "status": "sent",
        "expires_at": None,
        "lease_token": None,
        "attempt": 1,
        "attempts_spent": 0,
        "outcome_unknown": False,
        "template_version_id": None,
        "broadcast_id": None,
        "rule": None,
        "is_counted": True,
        **changes,
    }


def event(name: str, at_s: float, attempt: int = 1) -> Mapping[str, Any]:
    at = datetime.fromtimestamp(EPOCH_S + at_s, UTC).isoformat()
    return {
        "notification_id": ID.hex,
        "event": name,
        "at": at,
        "attempt": attempt,
        "delay_s": None,
        "fault_code": None,
    }


def sent(past: Past, *, to: str = ADDRESS) -> Ended:
    """A newsletter that was claimed ten seconds after it was asked for, and sent."""
    plan = replace(plan_of(0), faults=[])
    ended = Ended(plan, settled_s=plan.ends_s, past=past)
    body = {"user_id": "ada", "type": "email", "priority": "normal", "category": "news"}
    ended.wishes = [Wish(1, body, told=ID, asked_s=1)]
    ended.records = [record()]
    ended.timeline = [event("accept", 1, 0), event("claim", 11), event("succeed", 12)]
    call = Call(ID, 1, "smtp", "runner1", began_s=11.1, recipient=to, text="", fate=Fate.TAKEN)
    call.told_s = 11.5
    ended.journal = [call]
    ended.cap_uses = [{"user_id": "ada", "cap": "news/email", "used": 1}]
    return ended


def kinds(ended: Ended) -> set[str]:
    return set(map(kind_of, findings(ended)))


def test_what_somebody_wants_is_sent_where_they_are() -> None:
    assert kinds(sent(Past([moment()]))) == set()


UNWILLING = replace(ADA, choices={("*", "*"): False})
MOVED = replace(ADA, addresses={"email": "new@example.com"})


@pytest.mark.parametrize(
    ("somebody", "expected"),
    [(UNWILLING, {"unwanted"}), (MOVED, {"misaddressed"}), (None, {"misaddressed", "unwanted"})],
)
def test_what_was_changed_before_the_claim_counts(
    somebody: Somebody | None, expected: set[str]
) -> None:
    assert kinds(sent(Past([moment(), moment(somebody, at_s=10)]))) == expected
    assert kinds(sent(Past([moment(), moment(somebody, at_s=11.05)]))) == set()


def test_nothing_is_kept_from_who_wants_it() -> None:
    ended = sent(Past([moment()]))
    ended.records = [record(status="suppressed")]
    ended.journal = []
    ended.timeline = [event("accept", 1, 0), event("claim", 11), event("suppress", 12)]

    assert kinds(ended) == {"withheld"}
    ended.past = Past([moment(), moment(UNWILLING, at_s=9)])
    assert kinds(ended) == set()


def test_nobody_is_left_in_peace_who_did_not_ask_for_that() -> None:
    ended = sent(Past([moment()]))
    ended.timeline = [event("accept", 1, 0), event("claim", 8, 0), event("defer", 9, 0)]
    ended.timeline += [event("claim", 11), event("succeed", 12)]

    assert kinds(ended) == {"held-up"}


def test_what_is_held_does_not_come_back_while_it_must_wait() -> None:
    quiet = replace(ADA, quiet={**QUIET, "from": "08:00"})
    ended = sent(Past([moment(quiet)]))
    ended.timeline = [event("accept", 1, 0), event("claim", 3), event("defer", 4)]
    ended.timeline += [event("claim", 11, 2), event("defer", 12, 2)]
    ended.records, ended.journal = [record(status="pending")], []
    assert kinds(ended) == {"held-again"}

    ended.past = Past([moment(quiet), moment(replace(quiet, zone="UTC"), at_s=9)])
    assert kinds(ended) == set()


@pytest.mark.parametrize(
    ("used", "is_counted", "expected"),
    [
        (1, True, set()),
        (2, True, {"miscounted"}),
        (3, True, {"miscounted", "over-cap"}),
        (0, None, {"uncounted"}),
        (1, None, {"miscounted", "uncounted"}),
    ],
)
def test_each_takes_one_of_its_cap(
    *, used: int, is_counted: bool | None, expected: set[str]
) -> None:
    ended = sent(Past([moment()]))
    ended.records = [record(is_counted=is_counted)]
    ended.cap_uses = [{"user_id": "ada", "cap": "news/email", "used": used}]

    assert kinds(ended) == expected


def test_nothing_is_over_a_cap_that_is_not_used_up() -> None:
    ended = sent(Past([moment()]))
    ended.records, ended.journal = [record(status="suppressed", is_counted=None)], []
    ended.cap_uses = []
    over = {**event("suppress", 12), "fault_code": "cap"}
    ended.timeline = [event("accept", 1, 0), event("claim", 11), over]

    assert kinds(ended) == {"capped"}
