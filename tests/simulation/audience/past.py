"""What the database said of people at any time of a world."""

import json
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, TypeAlias

from notifier.audience.choices import Place
from tests.simulation.audience.people import CATEGORIES

WATCHED = frozenset(
    {
        "recipients",
        "recipient_addresses",
        "recipient_aliases",
        "suppressions",
        "topic_members",
        "broadcasts",
        "categories",
        "quiet_hour_defaults",
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
_DEFAULTS = "SELECT key, defaults FROM categories"
_HOURS = "SELECT quiet_hours FROM quiet_hour_defaults"
_FRESH_S = 15.0
"""For how long a process may go by what its service declared before."""

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


def _off_at_first() -> frozenset[tuple[str, str]]:
    return frozenset(
        (each.key, str(channel))
        for each in CATEGORIES
        for channel, is_on in each.defaults.items()
        if not is_on
    )


@dataclass(frozen=True, slots=True)
class Declared:
    """What the service says for all its people."""

    off: frozenset[tuple[str, str]] = field(default_factory=_off_at_first)
    """What is off for who chose nothing: categories, and over which channels."""
    quiet: Mapping[str, Any] | None = None
    """The hours of who has none."""


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
    declared: Declared = field(default_factory=Declared)

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
            _declared(query),
        )
        if not self.moments or not moment.is_as(self.moments[-1]):
            self.moments.append(moment)

    def between(self, from_s: float, to_s: float) -> Sequence[Moment]:
        """How it was at any time between these."""
        times = [moment.at_s for moment in self.moments]
        first = max(bisect_right(times, from_s) - 1, 0)
        return self.moments[first : bisect_right(times, to_s)]

    def seen(self, from_s: float, to_s: float) -> Sequence[Moment]:
        """How a process may have seen it between these: what is declared, as it was a while ago."""
        declared: list[Declared] = []
        for each in self.between(from_s - _FRESH_S, to_s):
            if each.declared not in declared:
                declared.append(each.declared)
        moments = product(self.between(from_s, to_s), declared)
        return [replace(moment, declared=each) for moment, each in moments]


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


def _declared(query: Query) -> Declared:
    defaults = ((key, json.loads(text)) for key, text in query(_DEFAULTS))
    hours = [json.loads(text) for (text,) in query(_HOURS)]
    return Declared(
        frozenset(
            (key, channel) for key, each in defaults for channel, on in each.items() if not on
        ),
        hours[0] if hours else None,
    )


def _choices(text: str | None) -> Mapping[Place, bool]:
    held: Mapping[str, Mapping[str, bool]] = json.loads(text or "{}")
    return {(key, channel): on for key, each in held.items() for channel, on in each.items()}


def query_of(file: sqlite3.Connection) -> Query:
    """Ask a database from outside."""
    return lambda query: file.execute(query).fetchall()
