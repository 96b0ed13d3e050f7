"""Templates in memory, for tests that need no database."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast
from uuid import UUID, uuid4

from notifier.clock import Clock
from notifier.content.library import Archived, Library, TemplateStore, Unpublished
from notifier.content.template import Content, TemplateRef, TemplateVersion, Variables
from notifier.notification.model import Channel
from tests.clock import SystemClock

BOOKED = Content(
    default_locale="en",
    parts={
        "en": {
            Channel.EMAIL: {"subject": "Booked: {{ title }}", "text": "Hello {{ guest.name }}"},
            Channel.SMS: {"text": "Booked: {{ title }}"},
        },
        "de": {
            Channel.EMAIL: {"subject": "Gebucht: {{ title }}", "text": "Hallo {{ guest.name }}"},
            Channel.SMS: {"text": "Gebucht: {{ title }}"},
        },
    },
    schema={
        "type": "object",
        "properties": {
            "title": {"type": "string", "default": "your seat"},
            "guest": {
                "type": "object",
                "properties": {"name": {"type": "string"}},
                "required": ["name"],
            },
        },
        "required": ["guest"],
    },
)
GUEST: Variables = {"guest": {"name": "Ada"}}


@dataclass
class KeptTemplates:
    """Published versions by name, and how often they were looked for."""

    versions: dict[str, list[TemplateVersion]] = field(default_factory=dict)
    archived: set[str] = field(default_factory=set)
    looks: int = 0

    def publish(self, name: str, content: Content) -> TemplateVersion:
        """Make the next version of a template of the service `orders`."""
        versions = self.versions.setdefault(name, [])
        version = TemplateVersion(
            id=uuid4(),
            service="orders",
            name=name,
            number=len(versions) + 1,
            content=content,
            checksum="",
            created_at=datetime.now(UTC),
        )
        versions.append(version)
        return version

    async def find(
        self, service: str, ref: TemplateRef
    ) -> TemplateVersion | Archived | Unpublished:
        self.looks += 1
        if service != "orders":
            return Unpublished()
        versions = self.versions.get(ref.name, [])
        if ref.name in self.archived:
            return Archived()
        wanted = [each for each in versions if ref.number in (None, each.number)]
        numbers = tuple(each.number for each in versions)
        return wanted[-1] if wanted else Unpublished(numbers, () if numbers else self._names)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(sorted(self.versions.keys() - self.archived))

    async def by_id(self, id: UUID) -> TemplateVersion | None:
        self.looks += 1
        every = [each for versions in self.versions.values() for each in versions]
        return next((each for each in every if each.id == id), None)

    def library(self, clock: Clock | None = None) -> Library:
        """A library over these."""
        return Library(cast(TemplateStore, self), clock or SystemClock())
