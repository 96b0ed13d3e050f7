"""Senders in memory, for tests that need no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from notifier.idempotency import NotFound
from notifier.intake.senders import MAX_SENDERS, Sender, StoredSender, TooMany
from notifier.mailbox import parse_mailbox


@dataclass
class KeptSenders:
    """A `SenderStore`, and how often it was asked for a service's."""

    kept: dict[tuple[str, str], StoredSender] = field(default_factory=dict)
    looks: int = 0

    async def list(
        self, *, service: str | None, limit: int, after: tuple[str, str] | None
    ) -> Sequence[StoredSender]:
        keys = sorted(key for key in self.kept if after is None or key > after)
        return [self.kept[key] for key in keys if service in (None, key[0])][:limit]

    async def of(self, service: str) -> Mapping[str, Sender]:
        self.looks += 1
        return {name: each for (owner, name), each in self.kept.items() if owner == service}

    async def set(self, sender: Sender) -> StoredSender | TooMany:
        others = (key for key in self.kept if key[0] == sender.service and key[1] != sender.name)
        if len(list(others)) >= MAX_SENDERS:
            return TooMany()
        stored = StoredSender(
            service=sender.service,
            name=sender.name,
            mailbox=sender.mailbox,
            reply_to=sender.reply_to,
            updated_at=datetime.now(UTC),
        )
        self.kept[sender.service, sender.name] = stored
        return stored

    async def remove(self, service: str, name: str) -> NotFound | None:
        return None if self.kept.pop((service, name), None) else NotFound()


def a_sender(name: str, mailbox: str, *, service: str = "orders", reply_to: str = "") -> Sender:
    return Sender(
        service=service,
        name=name,
        mailbox=parse_mailbox(mailbox),
        reply_to=parse_mailbox(reply_to) if reply_to else None,
    )
