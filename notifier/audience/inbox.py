"""Recipients' in-app inboxes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered, Unfinished
from notifier.notification.model import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """A notification in a recipient's inbox; `seq` counts up by one in each inbox."""

    seq: int
    notification_id: UUID
    subject: str | None
    text: str
    html: str | None
    action_url: str | None
    metadata: Mapping[str, str]
    created_at: datetime
    read_at: datetime | None


class Inbox(Protocol):
    """Recipients' in-app inboxes, one for each service and recipient."""

    async def deliver(self, message: Message) -> None:
        """Put it into its recipient's inbox; idempotent by the notification's id."""

    async def page(
        self, service: str, recipient: str, *, limit: int, before: int | None, unread_only: bool
    ) -> Sequence[InboxItem]:
        """Newest first; `before` is the seq of the last one seen."""

    async def since(
        self, service: str, recipient: str, seq: int, *, limit: int
    ) -> Sequence[InboxItem]:
        """Oldest first, those after `seq`."""

    async def unread_count(self, service: str, recipient: str) -> int:
        """How many are unread."""

    async def mark_read(
        self,
        service: str,
        recipient: str,
        notification_id: UUID | None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | NotFound | Unfinished:
        """Mark one (None: all) as read; idempotent.

        The answer is kept once all is done.
        """

    async def heads(self, inboxes: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
        """The newest seq of each of these (service, recipient) that has any."""
