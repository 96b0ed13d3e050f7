"""Filling a claimed notification: what goes to the provider."""

from notifier.content.filling import fill_html, fill_text
from notifier.delivery.ports import Claimed
from notifier.notification.model import Message

MAX_RENDERED_CHARS = 1_000_000


def render(claimed: Claimed) -> Message:
    """Fill the templates of a claimed notification; raises TemplateError."""
    variables = claimed.variables or {}
    subject = claimed.subject and fill_text(
        claimed.subject, variables, max_chars=MAX_RENDERED_CHARS
    )
    html = claimed.html and fill_html(claimed.html, variables, max_chars=MAX_RENDERED_CHARS)
    return Message(
        id=claimed.id,
        service=claimed.service,
        channel=claimed.channel,
        recipient=claimed.recipient,
        subject=subject,
        text=fill_text(claimed.content, variables, max_chars=MAX_RENDERED_CHARS),
        html=html,
        sensitive=claimed.sensitive,
        attempt=claimed.attempt,
        metadata=claimed.metadata,
    )
