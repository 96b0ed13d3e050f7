"""The headers that a mail has whoever carries it, besides who it is from and how it is read."""

import re
from collections.abc import Mapping

from notifier.mailbox import Mailbox
from notifier.notification.model import Lane, Message

# Nobody typed it, and no programme is to answer (RFC 3834 5).
_STANDING: Mapping[str, str] = {"Auto-Submitted": "auto-generated"}
_NO_LABEL = re.compile(r"[^a-z0-9]+")
_MAX_LABEL = 63


def headers_of(message: Message, sender: Mailbox) -> Mapping[str, str]:
    """Return them with their names: its own, and those of every mail.

    A bulk mail that does not say of what list it is, is of its service's (RFC 2919).
    """
    own = message.mail.headers if message.mail else {}
    if message.lane is Lane.BULK and "List-Id" not in own:
        return {**_STANDING, "List-Id": _list_id(message.service, sender), **own}
    return {**_STANDING, **own} if own else _STANDING


def _list_id(service: str, sender: Mailbox) -> str:
    label = _NO_LABEL.sub("-", service.lower())[:_MAX_LABEL].strip("-")
    return f"<{label or 'bulk'}.{sender.domain}>"
