"""What a notification says, once that is known to be good."""

from collections.abc import Mapping
from dataclasses import field
from uuid import UUID

from notifier.notification.model import JsonValue, Pin
from notifier.notification.sms import SmsSize
from notifier.value import value


@value
class Said:
    """What a notification says: content that came along, as it is kept, or a template's.

    What `is_finished` holds no placeholders: it came as literal, or something was made of it
    once it was filled, and braces in it are just braces. A template's `variables` are known to
    fill it, its defaults among them.
    """

    text: str
    """As it will be sent."""
    variables: Mapping[str, JsonValue] | None
    template: Pin | None = None
    category: str | None = None
    """What people choose by."""
    content: str | None = None
    subject: str | None = None
    html: str | None = None
    action_url: str | None = None
    is_finished: bool = False
    images: Mapping[str, UUID] = field(default_factory=dict)
    """Attachments that come with its template, by what its html shows them by."""
    shown: frozenset[str] = frozenset()
    """What its html shows, as it will be sent."""
    size: SmsSize | None = None
