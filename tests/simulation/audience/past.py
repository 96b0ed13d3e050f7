"""What the database said of people at any time of a world."""

import json
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from notifier.audience.choices import Place

WATCHED = frozenset(
    {
        "recipients",
        "recipient_addresses",
        "recipient_aliases",
        "suppressions",
        "topic_members",
        "broadcasts",
    }
)
"""The tables that say something of people."""
_PEOPLE = "SELECT user_id, time_zone, choices, quiet_hours FROM recipients"
_ADDRESSES = """
SELECT user_id, channel, coalesce(address_as_written, address)
FROM recipient_addresses WHERE is_primary
"""
_ALIASES = "SELECT alias, user_id FROM recipient_aliases"
_LISTED = "SELECT channel, recipient, category, reason FROM suppressions"
_MEMBERS = "SELECT user_id FROM topic_members"
_BROADCASTS = "SELECT id, state FROM broadcasts"

Query: TypeAlias = Callable[[str], Sequence[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person, as the database had them."""

    zone: str | None
    choices: Mapping[Place, bool]
    quiet: Mapping[str, Any] | None
    addresses: Mapping[str, str]
    """The primary one of each channel."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of the suppression list; an empty category is all."""

    channel: str
    recipient: str
    category: str
    reason: str


@dataclass(frozen=True, slots=True)
class Moment:
    """How it was from a time on."""

    at_s: float
    people: Mapping[str, Somebody]
    listed: frozenset[Listed]
    members: frozenset[str] = frozenset()
    """Of the topic."""
    broadcasts: Mapping[str, str] = field(default_factory=dict)
    """The state of each."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Ids from before a merge, and who stayed."""

    def somebody(self, user_id: str) -> Somebody | None:
        """Whom an id leads to; None if it leads to nobody."""
        return self.people.get(self.aliases.get(user_id, user_id))

    def is_as(self, other: "Moment") -> bool:
        """Whether nothing was changed between them."""
        return replace(self, at_s=other.at_s) == other


@dataclass(slots=True)
class Past:
    """Moments in their order."""

    moments: list[Moment] = field(default_factory=list)

    def note(self, at_s: float, query: Query) -> None:
        """Keep how it is now."""
        moment = Moment(
            at_s,
            _people(query),
            frozenset(Listed(*row) for row in query(_LISTED)),
            frozenset(user_id for (user_id,) in query(_MEMBERS)),
            dict(query(_BROADCASTS)),
            dict(query(_ALIASES)),
        )
        if not self.moments or not moment.is_as(self.moments[-1]):
            self.moments.append(moment)

    def between(self, from_s: float, to_s: float) -> Sequence[Moment]:
        """How it was at any time between these."""
        times = [moment.at_s for moment in self.moments]
        first = max(bisect_right(times, from_s) - 1, 0)
        return self.moments[first : bisect_right(times, to_s)]


def _people(query: Query) -> Mapping[str, Somebody]:
    addresses: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for user_id, channel, address in query(_ADDRESSES):
        addresses[user_id][channel] = address
    return {
        user_id: Somebody(
            zone,
            _choices(choices),
            json.loads(quiet) if quiet else None,
            addresses.get(user_id, {}),
        )
        for user_id, zone, choices, quiet in query(_PEOPLE)
    }


def _choices(text: str | None) -> Mapping[Place, bool]:
    held: Mapping[str, Mapping[str, bool]] = json.loads(text or "{}")
    return {(key, channel): on for key, each in held.items() for channel, on in each.items()}


def query_of(file: sqlite3.Connection) -> Query:
    """Ask a database from outside."""
    return lambda query: file.execute(query).fetchall()
