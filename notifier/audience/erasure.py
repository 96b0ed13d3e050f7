"""Erasing a person: what is asked for, the port, and the receipt of what was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from notifier.audience.recipient import compared
from notifier.duty import Duty
from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.notification.model import Channel, JsonValue

MOST_ADDRESSES: Final = 50
SETTLE_S: Final = 30.0
"""Longer than a send takes that was under way, and had read the person, when it began."""

_EVERY_S = 5


@dataclass(frozen=True, slots=True)
class AlsoKnown:
    """An address that is somebody's, whatever the directory says; in its channel's normal form."""

    channel: Channel
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRequest:
    """Whom to erase, why, and who asks."""

    id: UUID
    service: str
    user_id: str
    reason: str
    """A word of the caller's that names nobody: it stays."""
    requested_by: str
    also_addresses: Sequence[AlsoKnown] = ()
    forget_suppression: bool = False
    """Whether it may be sent to again, should somebody bring the address back."""

    def names_whom_it_erases(self) -> bool:
        """Whether the reason says whom, which would stay."""
        known = [self.user_id, *(each.address for each in self.also_addresses)]
        return any(each.casefold() in self.reason.casefold() for each in known)


@dataclass(frozen=True, slots=True)
class Subject:
    """All names under which one person is known to a service."""

    user_ids: frozenset[str]
    addresses: frozenset[tuple[Channel, str]]
    """As they are compared."""

    @classmethod
    def of(cls, request: ErasureRequest) -> "Subject":
        """Return what the request says of them."""
        also = {
            (each.channel, compared(each.channel, each.address)) for each in request.also_addresses
        }
        user = (Channel.IN_APP, request.user_id)
        return cls(frozenset({request.user_id}), frozenset({user, *also}))

    def known_as(
        self, user_ids: frozenset[str], addresses: frozenset[tuple[Channel, str]]
    ) -> "Subject":
        """Return the same with more names."""
        users = {(Channel.IN_APP, user_id) for user_id in user_ids}
        return Subject(self.user_ids | user_ids, self.addresses | addresses | users)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """How far an erasure is; it names nobody."""

    id: UUID
    service: str
    reason: str
    requested_by: str
    requested_at: datetime
    forget_suppression: bool
    counts: Mapping[str, int] = field(default_factory=dict)
    finished_at: datetime | None = None
    receipt: Mapping[str, JsonValue] | None = None
    """Signed; None until it is done."""


@dataclass(frozen=True, slots=True)
class ErasuresUnderWay:
    """How many erasures are not done, and since how many seconds the oldest was asked for."""

    count: int
    oldest_s: float


_SUPPRESSION = (
    "that these addresses must not be sent to, each as a keyed hash, which only says whether an "
    "address that somebody brings is one of them: without it the next import would have them "
    "written to again. It is still personal data; `forget_suppression` erases it"
)
_OTHERS = (
    ("this receipt", "to show that it was done; it names nobody"),
    (
        "backups of the database, logs of other systems, and what providers hold",
        "out of notifier's reach: erase there by what they keep it, within a month of the request",
    ),
)


def receipt_of(erasure: Erasure, *, finished_at: datetime) -> Mapping[str, JsonValue]:
    """Return what a receipt says, without its signature; it names nobody."""
    counts = dict(erasure.counts)
    suppressions = counts.pop(SUPPRESSIONS_KEPT, 0)
    kept: list[JsonValue] = [{"what": what, "why": why} for what, why in _OTHERS]
    if suppressions:
        kept.insert(0, {"what": "suppressions", "count": suppressions, "why": _SUPPRESSION})
    return {
        "version": 1,
        "id": str(erasure.id),
        "service": erasure.service,
        "reason": erasure.reason,
        "requested_by": erasure.requested_by,
        "requested_at": erasure.requested_at.isoformat(),
        "finished_at": finished_at.isoformat(),
        "erased": dict(counts),
        "kept": kept,
    }


SUPPRESSIONS_KEPT: Final = "suppressions_kept"
"""Among the counts of an erasure: how many are kept as hashes."""


class Erasures(Protocol):
    """Asking for erasures, and following them."""

    async def begin(
        self, request: ErasureRequest, *, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused:
        """Have somebody erased, soon and in small transactions."""

    async def find(self, id: UUID, *, service: str | None) -> Erasure | NotFound:
        """Return how far it is; `service` None: whoever's."""

    async def under_way(self) -> ErasuresUnderWay:
        """How many are not done, of all services."""


class Erasing(Protocol):
    """Erases, a small transaction at a time, beside any number of others."""

    async def step(self) -> bool:
        """Go on a little with one; says whether there is more to do at once."""


def erasing(work: Erasing) -> Duty:
    """Return the duty to erase whom services asked to."""
    return Duty("erase.people", _EVERY_S, work.step)
