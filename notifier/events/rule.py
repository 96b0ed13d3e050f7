"""A rule: what a service's team wants to be sent when something has happened."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from notifier.audience.quiet_hours import WEEKDAYS
from notifier.content.template import TemplateRef
from notifier.notification.model import Channel, Lane
from notifier.notification.origin import Condition

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
MAX_STEPS = 20
MAX_PEOPLE = 100
"""Whom one event may tell by one rule; more are for a topic."""
_NAME = re.compile(NAME_PATTERN[:-1] + r"\Z", re.ASCII)
_ANY = ".*"


def is_rule_name(text: str) -> bool:
    """Whether a rule may be called that: it stands in paths."""
    return _NAME.match(text) is not None


def is_prefix(pattern: str) -> bool:
    """Whether a rule is on all types that begin so, and not on one."""
    return pattern.endswith(_ANY)


def is_of_type(pattern: str, type: str) -> bool:
    """Whether an event's type is this one, or with `.*` at its end one of these."""
    if is_prefix(pattern):
        return type.startswith(pattern[:-1])
    return type == pattern


class First(StrEnum):
    """What becomes of the event that opens a digest."""

    WAIT = "wait"
    """It is the first item."""
    SEND = "send"
    """It is sent at once; the digest is of what follows."""


@dataclass(frozen=True, slots=True)
class WallTime:
    """When clocks show `at` next: in a time zone, or with None in the recipient's own."""

    at: time
    zone: str | None = None
    weekdays: frozenset[str] = frozenset(WEEKDAYS)


@dataclass(frozen=True, slots=True)
class Moment:
    """When an expression says, as RFC 3339 has it; at once if that is past."""

    expression: str


@dataclass(frozen=True, slots=True)
class Lasting:
    """So many seconds from now."""

    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One template, over each of these channels."""

    channels: Sequence[Channel]
    template: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """Expressions, besides the rule's."""
    expires_in_s: int | None = None
    """From when it is due: later it is of no use."""
    is_sensitive: bool = False
    """Whether its content is erased once it is sent."""

    @property
    def ref(self) -> TemplateRef:
        """The template, as it is published when the step is carried out."""
        return TemplateRef(self.template)


@dataclass(frozen=True, slots=True)
class Delay:
    """What follows waits."""

    until: Lasting | WallTime | Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """What follows is of several events: those of the rule, person and key until its end."""

    key: str | None
    """An expression; None: all are of one digest."""
    until: Lasting | WallTime
    max_items: int | None = None
    first: First = First.WAIT


@dataclass(frozen=True, slots=True)
class Skip:
    """What follows is not sent if that is so by then, or once that event came with the key."""

    condition: Condition | None = None
    event: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What follows is for one person so often in so many seconds, and not oftener."""

    count: int
    per_s: int
    key: str | None = None
    """An expression: each has a count of its own."""


Step: TypeAlias = Send | Delay | Collect | Skip | Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is sent to whom when an event comes of the type `on`, or with `.*` of such types.

    `when`, `to`, `key` and the values of `variables` are expressions.
    """

    on: str
    to: str
    steps: Sequence[Step]
    when: str | None = None
    key: str | None = None
    """What it is carried out once for, for each person, and cancelled by."""
    cancelled_by: Sequence[str] = ()
    """Types of events that take back what is pending, by the same key."""
    variables: Mapping[str, str] = field(default_factory=dict)
    lane: Lane = Lane.NORMAL
    category: str | None = None
    """What people choose by, instead of the templates' own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVersion:
    """A rule as it was published; it never changes."""

    id: UUID
    service: str
    name: str
    number: int
    rule: Rule
