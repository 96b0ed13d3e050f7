"""Where templates are kept, and how the published ones are found fast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID

from notifier.clock import Clock
from notifier.content.template import (
    MOST_KEPT_CHARS,
    Content,
    TemplateRef,
    TemplateVersion,
    kept_weight,
)
from notifier.idempotency import (
    Applied,
    Idempotency,
    KeyReused,
    LostRace,
    NotFound,
    Remembered,
)
from notifier.kept import Kept
from notifier.notification.model import Channel

_FRESH_S = 2.0
_MOST_NAMES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template as it stands: what is published of it, if anything is."""

    service: str
    name: str
    published: int | None
    is_archived: bool
    updated_at: datetime
    channels: frozenset[Channel]
    """Those for which its draft says something."""
    is_partial: bool
    """Whether its draft is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFilter:
    """Which templates are wanted, by their drafts; None is any."""

    name: str = ""
    """What is part of their names."""
    channel: Channel | None = None
    is_partial: bool | None = None
    is_archived: bool | None = None


ANY_TEMPLATE = TemplateFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateDraft:
    """The one copy of a template that can be changed; `etag` tells its states apart."""

    service: str
    name: str
    content: Content
    etag: str
    updated_at: datetime
    next_number: int
    """That of the version which it would become."""


@dataclass(frozen=True, slots=True)
class Archived:
    """It is not used any more."""


@dataclass(frozen=True, slots=True)
class Unpublished:
    """There is none of this name, or of this number; some of those that there are, instead."""

    numbers: Sequence[int] = ()
    """Of this name, the newest first."""
    names: Sequence[str] = ()
    """That can be sent, if there is none of this name."""


@dataclass(frozen=True, slots=True)
class WrittenVersion:
    """A version, and the draft that it was made of."""

    version: TemplateVersion
    source: Content


@dataclass(frozen=True, slots=True)
class Partial:
    """What other templates take in, as it was written, and the number of its version."""

    number: int
    content: Content


BRAND = "@brand"
"""What a template is said to use that reads the brand; no template can be called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A version to publish of what was published as `published`, if that is still so."""

    name: str
    published: int
    number: int
    id: UUID
    compiled: Content
    source: Content


@dataclass(frozen=True, slots=True)
class Renewals:
    """What to publish with a change; `users` are all that are known to take in what is changed."""

    users: Sequence[str]
    renewals: Sequence[Renewal]


@dataclass(frozen=True, slots=True)
class Outrun:
    """Somebody else published these meanwhile; nothing was changed."""

    names: Sequence[str]


class TemplateStore(Protocol):
    """Templates, their drafts and their versions."""

    async def list(
        self,
        *,
        service: str | None,
        limit: int,
        after: tuple[str, str] | None,
        filter: TemplateFilter = ANY_TEMPLATE,
    ) -> Sequence[Template]:
        """In order of service and name; `after` is the last one seen."""

    async def template(self, service: str, name: str) -> Template | NotFound:
        """Return one, as it stands."""

    async def draft(self, service: str, name: str) -> TemplateDraft | NotFound:
        """Return the draft."""

    async def save(
        self, *, service: str, name: str, content: Content, if_match: str | None
    ) -> TemplateDraft | LostRace:
        """Store a draft in place of the one with this etag; of any, or none, with None.

        With an empty etag only where there is none yet.
        """

    async def next_number(self, service: str, name: str) -> int:
        """Return the number of the version that would be published next."""

    async def publish(
        self,
        *,
        draft: TemplateDraft,
        compiled: Content,
        id: UUID,
        cascade: Renewals | None = None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | LostRace | Outrun:
        """Make the next version of a draft, if nothing has changed since that was read.

        With a cascade the others get theirs, all at once; `Outrun` names those that cannot.
        """

    async def rollback(
        self,
        *,
        service: str,
        name: str,
        number: int,
        as_number: int,
        id: UUID,
        cascade: Renewals | None = None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | LostRace | Outrun | NotFound:
        """Publish the content of an earlier version again, if `as_number` is the next one.

        With a cascade as `publish`.
        """

    async def archive(
        self, *, service: str, name: str, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused | NotFound:
        """Refuse new notifications; what was accepted is sent."""

    async def versions(
        self, service: str, name: str, *, limit: int, before: int | None
    ) -> Sequence[TemplateVersion]:
        """Return the versions, the newest first."""

    async def written(self, service: str, name: str, number: int) -> WrittenVersion | NotFound:
        """Return one version, as it was written."""

    async def find(
        self, service: str, ref: TemplateRef
    ) -> TemplateVersion | Archived | Unpublished:
        """Return the version that a notification is to be pinned to."""

    async def partials(self, service: str, names: Sequence[str]) -> Mapping[str, Partial]:
        """Return those of these partials that are published."""

    async def users(
        self, service: str, used: str, *, limit: int, after: str | None
    ) -> Sequence[Template]:
        """Return the templates that take in a partial (or BRAND) as published, by their names."""

    async def by_id(self, id: UUID) -> TemplateVersion | None:
        """Return the version of this id."""


_Place: TypeAlias = tuple[str, TemplateRef, int]


class Library:
    """Finds versions, and keeps them: they never change.

    What is published, and what is not, is looked up again after `_FRESH_S`: until then an older
    version is pinned, and what another process published is not there.
    """

    def __init__(self, store: TemplateStore, clock: Clock) -> None:
        self._store = store
        self._versions: Kept[UUID, TemplateVersion] = Kept(
            MOST_KEPT_CHARS, clock, weigh=kept_weight
        )
        self._found: Kept[_Place, UUID | Archived | Unpublished] = Kept(
            _MOST_NAMES, clock, fresh_s=_FRESH_S
        )
        self._changes = 0

    async def find(
        self, service: str, ref: TemplateRef
    ) -> TemplateVersion | Archived | Unpublished:
        """Return what a notification is to be pinned to, and why there is nothing otherwise."""
        # What is read now may not know of a change that comes meanwhile.
        place = (service, ref, self._changes)
        if kept := self._kept(place):
            return kept
        found = await self._store.find(service, ref)
        if isinstance(found, TemplateVersion):
            self._versions.keep(found.id, found)
        self._found.keep(place, found.id if isinstance(found, TemplateVersion) else found)
        return found

    async def version(self, id: UUID) -> TemplateVersion | None:
        """Return the version that a notification is pinned to."""
        kept = self._versions.get(id)
        if kept is not None:
            return kept
        found = await self._store.by_id(id)
        if found is not None:
            self._versions.keep(id, found)
        return found

    def forget(self) -> None:
        """Look names up the next time: something was published or archived here."""
        self._changes += 1

    def _kept(self, place: _Place) -> TemplateVersion | Archived | Unpublished | None:
        kept = self._found.get(place)
        return self._versions.get(kept) if isinstance(kept, UUID) else kept
