"""A digest: what several events come to for one person, sent as one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from notifier.events.counts import Ending
from notifier.events.event import EventKey
from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.intake.ports import Submission
from notifier.notification.model import JsonValue

MOST_SHOWN = 50
"""Items that a digest's template gets; `count` is of all."""
_HASH_BYTES = 10
_TIME_SHIFT = 80
_LOW_BITS = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """An item of a digest."""

    event: EventKey
    at: datetime
    data: JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A digest that is closed: what comes later opens another one."""

    id: UUID
    """A UUIDv7; the ids of its notifications are derived from it."""
    service: str
    rule: str
    version_id: UUID
    """Of its first item's rule."""
    person: str
    is_user: bool
    key: str
    match_key: str | None
    """Of its first item's match."""
    opened_at: datetime
    closed_at: datetime
    count: int
    items: Sequence[Collected]
    """The first `MOST_SHOWN` of `count`, in the order of their arrival."""
    tries: int = 1
    """How often it was given out, this time included."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Nothing can be sent of a digest; `reason` repeats nothing of anybody's."""

    reason: str


class Finishing(Protocol):
    """Knows what a rule does after its digest."""

    async def finished(self, digest: Digest) -> Sequence[Submission] | Unfinished:
        """Return what a digest comes to, always under the same ids; changes nothing.

        Raises:
            StoreUnavailableError: rules, templates or people could not be looked up.
        """


@dataclass(frozen=True, slots=True)
class Settling:
    """A digest, and what comes of it, or why nothing does."""

    digest: Digest
    submissions: Sequence[Submission] = ()
    reason: str | None = None

    @property
    def ending(self) -> Ending:
        """What it comes to, in a word."""
        if self.submissions:
            return Ending.SENT
        return Ending.FAILED if self.digest.count else Ending.EMPTY


@dataclass(frozen=True, slots=True)
class PutOff:
    """A digest of which it could not be found out what it comes to."""

    digest: Digest
    tries: int
    """How many count against it."""
    again_in_s: float


class Digests(Protocol):
    """What closing digests asks of the database. Any number may ask at once."""

    async def take(self, *, limit: int, hold_s: float) -> Sequence[Digest]:
        """Close those that are due, and return some that are not settled.

        Nobody else is given them for `hold_s`.
        """

    async def settle(self, finished: Sequence[Settling]) -> Sequence[Settling]:
        """Accept what comes of each, once; returns those of which it was.

        One of which an item was taken back meanwhile is given out again.
        """

    async def put_off(self, them: Sequence[PutOff]) -> None:
        """Give these out again later, and not before."""

    async def purge(self) -> int:
        """Forget what was settled longer ago than events are kept; returns how many."""


class DigestState(StrEnum):
    """How a digest stands."""

    OPEN = "open"
    """It gathers."""
    CLOSED = "closed"
    """It is not yet known what it comes to."""
    SENT = "sent"
    EMPTY = "empty"
    """All that was in it was taken back."""
    FAILED = "failed"
    """Nothing can be sent of it; it may be replayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDigest:
    """A digest as it is kept for some days."""

    id: UUID
    service: str
    rule: str
    version_id: UUID
    person: str
    is_user: bool
    key: str
    state: DigestState
    reason: str | None
    """Why nothing was sent; repeats nothing of anybody's."""
    count: int | None
    """Of what it is; None: it is not known yet."""
    opened_at: datetime
    due_at: datetime
    closed_at: datetime | None
    settled_at: datetime | None
    notification_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestFilter:
    """Which digests are asked for."""

    service: str | None = None
    rule: str | None = None
    state: DigestState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestsUnderWay:
    """How digests stand, of all services together."""

    open: int
    closed: int
    """Of which it is not yet known what they come to."""
    failed: int
    """Of which nothing can be sent, and that are still kept."""
    overdue_s: float
    """Since when the oldest that is due was to be sent; 0 if none is."""


class DigestStore(Protocol):
    """Digests, as they are looked at."""

    async def list(
        self, filter: DigestFilter, *, limit: int, after: UUID | None
    ) -> Sequence[StoredDigest]:
        """The newest first; `after` is the last one seen."""

    async def get(self, id: UUID, *, service: str | None) -> StoredDigest | NotFound:
        """Return one of the service's, or of any."""

    async def replay(
        self, id: UUID, *, service: str | None, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused | StoredDigest | NotFound:
        """Have one that is failed looked at again, with all that it holds.

        Any other is returned, and stays as it is.
        """

    async def under_way(self) -> DigestsUnderWay:
        """Return how they stand; beyond a million they are not counted."""


def derived_id(of: UUID, *names: str) -> UUID:
    """Return the id of what comes of something under these names: always the same, as a UUIDv7.

    Its time is that of `of`, a UUIDv7.
    """
    named = "\0".join(names).encode()
    digest = hashlib.blake2b(named, key=of.bytes, digest_size=_HASH_BYTES).digest()
    bits = int.from_bytes(digest, "big")
    high, low = bits >> _LOW_BITS & 0xFFF, bits & (1 << _LOW_BITS) - 1
    made_ms = of.int >> _TIME_SHIFT
    return UUID(int=made_ms << _TIME_SHIFT | 0x7 << 76 | high << 64 | 0x2 << _LOW_BITS | low)
