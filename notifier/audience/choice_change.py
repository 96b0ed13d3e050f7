"""What becomes of choices, noted with each change: what was chosen, when, and how."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Source(StrEnum):
    """How a choice came to be made."""

    ONE_CLICK = "one_click"
    """In a mail program, by the button that unsubscribes."""
    PAGE = "page"
    """On the page that a link leads to."""
    API = "api"
    """By the service."""
    PROVIDER = "provider"
    """At a provider, which told of it."""
    STOP = "stop"
    """By an SMS in answer."""
    COMPLAINT = "complaint"
    MERGE = "merge"
    """By whoever turned out to be the same person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceChange:
    """A choice that was made or taken back by somebody: who has a user id, or an address alone.

    `category` and `channel` may be any (`ANY`); `recipient` is as it is compared; `is_on` None
    leaves it to what the service declared.
    """

    service: str
    category: str
    channel: str
    is_on: bool | None
    source: Source
    user_id: str | None = None
    recipient: str | None = None
    notification_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedChange(ChoiceChange):
    """A change, and when it was made; `id` counts up."""

    id: int
    at: datetime


class ChoiceHistory(Protocol):
    """What became of people's choices."""

    async def of(
        self, service: str, user_id: str, *, limit: int, before: int | None
    ) -> Sequence[NotedChange]:
        """The newest first; `before` is the id of the last one seen."""
