"""What the templates of a service have in common, as it stands when one of them is looked at."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from notifier.content.brand import Brand, BrandStore
from notifier.content.library import Partial, TemplateStore
from notifier.content.template import Content
from notifier.idempotency import NotFound

_MENTIONED = re.compile(r"\binclude\s+(?:path\s*=\s*)?[\"']([a-z0-9][a-z0-9._-]{0,99})[\"']")
_ROUNDS = 12
_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What a draft takes in when it becomes a version."""

    brand: Brand
    partials: Mapping[str, Partial] = field(default_factory=dict)
    """Those that it may take in, by name."""
    switchable: frozenset[str] = frozenset()
    """The categories that people can switch off."""


class SwitchableCategories(Protocol):
    """What people choose by."""

    async def switchable(self, service: str) -> frozenset[str]:
        """Return the keys of the categories that a service declared to be switched off."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """Finds what templates have in common."""

    brands: BrandStore
    templates: TemplateStore
    categories: SwitchableCategories

    async def of(
        self,
        service: str,
        content: Content,
        *,
        given: Mapping[str, Partial] | None = None,
        drafts: Collection[str] = (),
    ) -> Shared:
        """Return what a content may take in: what is published, or of `drafts` what is written.

        Partials that are `given` take the place of those.

        Raises:
            StoreUnavailableError: it could not be read.
        """
        found = dict(given or {})
        every = [content, *(each.content for each in found.values())]
        wanted = {name for each in every for name in mentioned(each)} - set(found)
        for _ in range(_ROUNDS):
            if not wanted or len(found) + len(wanted) > _MOST:
                break
            new = await self._partials(service, wanted, drafts)
            found.update(new)
            wanted = {each for it in new.values() for each in mentioned(it.content)} - set(found)
        return Shared(
            brand=(await self.brands.brand(service)).brand,
            partials=found,
            switchable=await self.categories.switchable(service),
        )

    async def _partials(
        self, service: str, names: Collection[str], drafts: Collection[str]
    ) -> Mapping[str, Partial]:
        found = dict(await self.templates.partials(service, sorted(names)))
        for name in names:
            if name in drafts:
                draft = await self.templates.draft(service, name)
                if not isinstance(draft, NotFound) and draft.content.is_partial:
                    found[name] = Partial(draft.next_number, draft.content)
        return found


def mentioned(content: Content) -> Iterator[str]:
    """Return the names that a content's sources seem to take in, some perhaps in vain."""
    if content.layout:
        yield content.layout
    for channels in content.parts.values():
        for parts in channels.values():
            for source in parts.values():
                yield from islice((each[1] for each in _MENTIONED.finditer(source)), _MOST)


def as_given(name: str, content: Content, number: int) -> Mapping[str, Partial]:
    """Return what a draft gives to itself: a partial, that it would be once it is published."""
    return {name: Partial(number, content)} if content.is_partial else {}
