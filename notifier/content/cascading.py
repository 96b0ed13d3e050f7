"""Publishing again what takes in a partial or the brand, when that is published anew.

Each template's published source is put together again, never its draft. What comes of it is known
before anything changes, and is published in one transaction with the change.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from notifier.content.brand import Brand
from notifier.content.library import Partial, Renewal, Renewals, TemplateStore
from notifier.content.ports import Workshop
from notifier.content.shared import Sharing
from notifier.content.template import Content, Finding, TemplateRef, TemplateVersion
from notifier.idempotency import NotFound

MOST = 200
"""Templates that one change can publish again."""


class Outcome(StrEnum):
    """What becomes of a template that takes in what is changed."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    OUTRUN = "outrun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascaded:
    """What becomes of one template: its new version, or why there is none."""

    name: str
    outcome: Outcome
    version: int | None = None
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Cascade:
    """What becomes of all templates that take in what is changed, and their new versions."""

    users: Sequence[str]
    """All that take it in, as far as is known."""
    cascaded: Sequence[Cascaded]
    renewals: Sequence[Renewal]

    @property
    def to_publish(self) -> Renewals:
        """What to publish with the change."""
        return Renewals(self.users, self.renewals)

    def without(self, outrun: Collection[str]) -> "Cascade":
        """Return it without those that somebody else published meanwhile."""
        told = {each.name: each for each in self.cascaded}
        told |= {name: Cascaded(name=name, outcome=Outcome.OUTRUN) for name in outrun}
        left = [each for each in self.renewals if each.name not in outrun]
        users = sorted({*self.users, *outrun})
        return Cascade(users, [told[name] for name in sorted(told)], left)


@dataclass(frozen=True, slots=True)
class TooMany:
    """More templates than `MOST` take it in."""


@dataclass(frozen=True, slots=True)
class Cascader:
    """Finds out what would become of templates."""

    templates: TemplateStore
    sharing: Sharing
    workshop: Workshop
    new_id: Callable[[], UUID]

    async def prepared(
        self,
        service: str,
        used: str,
        *,
        given: Mapping[str, Partial] | None = None,
        brand: Brand | None = None,
    ) -> Cascade | TooMany:
        """Put together again what takes in `used`, with these partials and this brand.

        Raises:
            StoreUnavailableError: they could not be read.
            WorkshopUnavailableError: nobody can look at them.
        """
        users = await self.templates.users(service, used, limit=MOST + 1, after=None)
        if len(users) > MOST:
            return TooMany()
        cascaded: list[Cascaded] = []
        renewals: list[Renewal] = []
        for user in users:
            found = await self.templates.find(service, TemplateRef(user.name))
            if not isinstance(found, TemplateVersion) or found.content.is_partial:
                continue
            told = await self._renewed(found, given or {}, brand)
            if isinstance(told, Renewal):
                renewals.append(told)
                told = Cascaded(name=told.name, outcome=Outcome.PUBLISHED, version=told.number)
            cascaded.append(told)
        return Cascade([each.name for each in users], cascaded, renewals)

    async def _renewed(
        self, version: TemplateVersion, given: Mapping[str, Partial], brand: Brand | None
    ) -> Renewal | Cascaded:
        service, name = version.service, version.name
        written = await self.templates.written(service, name, version.number)
        if isinstance(written, NotFound):
            return Cascaded(name=name, outcome=Outcome.OUTRUN)
        shared = await self.sharing.of(service, written.source, given=given)
        if brand is not None:
            shared = replace(shared, brand=brand)
        checked = await self.workshop.check(written.source, shared)
        if checked.compiled is None:
            return Cascaded(name=name, outcome=Outcome.REFUSED, findings=checked.findings)
        if _says_the_same(checked.compiled, version.content):
            return Cascaded(name=name, outcome=Outcome.UNCHANGED, version=version.number)
        return Renewal(
            name=name,
            published=version.number,
            number=await self.templates.next_number(service, name),
            id=self.new_id(),
            compiled=checked.compiled,
            source=written.source,
        )


def _says_the_same(one: Content, other: Content) -> bool:
    return (one.parts, one.brand, one.images) == (other.parts, other.brand, other.images)
