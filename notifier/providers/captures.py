"""What the sandbox provider captured."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifier.notification.model import Channel, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A file that came with a mail."""

    name: str
    type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What the sandbox provider was handed."""

    seq: int
    notification_id: UUID
    service: str
    channel: Channel
    recipient: str
    subject: str | None
    text: str | None
    html: str | None
    action_url: str | None
    sensitive: bool
    attempt: int
    captured_at: datetime
    size: int | None = None
    """Of the mail as a server would get it, in bytes."""
    source: str | None = None
    """That mail, as far as it is kept; only of one capture that was asked for."""
    files: Sequence[Attached] = ()


class Captures(Protocol):
    """What the sandbox provider captured."""

    async def add(self, message: Message, source: bytes | None = None) -> None:
        """Keep it, and the mail that would be made of it; of a sensitive one not its content."""

    async def page(
        self,
        *,
        limit: int,
        before: int | None,
        channel: Channel | None,
        words: str | None = None,
    ) -> Sequence[Capture]:
        """Newest first; `before` is the seq of the last one seen.

        With `words`, of the newest thousands those whose recipient, subject or text has them.
        """

    async def find(self, seq: int) -> Capture | None:
        """Return one, with its source."""
