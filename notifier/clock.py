"""The clock."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time for measuring and for judging what others say of it, never for leases or due times."""

    def now(self) -> datetime:
        """The current time, aware, UTC."""

    def monotonic_s(self) -> float:
        """Seconds that only ever grow."""
