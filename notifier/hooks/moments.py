"""When hooks are told of a notification, and what they are told: never whom it is for or its words.

A hook is any object, such as a module, that has functions of these names: `accepted`,
`before_send`, `after_outcome`, `final`; each takes one value, and what it returns does not matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Moment(StrEnum):
    """When a hook is told; its function is called the same."""

    ACCEPTED = "accepted"
    BEFORE_SEND = "before_send"
    AFTER_OUTCOME = "after_outcome"
    FINAL = "final"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A notification was accepted, at `at` (aware UTC); what became of it is not known yet."""

    id: UUID
    service: str
    channel: str | None
    """email, sms or in_app; None if nothing but its timeline is left by now."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A provider is being handed a notification since `at`; an attempt may ask several."""

    id: UUID
    service: str
    channel: str
    lane: str
    attempt: int
    provider: str
    metadata: Mapping[str, str]
    """As its service sent it."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Sending):
    """What came of it: the provider answered, or the call was ended."""

    outcome: str
    """sent, transient, permanent, systemic or unknown."""
    code: str | None
    """Why it was not sent; None if it was."""
    provider_id: str | None
    """What the provider calls it, if it was sent."""
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """A notification has got a final status: sent, and perhaps delivered or bounced after that."""

    id: UUID
    service: str
    channel: str | None
    status: str
    attempt: int
    provider: str | None
    at: datetime
