"""Recipients' in-app inboxes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from notifier.duty import Duty
from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered, Unfinished
from notifier.notification.model import Message

_WAKE_EVERY_S = 1.0


class Mark(StrEnum):
    """What can be done to items of an inbox; doing it again changes nothing."""

    SEEN = "seen"
    """It was shown: it counts as new no longer."""
    READ = "read"
    UNREAD = "unread"
    ARCHIVE = "archive"
    """It is done with: read, and out of the inbox until it is unarchived."""
    UNARCHIVE = "unarchive"
    SNOOZE = "snooze"
    """It is out of the inbox until a time, and comes back then as new and unread."""
    UNSNOOZE = "unsnooze"


class Part(StrEnum):
    """Where an item is; each is in one of them."""

    INBOX = "inbox"
    ARCHIVED = "archived"
    SNOOZED = "snoozed"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxHead:
    """How an inbox stands: the newest seq, and what of the inbox itself is unread or not seen.

    `version` grows with each change of items that were there.
    """

    seq: int = 0
    version: int = 0
    unread: int = 0
    unseen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """A notification in a recipient's inbox.

    `seq` counts up in each inbox; what was snoozed comes back under a new one.
    """

    seq: int
    notification_id: UUID
    subject: str | None
    text: str
    html: str | None
    action_url: str | None
    metadata: Mapping[str, str]
    created_at: datetime
    read_at: datetime | None
    seen_at: datetime | None = None
    archived_at: datetime | None = None
    snoozed_until: datetime | None = None


class Inbox(Protocol):
    """Recipients' in-app inboxes, one for each service and recipient."""

    async def deliver(self, message: Message) -> None:
        """Put it into its recipient's inbox; idempotent by the notification's id."""

    async def page(
        self,
        service: str,
        recipient: str,
        *,
        limit: int,
        before: int | None,
        unread_only: bool,
        part: Part = Part.INBOX,
    ) -> Sequence[InboxItem]:
        """Newest first, of this part; `before` is the seq of the last one seen."""

    async def since(
        self, service: str, recipient: str, seq: int, *, limit: int
    ) -> Sequence[InboxItem]:
        """Oldest first, those after `seq`, wherever they are."""

    async def mark(
        self,
        service: str,
        recipient: str,
        notification_id: UUID | None,
        mark: Mark,
        *,
        until: datetime | None = None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | NotFound | Unfinished:
        """Mark one, or None: all of the part that the mark is for; idempotent.

        What is archived or snoozed is no part of the inbox: it is marked one by one, or all
        of it brought back. `until` is when a snoozed one comes back. The answer is kept once all
        is done.
        """

    async def wake(self) -> int:
        """Bring back snoozed ones whose time has come, as new; returns how many.

        So many at once at most; the next call goes on.
        """

    async def head(self, service: str, recipient: str) -> InboxHead:
        """How an inbox stands."""

    async def heads(
        self, inboxes: Collection[tuple[str, str]]
    ) -> Mapping[tuple[str, str], InboxHead]:
        """How each of these (service, recipient) stands that anything ever came to."""


def waking(inbox: Inbox) -> Duty:
    """Return the duty to bring back what was snoozed."""

    async def run() -> bool:
        return await inbox.wake() > 0

    return Duty("inbox.wake", _WAKE_EVERY_S, run)
