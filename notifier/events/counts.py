"""How often what became of events, of rules and of digests: for the metrics."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

import structlog

from notifier.errors import NotifierError
from notifier.events.event import Outcome

log = structlog.get_logger(__name__)


class Taking(StrEnum):
    """What an event that is taken is."""

    STORED = "stored"
    REPEATED = "repeated"
    """It was stored before."""


class Refusal(StrEnum):
    """Why an event is refused."""

    INVALID = "invalid"
    """It is no event, or larger than one may be."""
    DIFFERENT = "different"
    """Another one with its source and id was stored before."""
    UNOWNED = "unowned"
    """Nobody says whose it is."""
    FAILED = "failed"
    """The database refuses a value of it, or there is a defect."""


class Ending(StrEnum):
    """What a digest comes to."""

    SENT = "sent"
    EMPTY = "empty"
    """All that was in it was taken back."""
    FAILED = "failed"
    """Nothing can be sent of it."""


Countable: TypeAlias = Taking | Refusal | Outcome | Ending


@dataclass(frozen=True, slots=True, order=True)
class Counted:
    """What is counted."""

    what: str
    outcome: str

    @classmethod
    def of(cls, countable: Countable) -> "Counted":
        """Return what this is counted as."""
        return cls(_WHAT[type(countable)], countable.value)


_WHAT: Mapping[type[StrEnum], str] = {
    Taking: "events",
    Refusal: "refused",
    Outcome: "matches",
    Ending: "digests",
}


class EventCounts(Protocol):
    """Counts of all processes together."""

    async def add(self, counts: Mapping[Counted, int]) -> None:
        """Count these as well."""

    async def all(self) -> Mapping[Counted, int]:
        """Return what was counted since the database was made."""


class Tally:
    """Counts in this process, and writes that down when it is asked to."""

    def __init__(self, counts: EventCounts) -> None:
        self._counts = counts
        self._unwritten: Counter[Counted] = Counter()

    def count(self, countable: Countable, times: int = 1) -> None:
        """Count what has happened."""
        self._unwritten[Counted.of(countable)] += times

    async def write(self) -> None:
        """Write down what was counted since the last time; what cannot be is kept for the next."""
        taken, self._unwritten = self._unwritten, Counter()
        if not taken:
            return
        try:
            await self._counts.add(taken)
        except NotifierError as error:
            self._unwritten += taken
            log.warning("events.uncounted", error=type(error).__name__)
