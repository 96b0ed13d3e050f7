"""What a mail has besides its content."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from notifier.mailbox import Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class MailDetails:
    """What a mail has besides its content, as it was accepted: whoever hands it over goes by it.

    Everything in it was checked: nothing ends a line, and `headers` holds names that are allowed,
    no two of them the same but for their case.
    """

    sender: Mailbox | None = None
    """As whom it is sent; None: as NOTIFIER_EMAIL__SENDER has it."""
    reply_to: Mailbox | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
