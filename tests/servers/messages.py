"""Building messages and a clock for tests of adapters."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from notifier.notification.mail import Attached
from notifier.notification.model import Channel, Message

MESSAGE_ID = UUID("01980000-0000-7000-8000-000000000001")

_RECIPIENTS = {
    Channel.EMAIL: "ada.lovelace@recipient.example",
    Channel.SMS: "+491701234567",
    Channel.IN_APP: "user-4711",
}


def a_message(
    channel: Channel = Channel.EMAIL,
    *,
    recipient: str | None = None,
    subject: str | None = "Your order",
    text: str = "Secretword 739154",
    html: str | None = None,
    message_id: UUID = MESSAGE_ID,
    attached: tuple[Attached, ...] = (),
) -> Message:
    """Build a message; its content holds words that must never be seen elsewhere."""
    return Message(
        id=message_id,
        service="orders",
        channel=channel,
        recipient=_RECIPIENTS[channel] if recipient is None else recipient,
        subject=subject,
        text=text,
        html=html,
        sensitive=False,
        attempt=1,
        attached=attached,
    )


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved."""

    at: datetime = field(default_factory=lambda: datetime(2026, 11, 20, 12, tzinfo=UTC))
    elapsed_s: float = 1_000.0

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.elapsed_s

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.elapsed_s += seconds
        self.at += timedelta(seconds=seconds)
