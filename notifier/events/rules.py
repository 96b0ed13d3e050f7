"""Where rules are kept, and how those that are published are found fast."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifier.clock import Clock
from notifier.events.rule import Rule, RuleVersion, Skip, is_of_type, is_prefix
from notifier.idempotency import (
    Applied,
    Idempotency,
    KeyReused,
    LostRace,
    NotFound,
    Remembered,
)
from notifier.kept import Kept
from notifier.notification.model import JsonValue

MAX_RULES = 500
"""How many a service may have published."""
_FRESH_S = 2.0
_MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDraft:
    """A rule as it can be changed; `etag` tells its states apart."""

    service: str
    name: str
    document: JsonValue
    """As it was written."""
    etag: str
    updated_at: datetime
    published: int | None
    """The number of the version that is in force; None: none is."""
    next_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRule:
    """A version as it was written."""

    number: int
    id: UUID
    document: JsonValue
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TooManyRules:
    """The service has `MAX_RULES` others."""


class RuleStore(Protocol):
    """Rules, their drafts and their versions."""

    async def list(
        self, *, service: str | None, limit: int, after: tuple[str, str] | None
    ) -> Sequence[RuleDraft]:
        """In order of service and name; `after` is the last one seen."""

    async def draft(self, service: str, name: str) -> RuleDraft | NotFound:
        """Return one, as it can be changed."""

    async def save(
        self, *, service: str, name: str, document: JsonValue, if_match: str | None
    ) -> RuleDraft | LostRace:
        """Store a draft in place of the one with this etag; of any, or none, with None.

        With an empty etag only where there is none yet.
        """

    async def publish(
        self, *, draft: RuleDraft, id: UUID, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused | LostRace | TooManyRules:
        """Put a draft in force as its next version, if nothing has changed since it was read."""

    async def rollback(
        self,
        *,
        draft: RuleDraft,
        number: int,
        id: UUID,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | LostRace | TooManyRules | NotFound:
        """Put an earlier version in force again, as the next one; the draft stays as it is."""

    async def remove(self, service: str, name: str) -> NotFound | None:
        """Put it out of force, with its draft. Its versions finish what they began."""

    async def versions(
        self, service: str, name: str, *, limit: int, before: int | None
    ) -> Sequence[WrittenRule]:
        """Return the versions, the newest first."""

    async def in_force(self, service: str) -> Sequence[RuleVersion]:
        """Return what is published, by name.

        Raises:
            StoreUnavailableError: also where one was put in force by a newer notifier, and says
                what this one does not know.
        """

    async def by_id(self, id: UUID) -> RuleVersion | None:
        """Return the version of this id. Raises as `in_force`."""


class InForce:
    """The rules of a service, found by the types of events."""

    def __init__(self, versions: Sequence[RuleVersion]) -> None:
        self._on = _ByType()
        self._held = _ByType()
        self.count = len(versions)
        for nth, version in enumerate(versions):
            self._on.add(version.rule.on, nth, version)
            for pattern in _taking_back(version.rule):
                self._held.add(pattern, nth, version)

    def on(self, type: str) -> Sequence[RuleVersion]:
        """Return those that are for events of a type, in the order of their names."""
        return self._on.of(type)

    def taken_back_by(self, type: str) -> Sequence[RuleVersion]:
        """Return those of which events of a type take something back, in the same order."""
        return self._held.of(type)


class _ByType:
    """Versions by what types of events are called, or begin with."""

    def __init__(self) -> None:
        self._exact: dict[str, dict[int, RuleVersion]] = {}
        self._beginning: dict[str, dict[int, RuleVersion]] = {}

    def add(self, pattern: str, nth: int, version: RuleVersion) -> None:
        kept = self._beginning if is_prefix(pattern) else self._exact
        kept.setdefault(pattern, {})[nth] = version

    def of(self, type: str) -> Sequence[RuleVersion]:
        found = dict(self._exact.get(type, {}))
        for pattern, versions in self._beginning.items():
            if is_of_type(pattern, type):
                found |= versions
        return [found[nth] for nth in sorted(found)]


def _taking_back(rule: Rule) -> Iterator[str]:
    yield from rule.cancelled_by
    yield from (each.event for each in rule.steps if isinstance(each, Skip) and each.event)


class RuleBook:
    """Finds rules, and keeps them: what another process publishes is seen after `_FRESH_S`."""

    def __init__(self, store: RuleStore, clock: Clock) -> None:
        self._store = store
        self._in_force: Kept[tuple[str, int], InForce] = Kept(
            _MOST_KEPT, clock, fresh_s=_FRESH_S, weigh=lambda rules: 1 + rules.count
        )
        self._versions: Kept[UUID, RuleVersion] = Kept(_MOST_KEPT, clock)
        self._changes = 0

    async def of(self, service: str) -> InForce:
        """Return the rules of a service that are in force.

        Raises:
            StoreUnavailableError: they could not be read.
        """
        # What is read now may not know of a change that comes meanwhile.
        place = (service, self._changes)
        kept = self._in_force.get(place)
        if kept is None:
            kept = InForce(await self._store.in_force(service))
            self._in_force.keep(place, kept)
        return kept

    async def version(self, id: UUID) -> RuleVersion | None:
        """Return the version of this id. Raises as `of`."""
        kept = self._versions.get(id)
        if kept is None and (kept := await self._store.by_id(id)):
            self._versions.keep(id, kept)
        return kept

    def forget(self) -> None:
        """Look rules up the next time: something was published or removed here."""
        self._changes += 1
