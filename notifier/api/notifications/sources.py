"""Where a notification and what it says come from, as clients get it."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from notifier.api.kit.views import View
from notifier.content.template import TemplateVersion
from notifier.notification.model import Pin
from notifier.notification.origin import Condition, Origin


class PinView(View):
    """What a notification was accepted with, and is sent as."""

    name: str
    version: int
    locale: str

    @classmethod
    def of(cls, version: TemplateVersion, pin: Pin) -> Self:
        """View `version`, in the language of `pin`."""
        return cls(name=version.name, version=version.number, locale=pin.locale)


class AttachedView(View):
    """A file that goes along with an email."""

    id: UUID
    inline: bool


class OriginView(View):
    """The rule that made a notification, and what keeps it back."""

    rule: str
    key: Annotated[str | None, Field(description="By which it is taken back.")]
    depends_on: Annotated[UUID | None, Field(description="The notification that `unless` is of.")]
    unless: Condition | None
    unless_event: str | None

    @classmethod
    def of(cls, origin: Origin) -> Self:
        """View `origin`."""
        return cls(
            rule=origin.rule,
            key=origin.key,
            depends_on=origin.unless.id if origin.unless else None,
            unless=origin.unless.condition if origin.unless else None,
            unless_event=origin.unless_event,
        )
