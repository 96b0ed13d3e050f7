"""People and what services declared for them, in memory: for tests that need no database."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from notifier.audience.caps import CapUse
from notifier.audience.category import Categories, Category, Declared
from notifier.audience.choices import Choices
from notifier.audience.person import Address, Person
from notifier.audience.quiet_hours import QuietHours
from notifier.audience.resolving import Audience
from notifier.clock import Clock
from notifier.notification.model import Channel, JsonValue

SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class KeptAudience:
    """A `Directory`, a `DeclaredStore` and a `CapStore`; `looks` says how often who was there."""

    people_by_id: dict[tuple[str, str], Person] = field(default_factory=dict)
    declared_by: dict[str, Declared] = field(default_factory=dict)
    looks: int = 0
    counted: dict[tuple[object, ...], set[UUID]] = field(default_factory=dict)

    def audience(self, clock: Clock) -> Audience:
        return Audience(self, Categories(self, clock))

    def add(self, *people: Person) -> None:
        self.people_by_id |= {(each.service, each.user_id): each for each in people}

    def declare(self, *categories: Category, quiet_hours: QuietHours | None = None) -> None:
        by_key = {each.key: each for each in categories}
        self.declared_by["orders"] = Declared(by_key, quiet_hours)

    async def people(self, service: str, user_ids: Collection[str]) -> Mapping[str, Person]:
        self.looks += 1
        found = {user_id: self.people_by_id.get((service, user_id)) for user_id in user_ids}
        return {user_id: person for user_id, person in found.items() if person}

    async def spend(self, use: CapUse, notification_id: UUID) -> bool:
        taken = self.counted.setdefault((use.service, use.user_id, use.cap, use.slot), set())
        if notification_id not in taken and len(taken) >= use.limit:
            return False
        taken.add(notification_id)
        return True

    async def used(self, use: CapUse) -> int:
        return len(self.counted.get((use.service, use.user_id, use.cap, use.slot), ()))

    async def purge(self) -> int:
        return 0

    async def declared(self, service: str) -> Declared:
        return self.declared_by.get(service, Declared())


def a_person(
    user_id: str = "u-7",
    *,
    email: str | None = "ada@example.org",
    sms: str | None = None,
    choices: Mapping[tuple[str, str], bool] | None = None,
    locale: str | None = "de-AT",
    time_zone: str | None = "Europe/Vienna",
    quiet_hours: QuietHours | None = None,
    attributes: Mapping[str, JsonValue] | None = None,
) -> Person:
    written = {Channel.EMAIL: email, Channel.SMS: sms}
    return Person(
        service="orders",
        user_id=user_id,
        locale=locale,
        time_zone=time_zone,
        attributes=attributes or {},
        addresses=tuple(
            Address(channel=channel, address=address, is_primary=True)
            for channel, address in written.items()
            if address
        ),
        choices=Choices(choices or {}),
        quiet_hours=quiet_hours,
        etag="1",
        created_at=SOME_TIME,
        updated_at=SOME_TIME,
    )


def a_category(key: str = "news", **changes: object) -> Category:
    values: dict[str, object] = {"service": "orders", "key": key, **changes}
    return Category(**values)  # type: ignore[arg-type]  # the fields are as various as their types
