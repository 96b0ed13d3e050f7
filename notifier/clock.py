"""The clock: what time it is, and how much has passed."""

from datetime import UTC, datetime
from time import monotonic
from typing import Protocol


class Clock(Protocol):
    """Time for measuring and for judging what others say of it, never for leases or due times."""

    def now(self) -> datetime:
        """The current time, aware, UTC."""

    def monotonic_s(self) -> float:
        """Seconds that only ever grow."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The current time, aware, UTC."""
        return datetime.now(UTC)  # noqa: TID251  this is the Clock

    def monotonic_s(self) -> float:
        """Seconds that only ever grow."""
        return monotonic()
