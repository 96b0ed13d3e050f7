"""What a channel carries: what its notifications may hold, once their templates are filled."""

from collections.abc import Mapping
from dataclasses import dataclass

from notifier.notification.model import Channel

_MAX_SMS_CHARS = 255 * 153
"""As many as can be numbered; how long one may be here is for `SmsRules`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """What notifications of one channel may hold; `name` is one of them, in words."""

    name: str
    max_text_chars: int = 100_000
    has_subject: bool = True
    needs_subject: bool = False
    has_html: bool = False
    has_action: bool = False
    may_be_sensitive: bool = True
    """Not where its content stays readable after it was delivered."""


MEDIA: Mapping[Channel, Medium] = {
    Channel.EMAIL: Medium(name="an email", needs_subject=True, has_html=True),
    Channel.SMS: Medium(name="an SMS", max_text_chars=_MAX_SMS_CHARS, has_subject=False),
    Channel.IN_APP: Medium(name="an in_app notification", may_be_sensitive=False, has_action=True),
}
