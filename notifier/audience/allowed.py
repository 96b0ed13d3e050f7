"""Recipients that an operator names: addresses, and whole domains."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from notifier.audience.recipient import compared, compared_forms, normalise
from notifier.notification.model import Channel


@dataclass(frozen=True, slots=True)
class AllowedRecipients:
    """Email addresses, numbers, user ids, and domains of emails: `@example.org`.

    They are compared as recipients are: addresses without case and width. A domain is itself
    alone, without those under it.
    """

    forms: frozenset[str] = frozenset()

    @classmethod
    def read(cls, entries: Iterable[str]) -> Self:
        """Read what an operator wrote.

        Raises:
            RecipientError: one begins with @, and no domain follows.
        """
        return cls(frozenset(form for entry in entries for form in _forms(entry)))

    def __bool__(self) -> bool:
        return bool(self.forms)

    def include(self, channel: Channel, recipient: str) -> bool:
        """Whether a recipient, in its channel's normal form, is one of them."""
        form = compared(channel, recipient)
        return form in self.forms or (channel is Channel.EMAIL and _domain(form) in self.forms)


def _forms(entry: str) -> Iterable[str]:
    if not entry.startswith("@"):
        return compared_forms(entry)
    return [_domain(compared(Channel.EMAIL, normalise(Channel.EMAIL, f"a{entry}")))]


def _domain(address: str) -> str:
    return "@" + address.rpartition("@")[2]
