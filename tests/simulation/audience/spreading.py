"""What must hold of broadcasts: each member once, nobody else, and counts that say so."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from notifier.broadcasts.broadcast import State
from notifier.notification.feed import ACCEPT
from notifier.notification.model import Status
from notifier.notification.transitions import SUPPRESS
from tests.simulation.audience.deciding import Letter
from tests.simulation.audience.past import Moment, Past
from tests.simulation.audience.people import LETTER_CATEGORY
from tests.simulation.ended import Ended
from tests.simulation.epoch import since_s

# SQLite keeps times to the millisecond.
_EXACT_S = 0.002


@dataclass(frozen=True)
class Spread:
    """A broadcast, and what came of it."""

    row: Mapping[str, Any]
    records: Sequence[Mapping[str, Any]]
    past: Past

    @property
    def id(self) -> UUID:
        """Its own."""
        return UUID(self.row["id"])

    @property
    def counts(self) -> Mapping[str, Any]:
        """What it says of itself."""
        counts: Mapping[str, Any] = json.loads(self.row["counts"])
        return counts

    @cached_property
    def moments(self) -> Sequence[Moment]:
        """While it was under way."""
        return self.past.between(self.started_s, since_s(self.row["finished_at"]))

    @property
    def started_s(self) -> float:
        """When it was looked at for the first time, or made."""
        return since_s(self.row["started_at"] or self.row["created_at"])

    def letter(self, record: Mapping[str, Any]) -> Letter:
        """What one of them gets."""
        row = self.row
        return Letter(record["user_id"], row["channel"], row["lane"], LETTER_CATEGORY, None)

    def may_have_none(self, user_id: str) -> bool:
        """Whether there was, at any time, nobody to tell, or nowhere to."""
        letter = self.letter({"user_id": user_id})
        excluded = json.loads(self.row["excluded"])
        return user_id in excluded or any(letter.address(each) is None for each in self.moments)


def spreads(ended: Ended) -> Iterator[Spread]:
    """All broadcasts that ended."""
    for row in ended.broadcasts:
        if row["finished_at"] is not None:
            records = [each for each in ended.records if each["broadcast_id"] == row["id"]]
            yield Spread(row, records, ended.past)


def about_broadcasts(ended: Ended) -> Iterator[str]:
    """What is wrong with them."""
    for spread in spreads(ended):
        yield from _about_who_was_told(spread)
        yield from _about_counts(spread, _refused_at_once(ended, spread))


def _about_who_was_told(spread: Spread) -> Iterator[str]:
    told = Counter(record["user_id"] for record in spread.records)
    yield from (
        f"told-twice: {user_id} was told {count} times of {spread.id}"
        for user_id, count in told.items()
        if count > 1
    )
    for record in spread.records:
        yield from _about_one(spread, record)
    if spread.row["state"] != State.DONE:
        return
    for user_id in _steady(spread.moments) - set(told):
        if not spread.may_have_none(user_id):
            yield f"missed: {user_id} was a member all the time, and not told of {spread.id}"


def _about_one(spread: Spread, record: Mapping[str, Any]) -> Iterator[str]:
    user_id, made_s = record["user_id"], since_s(record["created_at"])
    until_then = spread.past.between(spread.started_s - _EXACT_S, made_s + _EXACT_S)
    if not any(user_id in each.members for each in until_then):
        yield f"no-member: {user_id} was told of {spread.id}"
    if user_id in json.loads(spread.row["excluded"]):
        yield f"no-member: {user_id} was told of {spread.id}, and was to be left out"
    then = spread.past.between(made_s - _EXACT_S, made_s + _EXACT_S)
    if not any(each.broadcasts.get(spread.row["id"]) == State.EXPANDING for each in then):
        yield f"strayed: {user_id} was told of {spread.id} at {made_s:.3f}, when that was stopped"


def _steady(moments: Sequence[Moment]) -> set[str]:
    """Who was a member all the time."""
    return set.intersection(*(set(each.members) for each in moments))


def _about_counts(spread: Spread, refused: int) -> Iterator[str]:
    counts = spread.counts
    fates = ("accepted", "unknown", "without_address", "failed", "excluded", "repeated")
    suppressed = sum(counts["suppressed"].values())
    cancelled = sum(record["status"] == Status.CANCELLED for record in spread.records)
    said = {
        "members": (counts["members"], sum(counts[fate] for fate in fates) + suppressed),
        "accepted": (counts["accepted"], len(spread.records) - refused),
        "suppressed": (suppressed, refused),
        "cancelled": (counts["cancelled"], cancelled),
        "repeated or failed": (counts["repeated"] + counts["failed"], 0),
    }
    for what, (count, real) in said.items():
        if count != real:
            yield f"counts: {spread.id} says {count} {what}, and there are {real}"
    if spread.row["state"] == State.DONE:
        yield from _about_members(spread)


def _about_members(spread: Spread) -> Iterator[str]:
    least = len(_steady(spread.moments))
    most = len(set.union(*(set(each.members) for each in spread.moments)))
    if not least <= spread.counts["members"] <= most:
        yield (
            f"counts: {spread.id} says {spread.counts['members']} members,"
            f" and there were {least} to {most}"
        )


def _refused_at_once(ended: Ended, spread: Spread) -> int:
    """How many were not accepted to be sent at all."""
    ids = {record["id"] for record in spread.records}
    accepted_s: dict[str, float] = {}
    refused = 0
    for row in ended.timeline:
        id = row["notification_id"]
        if id not in ids:
            continue
        if row["event"] == ACCEPT:
            accepted_s[id] = since_s(row["at"])
        elif row["event"] == SUPPRESS.name and not row["attempt"]:
            refused += since_s(row["at"]) - accepted_s[id] < _EXACT_S
    return refused
