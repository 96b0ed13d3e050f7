"""Where a notification comes from, if a rule made it, and what may keep it back."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Condition(StrEnum):
    """What may have become of an earlier notification, so that another is not sent."""

    READ = "read"
    """Its recipient has seen it in their inbox."""
    DELIVERED = "delivered"
    """Its provider says that it arrived."""


@dataclass(frozen=True, slots=True)
class Unless:
    """It is not sent if that has become of this notification by then."""

    id: UUID
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The rule that made a notification, and what takes it back."""

    rule: str
    key: str | None = None
    """By which it is cancelled."""
    unless: Unless | None = None
    unless_event: str | None = None
    """A type of event that takes it back, by its key."""
