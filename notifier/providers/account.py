"""Provider accounts as all workers share them: their breakers, pauses and paces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from notifier.idempotency import Applied, Idempotency, KeyReused, Remembered

ProviderWord: TypeAlias = Literal["closed", "open", "paused", "throttled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderState:
    """Whether a provider account may be asked, as all workers share it.

    `closed_for_s` is how long its breaker still keeps it from being asked, by the database's
    clock at the time of reading: 0 while it may be asked, and when a probe is due. `opened_at`
    is None while the breaker is closed (traffic flows).
    """

    name: str
    is_paused: bool
    """By an operator: until somebody resumes it."""
    opened_at: datetime | None
    closed_for_s: float
    reason: str | None
    trips: int
    """How often in a row its breaker opened without a success in between."""

    @property
    def word(self) -> ProviderWord:
        """What keeps it from being asked; closed (its breaker lets traffic through) if nothing."""
        if self.is_paused:
            return "paused"
        if self.opened_at is not None:
            return "open"
        return "throttled" if self.closed_for_s > 0 else "closed"

    @property
    def may_be_asked(self) -> bool:
        """Whether a worker may call it now, be it for a probe."""
        return not self.is_paused and self.closed_for_s <= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOff:
    """Notifications that wait since this provider refused us, or because its breaker is open."""

    provider: str
    count: int
    oldest_s: float
    """Since the oldest of them was accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a provider answered in the last seconds: how often, and how fast on average."""

    provider: str
    within_s: int
    sent: int
    failed: int
    mean_s: float | None
    """From the beginning of an attempt to its end, its wait for a turn included."""


LATELY_S = (300, 3_600)
"""What is told of the last while, in seconds."""


class ProviderStore(Protocol):
    """The breakers and the pace of provider accounts. All times are the database's own."""

    async def states(self) -> Sequence[ProviderState]:
        """All accounts that ever were in trouble, paused or paced."""

    async def put_off(self) -> Sequence[PutOff]:
        """What waits for a systemic reason, for each provider that has any.

        Looks at the first ten thousand that wait for a time, and that are queued: cheap however
        much there is, and too low where there is more.
        """

    async def answered(self) -> Sequence[Answered]:
        """What each provider that was asked answered within each of `LATELY_S`.

        Looks at the newest 20,000 entries of timelines: cheap however many there are, and too low
        where there were more within that time.
        """

    async def open(self, name: str, *, reason: str, for_s: float) -> None:
        """Open the breaker; counts a trip if it was closed or being probed."""

    async def throttle(self, name: str, *, for_s: float) -> None:
        """Let nobody ask for so long, as the provider wished; its breaker stays as it is."""

    async def probe(self, name: str, *, lease_s: float) -> bool:
        """Take the one right to try an open provider whose time has come."""

    async def release(self, name: str, *, for_s: float) -> None:
        """Give the right to probe back: the next may take it in `for_s`. Counts no trip."""

    async def close(self, name: str) -> None:
        """Close the breaker: it works again. An operator's pause stays."""

    async def pause(
        self, name: str, *, reason: str, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused:
        """Keep it from being asked until `resume`."""

    async def resume(
        self, name: str, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused:
        """End an operator's pause, and close the breaker."""

    async def reserve(self, name: str, *, rate_per_s: float, patience_s: float) -> float | None:
        """Take the account's next turn: seconds until it comes, or None if beyond `patience_s`.

        Turns are evenly spaced over all callers in all processes.
        """
