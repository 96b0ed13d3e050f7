"""Links by which somebody unsubscribes, and chooses what they get."""

from dataclasses import dataclass
from typing import Protocol

from notifier.notification.model import Channel

ONE_CLICK = "List-Unsubscribe=One-Click"
"""What mail programs post to a link when somebody unsubscribes by their button (RFC 8058)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chooser:
    """Who got a link, and in which category of a service's notifications.

    Somebody in the service's directory by their user id, anybody else by their address.
    """

    service: str
    channel: Channel
    category: str
    user_id: str | None = None
    recipient: str | None = None
    """As it is compared; None where there is a user id."""


class Links(Protocol):
    """Makes links, and opens them again however old they are.

    One tells nothing of whom it is for, and cannot be guessed: who has it may change what its
    chooser gets, and nothing else. The same chooser gets the same link.
    """

    def unsubscribe_url(self, chooser: Chooser) -> str:
        """Return where a POST unsubscribes (RFC 8058), and a page shows what there is to choose."""

    def preferences_url(self, chooser: Chooser) -> str:
        """Return the place on that page where all choices are."""

    def opened(self, token: str) -> Chooser | None:
        """Return whom the last part of a link is for; None if none of ours says so."""
