"""Topics: whom a service tells about something, by its own user ids."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from notifier.idempotency import NotFound
from notifier.notification.model import JsonValue

KEY_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,99}$"
KEY_WORDS = (
    "expected a key such as news.weekly: a to z, 0 to 9, and after the first of them "
    "dots, dashes and underscores, 100 at most"
)
MAX_TITLE_CHARS = 200
MAX_MEMBERS = 1_000
"""How many are added or removed at once."""
MAX_PROPERTIES_BYTES = 2_000
_KEY = re.compile(KEY_PATTERN[:-1] + r"\Z", re.ASCII)


def is_topic_key(text: str) -> bool:
    """Whether a topic may be called that: it stands in paths."""
    return _KEY.match(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What some people want to be told about."""

    service: str
    key: str
    title: str
    updated_at: datetime

    @property
    def name(self) -> str:
        """Its key: what its page goes by."""
        return self.key


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who is told, whether the directory knows them yet or not.

    `properties` are variables of theirs: they take the place of a broadcast's own.
    """

    user_id: str
    properties: Mapping[str, JsonValue] | None = None


class TopicZones(Protocol):
    """The members of topics by their time zones; of whom none is known has that of nobody."""

    async def of(self, service: str, key: str) -> Collection[str]:
        """Return the names of the time zones of a topic's members."""

    async def members(
        self, service: str, key: str, zone: str, *, limit: int, after: str
    ) -> Sequence[Member]:
        """Return those of one zone behind the user id `after`, in the order of their user ids."""


class TopicStore(Protocol):
    """Topics and their members. Of one topic, members come in the order of their user ids."""

    async def list(
        self, *, service: str | None, limit: int, after: tuple[str, str] | None
    ) -> Sequence[Topic]:
        """In order of service and key; `after` is the last one seen."""

    async def get(self, service: str, key: str) -> Topic | NotFound:
        """Return one."""

    async def set(self, *, service: str, key: str, title: str) -> Topic:
        """Add a topic, or give it another title."""

    async def remove(self, service: str, key: str) -> NotFound | None:
        """Remove it with its members, thousands at a time: broken off, it is still there."""

    async def count(self, service: str, key: str) -> int:
        """Return how many members it has."""

    async def members(
        self, service: str, key: str, *, limit: int, after: str | None
    ) -> Sequence[Member]:
        """Return the members behind the user id `after`."""

    async def add(
        self, service: str, key: str, members: Sequence[Member]
    ) -> Collection[str] | NotFound:
        """Add members, each once, or give them other properties; returns who is new."""

    async def drop(
        self, service: str, key: str, user_ids: Collection[str]
    ) -> Collection[str] | NotFound:
        """Remove members; returns who was one."""
