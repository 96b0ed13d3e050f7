"""What became of events is held against what was published."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tests.simulation.audience.past import Moment, Past, Somebody
from tests.simulation.ended import Ended
from tests.simulation.epoch import EPOCH_S
from tests.simulation.eventing.rules import RULES
from tests.simulation.eventing.signs import about_events
from tests.simulation.eventing.story import Publication
from tests.simulation.plan import plan_of
from tests.simulation.run import kind_of

ADA = "ada"
RULE_OF = {rule.on: name for name, rule in RULES.items()}
OPENED_S, CLOSED_S = 10.0, 31.0
DIGEST, LETTER = UUID(int=70).hex, UUID(int=80).hex


def at(seconds: float) -> str:
    return datetime.fromtimestamp(EPOCH_S + seconds, UTC).isoformat()


class Story:
    """What was published, and what came of it."""

    def __init__(self) -> None:
        somebody = Somebody(None, {}, None, {"email": "a@example.com", "sms": "+491"})
        past = Past([Moment(0.0, {ADA: somebody}, frozenset())])
        self.ended = Ended(replace(plan_of(0), faults=[]), past=past)

    def event(self, nth: int, type: str, at_s: float = OPENED_S, **data: str) -> None:
        said = {"user_id": ADA, "number": f"n{nth}", "key": f"k{nth}", **data}
        publication = Publication({"id": f"e{nth}", "type": type, "data": said}, at_s)
        publication.told.append(str(UUID(int=nth)))
        self.ended.publications.append(publication)
        self.ended.events.append(
            {
                "id": UUID(int=nth).hex,
                "event_id": f"e{nth}",
                "type": type,
                "received_at": at(at_s),
                "matched": 0,
                "data": "{}",
            }
        )

    def match(
        self, nth: int, outcome: str = "matched", ids: Sequence[str] = (), **row: Any
    ) -> None:
        event = next(each for each in self.ended.events if each["event_id"] == f"e{nth}")
        at_place = self.ended.events.index(event)
        self.ended.events[at_place] = {**event, "matched": int(outcome == "matched")}
        self.ended.matches.append(
            {
                "event_id": event["id"],
                "nth": 0,
                "rule": RULE_OF[event["type"]],
                "person": ADA,
                "key": None,
                "outcome": outcome,
                "reason": None,
                "notification_ids": json.dumps([str(UUID(each)) for each in ids]),
                "digest_id": None,
                **row,
            }
        )

    def record(self, id: str, rule: str, number: str = "n1", **row: Any) -> None:
        common = {"key": None, "skip_on": None, "depends_on": None, "created_at": at(OPENED_S)}
        variables = json.dumps({"number": number})
        self.ended.records.append(
            {"id": id, "rule": rule, "user_id": ADA, "variables": variables, **common, **row}
        )

    def lived(self, id: str, *life: tuple[str, float]) -> None:
        for name, at_s in life:
            row = {"notification_id": id, "event": name, "at": at(at_s), "attempt": 1}
            self.ended.timeline.append({**row, "fault_code": None})

    def digest(self, items: Sequence[int], **row: Any) -> None:
        self.ended.digest_items += [
            {
                "digest_id": DIGEST,
                "event_id": UUID(int=nth).hex,
                "data": json.dumps({"number": f"n{nth}"}),
            }
            for nth in items
        ]
        self.ended.digests.append(
            {
                "id": DIGEST,
                "rule": "remarks",
                "person": ADA,
                "key": "a",
                "added": len(items),
                "max_items": None,
                "opened_at": at(OPENED_S),
                "due_at": at(OPENED_S + 20),
                "closed_at": at(CLOSED_S),
                "settled_at": at(CLOSED_S + 1),
                "count": len(items),
                "reason": None,
                "notification_ids": json.dumps([str(UUID(LETTER))]),
                **row,
            }
        )

    @property
    def kinds(self) -> set[str]:
        return set(map(kind_of, about_events(self.ended)))


def gathered(items: Sequence[int] = (1, 2), **row: Any) -> Story:
    """Two remarks, and the digest that they were added to."""
    told = Story()
    for nth in (1, 2):
        told.event(nth, "remark.made", thread="a")
        told.match(nth, digest_id=DIGEST, key=f"k{nth}")
    told.digest(items, **row)
    told.record(LETTER, "remarks")
    return told


def visited(*times: tuple[float, str]) -> Story:
    told = Story()
    for nth, (at_s, outcome) in enumerate(times, 1):
        told.event(nth, "visit.paid", at_s)
        ids = [UUID(int=90 + nth).hex] if outcome == "matched" else []
        told.match(nth, outcome, ids)
        for id in ids:
            told.record(id, "visits", f"n{nth}")
    return told


def ordered(*life: tuple[str, float], message: int = 1) -> Story:
    """An order that was withdrawn after 5 seconds, and how one of its messages went."""
    told = Story()
    ids = [UUID(int=91).hex, UUID(int=92).hex]
    told.event(1, "order.placed")
    told.match(1, ids=ids, key="k1")
    for id in ids:
        told.record(id, "orders", key="k1")
    told.event(2, "order.withdrawn", OPENED_S + 5, key="k1")
    told.lived(ids[message], *life)
    return told


def test_what_is_gathered_and_sent_once_is_right() -> None:
    assert gathered().kinds == set()


@pytest.mark.parametrize(
    ("items", "row", "found"),
    [
        ([1], {}, {"item-lost"}),
        ([1, 2], {"count": 1}, {"digest-counts"}),
        ([1, 2], {"key": "b"}, {"item-astray"}),
        ([1, 2], {"closed_at": at(29)}, {"digest-early"}),
        ([1, 2], {"settled_at": at(50)}, {"digest-late"}),
        ([1, 2], {"due_at": at(60), "closed_at": at(61), "settled_at": at(62)}, {"digest-long"}),
        ([1, 2], {"due_at": at(20)}, {"digest-short", "digest-late"}),
        ([1, 2], {"notification_ids": None}, {"digest-unsent", "unlike-matches"}),
        ([1, 2], {"closed_at": at(9), "max_items": 2}, {"item-late", "digest-late"}),
    ],
)
def test_an_item_is_in_one_digest_that_is_sent_in_time(
    items: Sequence[int], row: Mapping[str, Any], found: set[str]
) -> None:
    assert gathered(items, **row).kinds == found


def test_what_was_taken_back_is_in_no_digest() -> None:
    told = gathered()
    told.event(3, "remark.withdrawn", OPENED_S + 5, key="k2")
    assert told.kinds == {"item-kept"}

    told = gathered([1])
    told.event(3, "remark.withdrawn", OPENED_S + 5, key="k2")
    assert told.kinds == set()


def test_an_event_is_stored_once_and_looked_at_by_its_rule() -> None:
    told = gathered()
    told.ended.matches.pop()
    assert told.kinds == {"unmatched", "counts"}

    told = gathered()
    told.ended.publications[0].told.append(str(UUID(int=5)))
    assert told.kinds == {"event-lost"}

    told = gathered()
    told.ended.events.append({**told.ended.events[0], "id": UUID(int=6).hex})
    assert "event-doubled" in told.kinds


def test_what_the_broker_took_is_stored_and_what_is_no_event_is_refused() -> None:
    told = gathered()
    told.ended.publications[0].is_taken = True
    told.ended.junk.append("no event")
    told.ended.refused_events.append("no event")
    assert told.kinds == set()

    told.ended.refused_events[:] = ["an event"]
    assert told.kinds == {"junk-lost", "event-refused"}

    told = gathered()
    told.ended.publications.append(Publication({"id": "e9", "type": "like.given"}, OPENED_S))
    told.ended.publications[-1].is_taken = True
    assert told.kinds == {"event-lost"}


def test_a_throttle_lets_so_many_through_in_each_span() -> None:
    let, held = "matched", "throttled"

    assert visited((10, let), (11, let), (12, held), (26, let)).kinds == set()
    assert visited((10, let), (11, let), (12, let)).kinds == {"throttle"}
    assert visited((10, let), (11, held)).kinds == {"throttle"}
    assert visited((10, let), (11, let), (25.1, let), (26, let), (27, let)).kinds == set()


def test_what_was_pending_when_it_was_taken_back_does_not_go_on() -> None:
    assert ordered(("accept", 10), ("cancel", 15)).kinds == set()
    first = (("accept", 10), ("claim", 14), ("retry", 16), ("claim", 30))
    assert ordered(*first, message=0).kinds == set()
    assert ordered(("accept", 10), ("claim", 20)).kinds == {"not-taken-back", "undelayed"}
    assert ordered(("accept", 10), ("claim", 31)).kinds == {"not-taken-back"}


def test_what_a_rule_made_is_named_by_its_match() -> None:
    told = visited((10, "matched"))
    told.ended.records.append({**told.ended.records[0], "id": UUID(int=7).hex})
    assert told.kinds == {"unlike-matches"}

    told = visited((10, "matched"))
    told.ended.records.clear()
    assert told.kinds == {"unlike-matches", "lost"}


def test_for_one_key_a_rule_is_carried_out_once() -> None:
    told = gathered()
    told.ended.matches[1] = {**told.ended.matches[1], "key": "k1"}

    assert told.kinds == {"key-carried-out"}
