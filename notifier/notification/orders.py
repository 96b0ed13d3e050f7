"""What somebody outside the delivery path asks of a notification: to cancel or to replay it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias
from uuid import UUID

from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.notification.model import Channel, Status
from notifier.notification.transitions import Transition


@dataclass(frozen=True, slots=True)
class Refused:
    """The notification's status does not allow the change. Nothing was changed."""

    status: Status


@dataclass(frozen=True, slots=True)
class Erased:
    """What the notification said is erased: there is nothing to send again. Nothing was changed."""


MoveResult: TypeAlias = Applied | Remembered | KeyReused | Refused | Erased | NotFound


class Orders(Protocol):
    """Changes that are asked for from outside the delivery path."""

    async def move(
        self,
        transition: Transition,
        id: UUID,
        *,
        service: str | None,
        idempotency: Idempotency | None = None,
    ) -> MoveResult:
        """Apply CANCEL or REPLAY to one notification of `service` (None: of any)."""

    async def cancel_keyed(self, service: str, key: str) -> int:
        """CANCEL all of a service's that is pending with this key; returns how many."""

    async def replay_failed(
        self, *, channel: Channel | None, limit: int, after: UUID | None = None
    ) -> Sequence[UUID]:
        """REPLAY up to `limit` failed notifications in order of id; returns theirs.

        Those of which the content is erased stay as they are.
        """
