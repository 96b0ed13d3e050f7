"""Between a mail's details and the text that a record has of them."""

import json
from typing import Any
from uuid import UUID

from notifier.mailbox import Mailbox
from notifier.notification.mail import AttachmentRef, MailDetails


def mail_text(details: MailDetails) -> str:
    """Encode what a mail has besides its content; what it has not is left out."""
    members = {
        "from": _members(details.sender),
        "reply_to": _members(details.reply_to),
        "headers": dict(details.headers),
        "attachments": [[each.id.hex, each.content_id] for each in details.attachments],
    }
    kept = {name: value for name, value in members.items() if value}
    return json.dumps(kept, separators=(",", ":"))


def to_mail(text: str) -> MailDetails:
    """Read it again."""
    members = json.loads(text)
    return MailDetails(
        sender=_mailbox(members.get("from")),
        reply_to=_mailbox(members.get("reply_to")),
        headers=members.get("headers", {}),
        attachments=tuple(
            AttachmentRef(UUID(id), content_id) for id, content_id in members.get("attachments", ())
        ),
    )


def _members(mailbox: Mailbox | None) -> list[str] | None:
    return [mailbox.name, mailbox.address] if mailbox else None


def _mailbox(members: Any) -> Mailbox | None:
    return Mailbox(*members) if members else None
