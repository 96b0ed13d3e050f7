"""What a mail has besides its content."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from notifier.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class AttachmentRef:
    """A file of its service's that goes along with a mail."""

    id: UUID
    content_id: str | None = None
    """What its html shows it by, as `cid:` and this; None: it is listed apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A file as it goes out with a mail."""

    name: str
    """One line, and no path."""
    type: str
    size: int
    """Of what it holds, in bytes."""
    content_id: str | None
    lines: bytes = field(repr=False)
    """What it holds, as base64 in lines of 76, each with its CRLF."""


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
    attachments: tuple[AttachmentRef, ...] = ()
