"""What content needs of whoever knows a template language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from notifier.content.shared import Shared
from notifier.content.template import (
    Content,
    Finding,
    Rendered,
    TemplateVersion,
    VariableFault,
    Variables,
)
from notifier.notification.model import Channel, JsonValue


@dataclass(frozen=True, slots=True)
class Offered:
    """What notifier itself offers to a template; no variable of a caller's can stand for it."""

    notification: Mapping[str, JsonValue]
    recipient: Mapping[str, JsonValue] = field(default_factory=dict)
    """The person whom it is for: `id`, `locale`, `time_zone`, `attributes`; empty: nobody known."""
    unsubscribe_url: str = ""
    """Where its recipient unsubscribes from its category; empty where that is not to be had."""
    preferences_url: str = ""
    """Where its recipient chooses what they get; empty as above."""


def example_offered(notification_id: str) -> Offered:
    """Return what is offered to what is only looked at: its links lead nowhere."""
    return Offered(
        notification={"id": notification_id},
        unsubscribe_url="https://example.com/u/example",
        preferences_url="https://example.com/u/example#choices",
    )


class Renderer(Protocol):
    """Fills versions: what was published, and never anything else."""

    def completed(
        self, version: TemplateVersion, variables: Variables
    ) -> Variables | Sequence[VariableFault]:
        """Return the variables with the schema's defaults, or all that is wrong with them."""

    async def render(
        self,
        version: TemplateVersion,
        channel: Channel,
        *,
        locale: str | None,
        variables: Variables,
        offered: Offered,
    ) -> Rendered:
        """Fill the parts of a channel in the best locale.

        Raises:
            TemplateError: it has no parts for the channel, or they cannot be filled; names the
                part and its line, and no value.
            WorkshopUnavailableError: it could not be tried.
        """


@dataclass(frozen=True, slots=True)
class Checked:
    """What is found in a content; `compiled` is what would be published, None after an error."""

    findings: Sequence[Finding]
    compiled: Content | None


class Workshop(Protocol):
    """Looks at what was never published: in a process of its own, which may die of it."""

    async def check(self, content: Content, shared: Shared) -> Checked:
        """Return all that is wrong with a content that takes in `shared`, or may be."""

    async def preview(
        self,
        content: Content,
        channel: Channel,
        *,
        locale: str | None,
        variables: Variables,
        offered: Offered,
        shared: Shared | None,
    ) -> Rendered | Sequence[VariableFault] | Sequence[Finding]:
        """Fill a content's parts: a draft's that takes in `shared`, or with None a version's."""


class Markup(Protocol):
    """Reads html that anybody may have written; other tasks get their turn meanwhile."""

    async def cleaned(self, html: str) -> str:
        """Return what is harmless of it, as a fragment.

        Raises:
            TemplateError: it has more tags than are cleaned.
        """

    async def text_of(self, html: str) -> str:
        """Return what it says as a text, with its links, without what it hides."""
