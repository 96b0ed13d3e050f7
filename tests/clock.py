"""A clock for tests that need the real time."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The process's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()
