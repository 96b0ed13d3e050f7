"""The directory: the people of a service by its own ids, and how to reach them."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from notifier.audience.choices import Choices
from notifier.audience.quiet_hours import QuietHours
from notifier.audience.recipient import compared
from notifier.idempotency import LostRace, NotFound
from notifier.notification.model import Channel, JsonValue

MAX_ADDRESSES = 20
"""How many a person may have."""
MAX_ATTRIBUTES_BYTES = 16_384
"""Of a person's attributes as JSON."""
MAX_PEOPLE = 1_000
"""How many are written, or looked for, at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where somebody can be reached over a channel; in the channel's normal form."""

    channel: Channel
    address: str
    is_primary: bool = False
    verified_at: datetime | None = None

    @property
    def compared(self) -> str:
        """What it is told from others of its channel by."""
        return compared(self.channel, self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a service says of somebody.

    `time_zone` is a name of the IANA's database. One address of each channel is primary.
    """

    user_id: str
    locale: str | None = None
    time_zone: str | None = None
    attributes: Mapping[str, JsonValue] = field(default_factory=dict)
    addresses: tuple[Address, ...] = ()

    @property
    def etag(self) -> str:
        """What tells its states apart; the same whoever writes it, and in whichever order."""
        told = [
            self.locale,
            self.time_zone,
            self.attributes,
            [
                [each.channel, each.address, each.is_primary, _timestamp(each.verified_at)]
                for each in in_order(self.addresses)
            ],
        ]
        text = json.dumps(told, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody in a service's directory, with all that decides how to reach them."""

    service: str
    user_id: str
    locale: str | None
    time_zone: str | None
    attributes: Mapping[str, JsonValue]
    addresses: tuple[Address, ...]
    choices: Choices
    quiet_hours: QuietHours | None
    etag: str
    """Of the profile: choices and quiet hours have no part in it."""
    created_at: datetime
    updated_at: datetime

    def address_for(self, channel: Channel) -> Address | None:
        """Return the primary address of a channel; an inbox is called by the user id if not."""
        found = self._primary(channel)
        if found is None and channel is Channel.IN_APP:
            return Address(channel=channel, address=self.inbox, is_primary=True)
        return found

    @property
    def inbox(self) -> str:
        """What their in-app inbox is called."""
        own = self._primary(Channel.IN_APP)
        return own.address if own else self.user_id

    @property
    def described(self) -> Mapping[str, JsonValue]:
        """What templates are told of them."""
        return {
            "id": self.user_id,
            "locale": self.locale,
            "time_zone": self.time_zone,
            "attributes": dict(self.attributes),
        }

    @property
    def profile(self) -> Profile:
        """What the service said of them."""
        return Profile(
            user_id=self.user_id,
            locale=self.locale,
            time_zone=self.time_zone,
            attributes=self.attributes,
            addresses=self.addresses,
        )

    def _primary(self, channel: Channel) -> Address | None:
        found = (each for each in self.addresses if each.channel is channel and each.is_primary)
        return next(found, None)


def in_order(addresses: Collection[Address]) -> tuple[Address, ...]:
    """Return them by channel, the primary one of each first."""
    if len(addresses) < 2:  # noqa: PLR2004 - nothing to order
        return tuple(addresses)
    return tuple(
        sorted(addresses, key=lambda each: (each.channel, not each.is_primary, each.compared))
    )


def _timestamp(at: datetime | None) -> float | None:
    return round(at.timestamp(), 3) if at else None


def joined_profile(target: Person, source: Person) -> Profile:
    """Return what is said of two who are one person: where they differ, as of `target`."""
    verified = {_key(each): each.verified_at for each in source.addresses}
    own = [
        replace(each, verified_at=each.verified_at or verified.get(_key(each)))
        for each in target.addresses
    ]
    known, reached = {_key(each) for each in own}, {each.channel for each in own}
    added = [
        replace(each, is_primary=each.is_primary and each.channel not in reached)
        for each in source.addresses
        if _key(each) not in known
    ]
    return Profile(
        user_id=target.user_id,
        locale=target.locale or source.locale,
        time_zone=target.time_zone or source.time_zone,
        attributes={**source.attributes, **target.attributes},
        addresses=in_order([*own, *added]),
    )


def _key(address: Address) -> tuple[Channel, str]:
    return address.channel, address.compared


class Written(StrEnum):
    """What became of a profile."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class NobodyToMerge:
    """There is nobody of the id that was to be merged. Nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleFilter:
    """Whom to look for: who has all of these attributes, an address, any address of a channel."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    """As text; numbers and booleans are found by what they look like in JSON."""
    address: str | None = None
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """People by service and id; where it `goes_on_after` one of these, there may be more.

    Such a page may hold fewer than were asked for, even none: what is rare is looked for among so
    many at a time.
    """

    people: Sequence[Person]
    goes_on_after: tuple[str, str] | None


class Directory(Protocol):
    """Finds the people of services."""

    async def people(self, service: str, user_ids: Collection[str]) -> Mapping[str, Person]:
        """Those who are there, by the ids that were asked for.

        The id that somebody had before a merge leads to them, too.
        """


class PersonStore(Protocol):
    """The people of services. An id from before a merge stands for whoever has it now."""

    async def get(self, service: str, user_id: str) -> Person | NotFound:
        """The person."""

    async def put(
        self, service: str, profile: Profile, *, if_match: str | None = None
    ) -> tuple[Written, Person] | LostRace:
        """Add somebody, or put the profile in place of theirs; unless it is not `if_match`."""

    async def put_all(self, service: str, profiles: Sequence[Profile]) -> Sequence[Written]:
        """Put at most `MAX_PEOPLE`, all or none; of one who is there twice the last one holds."""

    async def delete(
        self, service: str, user_id: str, *, if_match: str | None = None
    ) -> NotFound | LostRace | None:
        """Forget somebody and all their ids, which are free for others then."""

    async def merge(
        self, service: str, user_id: str, *, from_id: str
    ) -> Person | NotFound | NobodyToMerge:
        """Give the person of `user_id` all that the one of `from_id` has, and that id.

        Their own language, zone, attributes and primary addresses win; of their choices, what is
        off. Who is one person already stays so.
        """

    async def list(
        self,
        *,
        service: str | None,
        filter: PeopleFilter,
        limit: int,
        after: tuple[str, str] | None,
    ) -> PeoplePage:
        """People by service and id; `after` is where the last page ended."""

    async def count(self, *, service: str, filter: PeopleFilter) -> int:
        """How many of a service's people that finds."""
