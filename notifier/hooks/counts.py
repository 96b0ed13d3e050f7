"""How often hooks were told of what, and how that went: for the metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from notifier.hooks.moments import Moment


class Result(StrEnum):
    """How a call went."""

    DONE = "done"
    FAILED = "failed"
    """It raised."""
    LATE = "late"
    """It took longer than it may; if it was a coroutine, it was cancelled."""
    DROPPED = "dropped"
    """It was not made: too many waited for calls before it."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of one hook at one moment that went alike."""

    hook: str
    moment: Moment
    result: Result


class HookCounts(Protocol):
    """Counts of all processes together."""

    async def add(self, counts: Mapping[Calls, int]) -> None:
        """Count these as well."""

    async def all(self) -> Mapping[Calls, int]:
        """Return what was counted since the database was made."""
