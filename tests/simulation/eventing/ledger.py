"""What the database says of events at the end of a world."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from notifier.events.event import Outcome
from tests.simulation.audience.deciding import Letter
from tests.simulation.audience.erasing import is_erased
from tests.simulation.audience.people import LETTER_CATEGORY
from tests.simulation.ended import Ended
from tests.simulation.epoch import since_s
from tests.simulation.eventing.rules import RULES, Rule
from tests.simulation.eventing.story import Publication

NEAR_S = 0.2
"""Of two things so near each other in time either may have been the first."""


@dataclass(frozen=True)
class Happened:
    """An event that is stored, and what was published."""

    row: Mapping[str, Any]
    publication: Publication

    @property
    def type(self) -> str:
        """What happened."""
        return str(self.row["type"])

    @property
    def data(self) -> Mapping[str, Any]:
        """What was said of it."""
        data: Mapping[str, Any] = self.publication.event["data"]
        return data

    @property
    def key(self) -> str:
        """What it is known by to rules."""
        return str(self.data["key"])

    @cached_property
    def at_s(self) -> float:
        """When it was taken."""
        return since_s(self.row["received_at"])

    def is_near(self, at_s: float) -> bool:
        """Whether it was taken just before or after that."""
        return abs(self.at_s - at_s) <= NEAR_S


@dataclass(frozen=True)
class Match:
    """What a rule made of an event."""

    row: Mapping[str, Any]
    event: Happened

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.row['rule']} for {self.event.row['event_id']}"

    @property
    def rule(self) -> Rule:
        """The rule."""
        return RULES[self.row["rule"]]

    @property
    def whose(self) -> tuple[str, str]:
        """Of which rule, for whom."""
        return self.row["rule"], self.row["person"]

    @property
    def outcome(self) -> Outcome:
        """What came of it."""
        return Outcome(self.row["outcome"])

    @cached_property
    def ids(self) -> Sequence[str]:
        """Of the notifications that it made itself, without dashes."""
        return ids_of(self.row)


@dataclass(frozen=True)
class Digest:
    """A digest, and what is in it."""

    row: Mapping[str, Any]
    items: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        """In words."""
        return f"digest {UUID(self.row['id'])}"

    @property
    def rule(self) -> Rule:
        """Whose it is."""
        return RULES[self.row["rule"]]

    @cached_property
    def closed_s(self) -> float:
        """From when on it took nothing more."""
        return since_s(self.row["closed_at"])

    @cached_property
    def settled_s(self) -> float:
        """When it was sent."""
        return since_s(self.row["settled_at"])

    @cached_property
    def ids(self) -> Sequence[str]:
        """Of what was sent, without dashes."""
        return ids_of(self.row)

    @property
    def words(self) -> str:
        """What it says."""
        numbers = (json.loads(each["data"])["number"] for each in self.items)
        return f"{len(self.items)}:" + "".join(f" {number}" for number in numbers)


def ids_of(row: Mapping[str, Any]) -> Sequence[str]:
    """Return the ids of a row's notifications, as their table has them."""
    return [UUID(each).hex for each in json.loads(row["notification_ids"] or "[]")]


@dataclass(frozen=True)
class Ledger:
    """All of it, found by what it is looked for."""

    ended: Ended

    @cached_property
    def publications(self) -> Mapping[str, Publication]:
        """By the ids that their publishers gave them."""
        return {each.event["id"]: each for each in self.ended.publications}

    @cached_property
    def events(self) -> Mapping[str, Happened]:
        """Those that somebody published, by their ids here; nothing is known of what was erased."""
        return {
            row["id"]: Happened(row, self.publications[row["event_id"]])
            for row in self.ended.events
            if row["event_id"] in self.publications and row["data"] is not None
        }

    @cached_property
    def matches(self) -> Sequence[Match]:
        """In the order of their events."""
        rows = sorted(self.ended.matches, key=lambda row: (row["event_id"], row["nth"]))
        return [
            Match(row, self.events[row["event_id"]])
            for row in rows
            if row["event_id"] in self.events
        ]

    @cached_property
    def digests(self) -> Mapping[str, Digest]:
        """Those that were sent, or not for a reason; by their ids."""
        items: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for item in sorted(self.ended.digest_items, key=lambda row: str(row["event_id"])):
            items[item["digest_id"]].append(item)
        return {
            row["id"]: Digest(row, items[row["id"]])
            for row in self.ended.digests
            if row["settled_at"] is not None
        }

    @cached_property
    def records(self) -> Mapping[str, Mapping[str, Any]]:
        """Of the notifications that rules made, by their ids."""
        return {
            row["id"]: row
            for row in self.ended.records
            if row["rule"] is not None and not is_erased(row)
        }

    @cached_property
    def by_key(self) -> Mapping[tuple[str, str], Sequence[Happened]]:
        """The events of a type and key."""
        found: defaultdict[tuple[str, str], list[Happened]] = defaultdict(list)
        for each in self.events.values():
            found[each.type, each.key].append(each)
        return found

    def taking_back(
        self, rule: Rule, key: str | None, kept_back_by: str | None
    ) -> Iterator[Happened]:
        """Return the events that take back what a rule made for a key."""
        if key is not None:
            for type in (*rule.cancelled_by, *([kept_back_by] if kept_back_by else ())):
                yield from self.by_key.get((type, key), ())


def made_by_rules(ended: Ended) -> Mapping[UUID, tuple[Letter, float, float]]:
    """What rules made for people: each letter, since when it was looked at, and when it is due."""
    ledger = Ledger(ended)
    if not ended.publications:
        return {}
    made: dict[UUID, tuple[Letter, float, float]] = {}
    for match in ledger.matches:
        for id in match.ids:
            if row := ledger.records.get(id):
                late_s = match.rule.delay_s if row["channel"] == match.rule.sends[-1] else 0
                due_s = since_s(row["created_at"]) + late_s
                made[UUID(id)] = (_letter(row), match.event.publication.asked_s, due_s)
    for digest in ledger.digests.values():
        for id in digest.ids:
            if row := ledger.records.get(id):
                made[UUID(id)] = (_letter(row), digest.closed_s, digest.settled_s)
    return made


def _letter(row: Mapping[str, Any]) -> Letter:
    category = RULES[row["rule"]].category or LETTER_CATEGORY
    return Letter(row["user_id"], row["channel"], row["lane"], category, None)
