"""As whom services may send mails: addresses that have names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from notifier.clock import Clock
from notifier.idempotency import NotFound
from notifier.kept import Kept
from notifier.mailbox import Mailbox

DEFAULT = "default"
"""The sender of what names none, where its service has one of this name."""
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
MAX_SENDERS = 100
"""How many a service may have."""
_NAME = re.compile(NAME_PATTERN[:-1] + r"\Z", re.ASCII)
_FRESH_S = 2.0
_MOST_KEPT = 10_000


def is_sender_name(text: str) -> bool:
    """Whether a sender may be called that: it stands in paths and settings of services."""
    return _NAME.match(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """As whom a service may send, and where answers go; None: to the sender."""

    service: str
    name: str
    mailbox: Mailbox
    reply_to: Mailbox | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSender(Sender):
    """A sender, and since when it is as it is."""

    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TooMany:
    """The service has `MAX_SENDERS` others."""


class SenderStore(Protocol):
    """Senders. What was accepted is sent as whom it was accepted, whatever becomes of them."""

    async def list(
        self, *, service: str | None, limit: int, after: tuple[str, str] | None
    ) -> Sequence[StoredSender]:
        """Senders by service and name; `after` is the last one seen."""

    async def of(self, service: str) -> Mapping[str, Sender]:
        """All senders of a service, by name."""

    async def set(self, sender: Sender) -> StoredSender | TooMany:
        """Add a sender, or put it in the place of the one of its name."""

    async def remove(self, service: str, name: str) -> NotFound | None:
        """Let nothing new be sent as this one."""


class Senders:
    """Finds senders, and keeps them: what is changed elsewhere is seen after `_FRESH_S`."""

    def __init__(self, store: SenderStore, clock: Clock) -> None:
        self._store = store
        self._kept: Kept[tuple[str, int], Mapping[str, Sender]] = Kept(
            _MOST_KEPT, clock, fresh_s=_FRESH_S, weigh=lambda senders: 1 + len(senders)
        )
        self._changes = 0

    async def of(self, service: str) -> Mapping[str, Sender]:
        """Return a service's senders by name.

        Raises:
            StoreUnavailableError: they could not be read.
        """
        # What is read now may not know of a change that comes meanwhile.
        place = (service, self._changes)
        kept = self._kept.get(place)
        if kept is None:
            kept = await self._store.of(service)
            self._kept.keep(place, kept)
        return kept

    def forget(self) -> None:
        """Look them up the next time: some were changed here."""
        self._changes += 1
