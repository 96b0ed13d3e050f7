"""What somebody wants to send, and what may be wrong with it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from notifier.content.template import TemplateRef
from notifier.notification.model import Channel, JsonValue, Lane, OnUnknown
from notifier.value import value

_JUDGED_BY: Mapping[str, Sequence[str]] = {
    "type": (),
    "sensitive": ("type",),
    "recipient": ("type", "user_id"),
    "user_id": ("type", "recipient"),
    "category": ("template", "user_id"),
    "template": ("type", "variables", "locale"),
    "locale": ("template",),
    "variables": ("template", "literal"),
    "content": ("type", "variables", "template", "literal", "html"),
    "subject": ("type", "variables", "template", "literal"),
    "html": ("type", "variables", "template", "literal", "content", "sanitise"),
    "literal": ("template",),
    "sanitise": ("template", "html"),
    "action_url": ("type", "variables", "template", "literal"),
    "attachments": ("type", "html", "variables", "template", "locale", "literal", "sanitise"),
    "send_at": (),
    "expires_at": ("send_at",),
    "from": ("type",),
    "reply_to": ("type",),
    "headers": ("type",),
}


@dataclass(frozen=True, slots=True)
class AttachmentWish:
    """A file that is to go along; `is_inline`: its html shows it by the file's name."""

    id: UUID
    is_inline: bool = False


@value
class Draft:
    """What somebody wants to send, as it came: times are aware, nothing else is checked."""

    channel: Channel
    recipient: str | None = None
    user_id: str | None = None
    """A person in the directory of the service: the address is theirs, unless one is given."""
    category: str | None = None
    """What people choose by; a template has its own."""
    counts_as: str | None = None
    """What they choose by instead of that; no client's to say."""
    content: str | None = None
    subject: str | None = None
    html: str | None = None
    action_url: str | None = None
    variables: Mapping[str, JsonValue] | None = None
    lane: Lane = Lane.NORMAL
    metadata: Mapping[str, str] | None = None
    send_at: datetime | None = None
    expires_at: datetime | None = None
    sensitive: bool = False
    on_unknown: OnUnknown | None = None
    template: TemplateRef | None = None
    """What holds content, subject, html and action_url instead."""
    locale: str | None = None
    """The language that a template's are wanted in."""
    sender: str | None = None
    """The name of one of its service's senders; `from` to clients."""
    reply_to: str | None = None
    headers: Mapping[str, str] | None = None
    literal: bool = False
    """Whether content, subject and html are finished, and braces in them just braces."""
    sanitise: bool = False
    """Whether html is sent as what is left of it once it is cleaned."""
    attachments: Sequence[AttachmentWish] = ()
    images: Mapping[str, UUID] = field(default_factory=dict)
    """Attachments that go along as far as its html shows them, by the names that it does by."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with one field of a draft, in words that do not repeat it.

    `field` is named as clients name it: a draft's channel is its `type`; `path` leads into it.
    """

    field: str
    words: str
    path: tuple[str | int, ...] = ()

    def rests_on(self, fields: Collection[str]) -> bool:
        """Whether it was judged by one of these fields."""
        return self.field in fields or any(each in fields for each in _JUDGED_BY[self.field])
