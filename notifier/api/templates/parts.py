"""What a template says in one language, as clients send it."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from notifier.notification.model import Channel

MAX_PART_CHARS = 262_144


Part = Annotated[str | None, Field(max_length=MAX_PART_CHARS)]


class Shape(BaseModel):
    """What clients send, to the letter."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class EmailParts(Shape):
    """What an email says: `html`, or `mjml` that becomes it, beside the text."""

    subject: Part = None
    preheader: Part = None
    text: Part = None
    html: Part = None
    mjml: Part = None


class SmsParts(Shape):
    """What an SMS says."""

    text: Part = None


class InAppParts(Shape):
    """What an in-app notification says, and where it leads."""

    subject: Part = None
    text: Part = None
    action_url: Part = None


class LocaleParts(Shape):
    """What a template says in one language."""

    email: EmailParts | None = None
    sms: SmsParts | None = None
    in_app: InAppParts | None = None

    def by_channel(self) -> Mapping[Channel, Mapping[str, str]]:
        """Return the parts that there are."""
        given = {Channel.EMAIL: self.email, Channel.SMS: self.sms, Channel.IN_APP: self.in_app}
        return {
            channel: parts.model_dump(exclude_none=True)
            for channel, parts in given.items()
            if parts is not None
        }
