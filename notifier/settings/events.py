"""Settings of events."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from notifier.settings.reading import Group, Listed

_MAX_BINDING = 255


def _binding(text: str) -> str:
    if len(text) > _MAX_BINDING or any(each.isspace() for each in text):
        raise ValueError("expected patterns of routing keys, such as order.# or booking.*")
    return text


def _owner(text: str) -> str:
    user, equals, service = text.partition("=")
    if not (user and equals and service):
        raise ValueError("expected user=service, such as shop=orders")
    return text


class EventSettings(Group):
    """Events."""

    kept_days: int = Field(
        7,
        ge=1,
        le=365,
        description="Days that an event is kept, with what came of it: for so long it is known if "
        "it comes again, and a rule is carried out once for a key.",
    )
    failed_digests_kept_days: int = Field(
        30,
        ge=1,
        le=365,
        description="Days that a digest of which nothing could be sent is kept with what it "
        "collected, to be [replayed](events.md#a-digest-that-failed); others are kept as long as "
        "events, and none for less.",
    )
    bindings: Annotated[tuple[Annotated[str, AfterValidator(_binding)], ...], Listed] = Field(
        (),
        description="Patterns of routing keys, comma-separated, by which `notifier.events` gets "
        "what is published to RabbitMQ's topic exchange `events`: `order.#,booking.*`. Unset, "
        "events are taken over HTTP alone ([by RabbitMQ](events-by-rabbitmq.md)).",
    )
    owners: Annotated[tuple[Annotated[str, AfterValidator(_owner)], ...], Listed] = Field(
        (),
        description="Whose events by RabbitMQ are: `user=service`, comma-separated, for users of "
        "the broker's; `*=service` for messages that do not say who published them. Those of any "
        "other user are of the service of the same name.",
    )

    def services(self) -> Mapping[str, str]:
        """Return whose the events of each user of the broker's are."""
        pairs = (each.partition("=") for each in self.owners)
        return {user: service for user, _, service in pairs}
