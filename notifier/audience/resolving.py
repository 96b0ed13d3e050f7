"""Whom something is for, and what decides whether they want it: at accept and as it is sent."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo

from notifier.audience.category import Categories
from notifier.audience.person import Directory, Person
from notifier.audience.preference import Occasion
from notifier.notification.model import Channel, Lane


@dataclass(frozen=True, slots=True)
class Audience:
    """Finds the people of services, and what these declared for them."""

    directory: Directory
    categories: Categories
    default_zone: tzinfo = UTC
    """Where the clocks are of people of whom the directory does not say."""

    async def people(self, service: str, user_ids: Collection[str]) -> Mapping[str, Person]:
        """Return those whom the service knows, by the ids asked for.

        Raises:
            StoreUnavailableError: the directory could not be read.
        """
        return await self.directory.people(service, user_ids) if user_ids else {}

    async def occasion(
        self, service: str, category: str | None, *, channel: Channel, lane: Lane
    ) -> Occasion:
        """Return what is to be decided about, with what the service declared.

        Whether an address is on the suppression list is not looked at.

        Raises:
            StoreUnavailableError: what the service declared could not be read.
        """
        declared = await self.categories.of(service)
        return Occasion(
            channel=channel,
            lane=lane,
            category=declared.by_key.get(category or ""),
            quiet_hours=declared.quiet_hours,
            default_zone=self.default_zone,
            key=category,
            is_former=category in declared.former,
        )
