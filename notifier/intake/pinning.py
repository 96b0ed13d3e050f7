"""Pinning a draft to a version of its template, once that is known to be filled by it."""

from builtins import id as identity
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from notifier.audience.person import Person
from notifier.audience.recipient import has_control_characters
from notifier.content.library import Archived, Library, Unpublished
from notifier.content.ports import Renderer, example_offered
from notifier.content.showing import shown_ids
from notifier.content.template import Rendered, TemplateRef, TemplateVersion, Variables, is_locale
from notifier.errors import TemplateError
from notifier.intake.draft import Draft, Flaw
from notifier.intake.said import Said
from notifier.notification.medium import MEDIA, Medium
from notifier.notification.model import Pin

IS_PARTIAL = "it is a partial: others take it in, and it is not sent"
_HELD = "the template holds it: leave it out"


@dataclass(frozen=True, slots=True)
class Pinner:
    """Finds the versions that drafts ask for, and tries them."""

    library: Library
    renderer: Renderer

    async def pinned(
        self,
        draft: Draft,
        template: TemplateRef,
        *,
        service: str,
        id: UUID,
        person: Person | None = None,
    ) -> Said | list[Flaw]:
        """Pin a draft, the notification `id` to be; or all that is wrong with its content.

        Raises:
            StoreUnavailableError: its template could not be looked up.
        """
        if flaws := [*_held(draft), *_wrong_locale(draft.locale)]:
            return flaws
        found = await self.library.find(service, template)
        if not isinstance(found, TemplateVersion):
            return [Flaw("template", why_not(found))]
        if found.content.is_partial:
            return [Flaw("template", IS_PARTIAL)]
        return await self.settled(found, draft, id, person)

    async def settled(
        self, found: TemplateVersion, draft: Draft, id: UUID, person: Person | None
    ) -> Said | list[Flaw]:
        """Pin a draft to this version; or all that is wrong with its variables."""
        variables = self.renderer.completed(found, draft.variables or {})
        if not isinstance(variables, Mapping):
            return [Flaw("variables", each.words, each.path) for each in variables]
        return await self._tried(found, draft, variables, id, person)

    async def _tried(
        self,
        found: TemplateVersion,
        draft: Draft,
        variables: Variables,
        id: UUID,
        person: Person | None,
    ) -> Said | list[Flaw]:
        """Fill it, and drop what comes of it: whatever cannot be filled is refused here."""
        spoken = person.locale if person else None
        locale = draft.locale or spoken or found.content.default_locale
        described = person.described if person else {}
        offered = replace(example_offered(str(id)), recipient=described)
        try:
            rendered = await self.renderer.render(
                found, draft.channel, locale=locale, variables=variables, offered=offered
            )
        except TemplateError as error:
            return [Flaw("template", str(error))]
        if fault := _fault(rendered, MEDIA[draft.channel]):
            return [Flaw("template", fault)]
        return Said(
            text=rendered.text,
            variables=variables,
            template=Pin(found.id, locale),
            category=found.content.category,
            images=found.content.images,
            shown=shown_ids(rendered.html),
        )


@dataclass(frozen=True, slots=True)
class SettledPinner(Pinner):
    """Pins many drafts to one version, whatever has become of its template.

    What one comes to holds for all that have the same language and the very same variables,
    unless the version says something of whom it is for.
    """

    version: TemplateVersion
    drafts: Sequence[Draft]
    """All of them: while they are there, nothing else has the place of their variables."""
    is_personal: bool
    tried: dict[tuple[str | None, int], Said | list[Flaw]] = field(default_factory=dict)

    async def pinned(
        self,
        draft: Draft,
        template: TemplateRef,
        *,
        service: str,
        id: UUID,
        person: Person | None = None,
    ) -> Said | list[Flaw]:
        del template, service
        if self.is_personal:
            return await self.settled(self.version, draft, id, person)
        spoken = draft.locale or (person.locale if person else None)
        place = (spoken, identity(draft.variables))
        if place not in self.tried:
            self.tried[place] = await self.settled(self.version, draft, id, person)
        return self.tried[place]


def settled_pinner(
    pinner: Pinner, version: TemplateVersion, drafts: Sequence[Draft]
) -> SettledPinner:
    """Return what pins these drafts to one version."""
    is_personal = any(
        "recipient" in source
        for channels in version.content.parts.values()
        for parts in channels.values()
        for source in parts.values()
    )
    return SettledPinner(pinner.library, pinner.renderer, version, drafts, is_personal)


def _wrong_locale(tag: str | None) -> Iterator[Flaw]:
    if tag is not None and not is_locale(tag):
        yield Flaw("locale", "expected a language's tag, such as en or de-AT")


def _held(draft: Draft) -> Iterator[Flaw]:
    parts = {
        "content": draft.content,
        "subject": draft.subject,
        "html": draft.html,
        "action_url": draft.action_url,
    }
    yield from (Flaw(name, _HELD) for name, value in parts.items() if value is not None)
    if draft.category is not None:
        yield Flaw("category", "the template has its own: leave it out")
    for name, is_asked in (("literal", draft.literal), ("sanitise", draft.sanitise)):
        if is_asked:
            yield Flaw(name, "only for content that comes along, not for a template's")


def _fault(rendered: Rendered, medium: Medium) -> str | None:
    """Say what keeps it from being sent over its channel."""
    if not rendered.text.strip():
        return "its text is empty once its variables are filled in"
    if len(rendered.text) > medium.max_text_chars:
        most = medium.max_text_chars
        return f"its text is longer than {most} characters once its variables are filled in"
    subject = rendered.subject or ""
    if has_control_characters(subject):
        return "its subject has control characters once its variables are filled in"
    if medium.needs_subject and not subject.strip():
        return "its subject is empty once its variables are filled in"
    return None


def why_not(found: Archived | Unpublished) -> str:
    """Say why there is no version to pin to."""
    match found:
        case Archived():
            return "it is archived"
        case Unpublished(numbers) if numbers:
            return f"there is no such version; there are {', '.join(map(str, numbers))}"
        case Unpublished(_, names) if names:
            words = ", ".join(names)
            return f"there is no template of this name, or nothing of it is published: see {words}"
        case Unpublished():
            return "no template is published yet"
