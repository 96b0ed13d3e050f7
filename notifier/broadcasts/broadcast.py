"""A broadcast: one template to everybody whom a topic, or the directory, holds."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, JsonValue, Lane

MAX_EXCLUDED = 1_000
MAX_RATE_PER_S = 10_000
MOST_SAVED_S = 2.0
"""How much of its rate a broadcast may not have used, and make up for."""
_HASH_BYTES = 10
_LOW_BITS = 62


class State(StrEnum):
    """Where a broadcast stands."""

    SCHEDULED = "scheduled"
    """It waits for its `send_at`."""
    EXPANDING = "expanding"
    """Its members become notifications."""
    PAUSED = "paused"
    DONE = "done"
    """Every member was looked at."""
    CANCELLED = "cancelled"
    """No more members are looked at, and what is not sent yet is cancelled."""


UNDER_WAY = (State.SCHEDULED, State.EXPANDING, State.PAUSED)
"""What can be stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Who is told: the members of a topic, else all of the directory who have these attributes."""

    topic: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    excluded: frozenset[str] = frozenset()
    zone: str | None = None
    """Of a topic's, only those who have this time zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of the members that were looked at; all but `cancelled` add up to `members`."""

    members: int = 0
    accepted: int = 0
    suppressed: Mapping[str, int] = field(default_factory=dict)
    """By the code of the reason."""
    unknown: int = 0
    """Not in the directory."""
    without_address: int = 0
    """Of the channel."""
    failed: int = 0
    """The template cannot be filled for them."""
    excluded: int = 0
    repeated: int = 0
    """Another member is the same person."""
    cancelled: int = 0
    """Of those accepted, with the broadcast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """One template to many people."""

    id: UUID
    """A UUIDv7."""
    service: str
    channel: Channel
    lane: Lane
    template: str
    version_id: UUID
    """What is sent, whatever is published later."""
    whom: Whom
    variables: Mapping[str, JsonValue]
    rate_per_s: int | None = None
    send_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBroadcast(Broadcast):
    """A broadcast, and how far it is."""

    state: State
    counts: Counts
    fault: str | None
    """Why the template could not be filled, for the last of whom it could not."""
    cursor: str
    """The user id of the last member that was looked at."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A broadcast whose next members are to be looked at, by whoever took the turn."""

    broadcast: StoredBroadcast
    waiting: int
    """How many of its service's notifications wait for its queue, counted up to a limit."""
    paced_s: float
    """How long ago its rate was spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """What became of the next members: to be recorded at once, or not at all.

    `counts` are the broadcast's with these, but for what the store finds out: who is accepted,
    repeated or on the suppression list.
    """

    broadcast: StoredBroadcast
    submissions: Sequence[Submission]
    counts: Counts
    cursor: str
    is_last: bool
    fault: str | None
    spent_s: float = 0.0
    """Of its rate."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The broadcast is past that; nothing was changed."""

    state: State


class BroadcastStore(Protocol):
    """Broadcasts, as their services see them."""

    async def accept(
        self, broadcast: Broadcast, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused:
        """Store it; it is looked at from its `send_at` on."""

    async def get(self, id: UUID, *, service: str | None) -> StoredBroadcast | NotFound:
        """Return one of the service's, or of any."""

    async def list(
        self, *, service: str | None, limit: int, after: UUID | None
    ) -> Sequence[StoredBroadcast]:
        """The newest first; `after` is the last one seen."""

    async def move(
        self,
        id: UUID,
        to: State,
        *,
        service: str | None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | Refused | NotFound:
        """Pause, resume (to EXPANDING) or cancel it; what is so already stays so."""

    async def under_way(self) -> Mapping[State, int]:
        """Return how many of all services have not ended, by state."""


class Expansion(Protocol):
    """What becoming notifications asks of the database. Any number may ask at once."""

    async def take(self, *, hold_s: float, most_waiting: int) -> Turn | None:
        """Take the turn at a broadcast that is up; nobody else does for `hold_s`."""

    async def put_off(self, broadcast: StoredBroadcast, delay_s: float) -> None:
        """Let nobody look at it for so long."""

    async def record(self, chunk: Chunk) -> StoredBroadcast | None:
        """Accept all of a chunk with the place where it ends.

        None: somebody else has looked at these members, or the broadcast was stopped; nothing was
        changed.
        """

    async def cancel(self, limit: int) -> int:
        """Cancel some of what cancelled broadcasts have pending; returns how many."""


def notification_id(broadcast: StoredBroadcast, user_id: str) -> UUID:
    """Return the id of its notification for this person: always the same, as a UUIDv7.

    Its time is that of the broadcast's start.
    """
    named = f"{broadcast.channel}\0{user_id}".encode()
    digest = hashlib.blake2b(named, key=broadcast.id.bytes, digest_size=_HASH_BYTES).digest()
    bits = int.from_bytes(digest, "big")
    high, low = bits >> _LOW_BITS & 0xFFF, bits & (1 << _LOW_BITS) - 1
    began = broadcast.started_at or broadcast.created_at
    made_ms = round(began.timestamp() * 1_000)
    return UUID(int=made_ms << 80 | 0x7 << 76 | high << 64 | 0x2 << _LOW_BITS | low)
