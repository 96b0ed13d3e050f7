"""Categories: what people choose by. Each service declares its own."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Protocol

from notifier.audience.quiet_hours import QuietHours
from notifier.clock import Clock
from notifier.idempotency import LostRace, NotFound
from notifier.kept import Kept
from notifier.notification.model import Channel
from notifier.wall_time import instant

KEY_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
KEY_WORDS = (
    "expected a key such as news.weekly: a to z, 0 to 9, and after the first of them "
    "dots, dashes and underscores, 64 at most"
)
MAX_CATEGORIES = 100
"""How many a service may declare."""
_KEY = re.compile(KEY_PATTERN[:-1] + r"\Z", re.ASCII)
_FRESH_S = 2.0
_MOST_KEPT = 10_000


def is_category_key(text: str) -> bool:
    """Whether a category may be called that: it stands in paths."""
    return _KEY.match(text) is not None


class Kind(StrEnum):
    """What a category's notifications are to those who get them."""

    TRANSACTIONAL = "transactional"
    SUBSCRIBED = "subscribed"
    MARKETING = "marketing"


class Span(StrEnum):
    """What caps count in: an hour, a day or a week of the recipient's own clocks."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"

    def began(self, now: datetime, zone: tzinfo) -> datetime:
        """Return, in UTC, when the one began that `now` is in; weeks do on Mondays."""
        try:
            return self._began(now, zone)
        except OverflowError:  # before the first day that there is
            return now

    def _began(self, now: datetime, zone: tzinfo) -> datetime:
        wall = now.astimezone(zone).replace(tzinfo=None, minute=0, second=0, microsecond=0)
        if self is not Span.HOUR:
            wall = wall.replace(hour=0)
        if self is Span.WEEK:
            wall -= timedelta(days=wall.weekday())
        return instant(wall, zone)


@dataclass(frozen=True, slots=True)
class Cap:
    """How many somebody gets over a channel in each span; what is more is suppressed."""

    limit: int
    per: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """What people choose by. `titles` are by locale; what no channel's default says is on.

    Raises:
        ValueError: who must be able to switch it off could not.
    """

    service: str
    key: str
    titles: Mapping[str, str] = field(default_factory=dict)
    kind: Kind = Kind.TRANSACTIONAL
    can_switch_off: bool = True
    defaults: Mapping[Channel, bool] = field(default_factory=dict)
    cap: Cap | None = None

    @property
    def name(self) -> str:
        """Its key: what its page goes by."""
        return self.key

    def __post_init__(self) -> None:
        if self.can_switch_off:
            return
        if self.kind is not Kind.TRANSACTIONAL:
            raise ValueError(f"people can always switch off what is {self.kind}")
        if not all(self.defaults.values()) or self.cap:
            raise ValueError("what cannot be switched off is on everywhere, and has no cap")

    @property
    def etag(self) -> str:
        """What tells its states apart."""
        cap = (self.cap.limit, self.cap.per) if self.cap else None
        said = [dict(self.titles), self.kind, self.can_switch_off, dict(self.defaults), cap]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def is_on_by_default(self, channel: Channel) -> bool:
        """Whether it reaches over a channel who chose nothing."""
        return self.defaults.get(channel, True)

    def title(self, locale: str | None) -> str:
        """Return what to call it: in this language, in English, in any, or by its key."""
        parts = (locale or "").split("-")
        tags = ["-".join(parts[:count]) for count in range(len(parts), 0, -1)]
        found = (
            self.titles[tag] for tag in (*tags, "en", *sorted(self.titles)) if tag in self.titles
        )
        return next(found, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCategory(Category):
    """A category, and since when it is as it is."""

    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Declared:
    """What a service declared for all its people: categories by key, and its quiet hours."""

    by_key: Mapping[str, Category] = field(default_factory=dict)
    quiet_hours: QuietHours | None = None
    former: frozenset[str] = frozenset()
    """Keys of categories that were removed: who wanted nothing of them still does not."""


NOTHING = Declared()


@dataclass(frozen=True, slots=True)
class TooManyCategories:
    """The service has `MAX_CATEGORIES` others."""


class DeclaredStore(Protocol):
    """Reads what services declared."""

    async def declared(self, service: str) -> Declared:
        """What one declared; nothing is no error."""


class CategoryStore(DeclaredStore, Protocol):
    """What services declare. What people chose of a category stays when it is removed."""

    async def list(
        self, *, service: str | None, limit: int, after: tuple[str, str] | None
    ) -> Sequence[StoredCategory]:
        """Categories by service and key; `after` is the last one seen."""

    async def set(
        self, category: Category, *, if_match: str | None = None
    ) -> StoredCategory | TooManyCategories | LostRace:
        """Add a category, or put it in the place of the one of its key with this etag.

        With None in the place of any, with an empty one only where there is none.
        """

    async def remove(self, service: str, key: str) -> NotFound | None:
        """Let nobody choose by it any more."""

    async def set_quiet_hours(self, service: str, hours: QuietHours | None) -> None:
        """Say when people are left in peace who say nothing themselves; None: never."""


def _weight(declared: Declared) -> int:
    return 1 + len(declared.by_key) + len(declared.former)


class Categories:
    """Finds what services declared, and keeps it: changes elsewhere are seen after `_FRESH_S`."""

    def __init__(self, store: DeclaredStore, clock: Clock) -> None:
        self._store = store
        self._kept: Kept[tuple[str, int], Declared] = Kept(
            _MOST_KEPT, clock, fresh_s=_FRESH_S, weigh=_weight
        )
        self._changes = 0

    async def of(self, service: str) -> Declared:
        """Return what a service declared.

        Raises:
            StoreUnavailableError: it could not be read.
        """
        # What is read now may not know of a change that comes meanwhile.
        place = (service, self._changes)
        kept = self._kept.get(place)
        if kept is None:
            kept = await self._store.declared(service)
            self._kept.keep(place, kept)
        return kept

    async def switchable(self, service: str) -> frozenset[str]:
        """Return the keys of those that people can switch off. Raises as `of`."""
        declared = (await self.of(service)).by_key
        return frozenset(key for key, each in declared.items() if each.can_switch_off)

    def forget(self) -> None:
        """Look it up the next time: something was changed here."""
        self._changes += 1
