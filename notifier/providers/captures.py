"""What the sandbox provider captured."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifier.notification.model import Channel, Message


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


class Captures(Protocol):
    """What the sandbox provider captured."""

    async def add(self, message: Message) -> None:
        """Keep it; of a sensitive one all but its content."""

    async def page(
        self, *, limit: int, before: int | None, channel: Channel | None
    ) -> Sequence[Capture]:
        """Newest first; `before` is the seq of the last one seen."""
