"""The same request again gets the same answer, and has no second effect."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """A client's Idempotency-Key, and the answer to keep with the effect of its request.

    `fingerprint` tells one request from another; `answer` is opaque to the store.
    """

    service: str
    key: str
    fingerprint: str
    answer: str


@dataclass(frozen=True, slots=True)
class Applied:
    """The change was made, and its answer is kept.

    `suppressed` are those of inserted notifications that will not be sent.
    """

    suppressed: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Remembered:
    """This key was used for the same request before: this was the answer."""

    answer: str


@dataclass(frozen=True, slots=True)
class KeyReused:
    """This key was used before, for another request. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """It was a lot: a part of it is done, and asking again goes on with the rest."""

    left: int


@dataclass(frozen=True, slots=True)
class NotFound:
    """There is no such thing, or not of this service. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class LostRace:
    """Somebody else changed it first; nothing was changed. `etag` is that of what is there now."""

    etag: str | None


class Once(Protocol):
    """The answers that are kept for Idempotency-Keys."""

    async def remembered(
        self, *, service: str, key: str, fingerprint: str
    ) -> Remembered | KeyReused | None:
        """The answer kept for this Idempotency-Key; None if it was not used."""

    async def purge(self) -> int:
        """Forget Idempotency-Keys older than a day; returns how many."""
