"""Caps: how many somebody gets in a span of time, counted as they are handed over."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifier.audience.category import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class CapUse:
    """One of the `limit` that somebody may get from when `slot` begins until the next does."""

    service: str
    user_id: str
    cap: str
    """What is counted: a category and a channel."""
    slot: datetime
    limit: int
    per: Span


class CapStore(Protocol):
    """Counts, for each person, cap and slot; forgets those of slots that are long over."""

    async def spend(self, use: CapUse, notification_id: UUID) -> bool:
        """Take one for a notification, once however often it is asked for; False: none is left.

        It is not given back.
        """

    async def used(self, use: CapUse) -> int:
        """How many were taken."""

    async def purge(self) -> int:
        """Forget what was counted in slots that nothing counts in any more; returns how many."""
