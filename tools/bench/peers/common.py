"""What the peers share: the request, the mail, the addresses of the servers, the statements.

All of them do what notifier does for one notification: check the request, commit a row, publish
a persistent message to a quorum queue and wait for its confirm, answer 202; then claim the row
in a guarded UPDATE, commit, send, record the outcome and a row of the timeline, commit, and
acknowledge last. None of them has retries, leases, a relay, keys, templates or lanes.
"""

import os
from email.message import EmailMessage
from typing import Literal

from pydantic import BaseModel, Field

DATABASE_URL = os.environ["DATABASE_URL"]
BROKER_URL = os.environ["BROKER_URL"]
SMTP_HOST = os.environ["SMTP_HOST"]
SMTP_PORT = int(os.environ["SMTP_PORT"])
SLOTS = int(os.environ.get("SLOTS", "1"))
QUEUE = "notifications"


class NotificationRequest(BaseModel):
    """The body of a POST."""

    type: Literal["email"]
    recipient: str = Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")
    subject: str = Field(min_length=1, max_length=998)
    content: str = Field(min_length=1, max_length=100_000)
    priority: Literal["high", "normal", "bulk"] = "normal"


def make_mail(id: str, recipient: str, subject: str, content: str) -> EmailMessage:
    """The mail of a notification."""
    mail = EmailMessage()
    mail["From"] = "Shop <shop@example.com>"
    mail["To"] = recipient
    mail["Subject"] = subject
    mail["Message-ID"] = f"<{id}@example.com>"
    mail.set_content(content)
    return mail
