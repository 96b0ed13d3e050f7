"""Receipts: what providers report of what they took."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifier.notification.outcomes import Fault, SuppressionReason
from notifier.notification.transitions import Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a provider's callback says of a notification that it was handed.

    `id` is ours, as the provider gave it back; None where only `number` is known. `event_id`
    tells one callback from another. `transition` is SETTLE, DELIVER or BOUNCE, or None where the
    event only concerns the suppression list.
    """

    provider: str
    event_id: str
    id: UUID | None
    transition: Transition | None
    provider_id: str | None = None
    fault: Fault | None = None
    suppress_as: SuppressionReason | None = None
    """Puts the recipient on its service's suppression list, for this reason."""
    lift: SuppressionReason | None = None
    """Takes the recipient off that list, if it is there for this reason and not since later."""
    number: str | None = None
    """Whose number it is about, for all services, where no notification is known."""
    is_of_category: bool = False
    """Whether the list is meant for the notification's category alone, where it has one."""
    at: datetime | None = None
    """When it happened, as the provider has it; None for now."""


@dataclass(frozen=True, slots=True)
class AppliedReceipts:
    """What became of receipts: `changed` is how many had an effect.

    `early` are those that came while an attempt was under way: they were not taken, and apply
    once they are given again after it.
    """

    changed: int
    early: Sequence[Receipt] = ()


class ReceiptStore(Protocol):
    """What providers report afterwards."""

    async def apply(self, receipts: Sequence[Receipt]) -> AppliedReceipts:
        """Apply each receipt once, forward only.

        SETTLE applies to a record whose outcome is unknown; DELIVER and BOUNCE settle such a
        record on their way. A receipt for an unknown notification, one known already, or one
        that would go backwards changes nothing.
        """

    async def purge(self) -> int:
        """Forget receipts older than a week, which no provider repeats; returns how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What a provider called with; `id` is of the notification that the path names, if it does.

    The names of `headers` are in lower case.
    """

    headers: Mapping[str, str]
    body: bytes
    id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRoute:
    """One way in which a provider calls back.

    `check` looks at the headers before the body is read, and raises UnsignedError if they cannot be
    those of a signed call. `read` may have to ask the provider for what verifies it: it waits for
    seconds at most, and raises UnsignedError for what nobody signed, UncheckedError and
    MalformedError.
    """

    provider: str
    name: str
    path: str
    """After /callbacks/; may hold {id:uuid}."""
    summary: str
    description: str
    signed_by: Mapping[str, str]
    """The headers that say who calls, and what they hold."""
    max_body_bytes: int
    check: Callable[[Mapping[str, str]], None]
    read: Callable[[Callback], Awaitable[Sequence[Receipt]]]
